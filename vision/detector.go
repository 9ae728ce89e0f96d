// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"context"
	"image"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// Detector finds things in pictures. NewDetector fills the fields with what the model
// says of itself; they may be changed before the first Detect, or be filled without
// it for a model that it does not know. Many goroutines may call Detect; Model's
// Options.Sessions says how many run at the same time.
type Detector struct {
	Model    *common.Model
	Input    Input
	Head     Head
	Labels   []string   // by class; nil: none
	MinScore float32    // 0: 0.25
	NMS      NMSOptions // the zero NMSOptions: those that Head.Suppression returns
	Classes  []int      // the classes to find; nil: all

	runner runner
}

// NewDetector returns a Detector for a model whose metadata, or the names and shapes
// of whose outputs, this package knows. Otherwise the error wraps common.ErrModel and
// says what they are.
func NewDetector(m *common.Model) (*Detector, error) { return newTask[*Detector](m, recognizeDetector) }

func (d *Detector) parts() (**common.Model, *Input) { return &d.Model, &d.Input }

func recognizeDetector(sig common.Signature, metadata map[string]string) (t task, sure, ok bool) {
	d := recognizeHead(sig, metadata)
	if d == nil {
		return nil, false, false
	}
	return d, true, true
}

// Detect returns what it finds, the best first.
func (d *Detector) Detect(ctx context.Context, img image.Image) (found []Detection, err error) {
	err = d.runner.run(ctx, d.Model, &d.Input, []image.Image{img}, nil, func(f *frame, n int, img image.Image) (err error) {
		found, err = d.results(f, n, img.Bounds().Size())
		return err
	})
	return found, err
}

// DetectAll is Detect for many pictures: as many at a time as the model's batch has,
// or up to 16 if it is dynamic.
func (d *Detector) DetectAll(ctx context.Context, imgs []image.Image) ([][]Detection, error) {
	all := make([][]Detection, 0, len(imgs))
	err := d.runner.run(ctx, d.Model, &d.Input, imgs, nil, func(f *frame, n int, img image.Image) error {
		found, err := d.results(f, n, img.Bounds().Size())
		all = append(all, found)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// results returns what the last Run of f has found in picture n, which has that size.
func (d *Detector) results(f *frame, n int, size image.Point) ([]Detection, error) {
	if d.Head == nil {
		return nil, fail(common.ErrOption, "the Detector has no Head; NewDetector sets it for models that it knows")
	}
	suppression := d.NMS
	if suppression == (NMSOptions{}) {
		suppression = d.Head.Suppression()
	}
	out, back := f.of(n), f.backs[n]
	var err error
	if f.candidates, err = d.Head.Decode(f.candidates[:0], out, cmp.Or(d.MinScore, 0.25)); err != nil {
		return nil, err
	}
	if d.Classes != nil {
		f.candidates = slices.DeleteFunc(f.candidates, func(c Detection) bool { return !slices.Contains(d.Classes, c.Class) })
	}
	kept := NMS(f.candidates, suppression)
	found := append(make([]Detection, 0, len(kept)), kept...)
	if finisher, ok := d.Head.(Finisher); ok {
		if err := finisher.Finish(found, out, back, size); err != nil {
			return nil, err
		}
	}
	for i := range found {
		c := &found[i]
		c.Rect = back.ApplyRect(c.Rect).Clip(size)
		for j := range c.Points {
			c.Points[j].Point = back.Apply(c.Points[j].Point)
		}
		if c.Class >= 0 && c.Class < len(d.Labels) {
			c.Label = d.Labels[c.Class]
		}
	}
	// A box that lies only in the letterbox's border has no area now.
	return slices.DeleteFunc(found, func(c Detection) bool { return !(c.Rect.Area() > 0) }), nil
}
