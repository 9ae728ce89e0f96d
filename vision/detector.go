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
	Model    Model
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
func NewDetector(m Model) (*Detector, error) { return newTask[*Detector](m, false) }

func (d *Detector) parts() (*Model, *Input) { return &d.Model, &d.Input }

// Detect returns what it finds, the best first.
func (d *Detector) Detect(ctx context.Context, img image.Image) (found []Detection, err error) {
	err = d.detect(ctx, []image.Image{img}, func(one []Detection) { found = one })
	return found, err
}

// DetectAll is Detect for many pictures: as many at a time as the model's batch has,
// or up to 16 if it is dynamic.
func (d *Detector) DetectAll(ctx context.Context, imgs []image.Image) ([][]Detection, error) {
	all := make([][]Detection, 0, len(imgs))
	if err := d.detect(ctx, imgs, func(one []Detection) { all = append(all, one) }); err != nil {
		return nil, err
	}
	return all, nil
}

// detect calls add with what it finds in each picture.
func (d *Detector) detect(ctx context.Context, imgs []image.Image, add func([]Detection)) error {
	return d.runner.run(ctx, d.Model, &d.Input, imgs, nil, func(f *frame, n int, img image.Image) error {
		found, err := d.results(f, n, img.Bounds())
		add(found)
		return err
	})
}

// results returns what the last Run of f has found in picture n, which has these bounds.
func (d *Detector) results(f *frame, n int, bounds image.Rectangle) ([]Detection, error) {
	if d.Head == nil {
		return nil, advise("NewDetector sets it for models that it knows", common.ErrOption, "the Detector has no Head")
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
		unwanted := func(c Detection) bool { return !slices.Contains(d.Classes, c.Class) }
		f.candidates = slices.DeleteFunc(f.candidates, unwanted)
	}
	kept := suppress(f.candidates, suppression, Point{1 / back[0], 1 / back[4]})
	found := append(make([]Detection, 0, len(kept)), kept...)
	if finisher, ok := d.Head.(Finisher); ok {
		if err := finisher.Finish(found, out, back, bounds.Size()); err != nil {
			return nil, err
		}
	}
	all := Rect{corner(bounds.Min), corner(bounds.Max)}
	back[2], back[5] = back[2]+all.Min.X, back[5]+all.Min.Y
	for i := range found {
		c := &found[i]
		c.Rect = back.ApplyRect(c.Rect).Intersect(all)
		for j := range c.Points {
			c.Points[j].Point = back.Apply(c.Points[j].Point)
		}
		if c.Mask != nil {
			c.Mask.Rect = c.Mask.Rect.Add(bounds.Min)
		}
		if c.Class >= 0 && c.Class < len(d.Labels) {
			c.Label = d.Labels[c.Class]
		}
	}
	// A box that lies only in the letterbox's border has no area now.
	return slices.DeleteFunc(found, func(c Detection) bool { return !(c.Rect.Area() > 0) }), nil
}
