// SPDX-License-Identifier: Apache-2.0

package vision

import (
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
	NMS      NMSOptions // the zero NMSOptions: Head.Suppression
	Classes  []int      // the classes to find; nil: all

	runner runner
}

// NewDetector returns a Detector for a model whose metadata, or the names and shapes
// of whose outputs, this package knows. Otherwise the error wraps common.ErrModel and
// says what they are.
func NewDetector(m *common.Model) (*Detector, error) {
	t, err := New(m)
	if err != nil {
		return nil, err
	}
	d, ok := t.(*Detector)
	if !ok {
		return nil, otherTask("Detector", t)
	}
	return d, nil
}

// Detect returns what it finds, the best first.
func (d *Detector) Detect(ctx context.Context, img image.Image) ([]Detection, error) {
	all, err := d.DetectAll(ctx, []image.Image{img})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// DetectAll is Detect for many pictures: as many at a time as the model's batch has,
// or up to 16 if it is dynamic.
func (d *Detector) DetectAll(ctx context.Context, imgs []image.Image) ([][]Detection, error) {
	all := make([][]Detection, 0, len(imgs))
	for len(imgs) > 0 {
		f, err := d.runner.take(d.Model, &d.Input, len(imgs))
		if err != nil {
			return nil, err
		}
		some := imgs[:min(len(imgs), len(f.backs))]
		imgs = imgs[len(some):]
		if err = f.fill(&d.Input, some); err == nil {
			err = f.run(ctx, d.Model)
		}
		for i, img := range some {
			if err == nil {
				var found []Detection
				found, err = d.results(f, i, img.Bounds().Size())
				all = append(all, found)
			}
		}
		d.runner.give(f)
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// results returns what the last Run of f has found in picture n, which has that size.
func (d *Detector) results(f *frame, n int, size image.Point) ([]Detection, error) {
	minScore := d.MinScore
	if minScore == 0 {
		minScore = 0.25
	}
	suppression := d.NMS
	if suppression == (NMSOptions{}) {
		suppression = d.Head.Suppression()
	}
	out, err := f.of(n), error(nil)
	if f.candidates, err = d.Head.Decode(f.candidates[:0], out, minScore); err != nil {
		return nil, err
	}
	if d.Classes != nil {
		f.candidates = slices.DeleteFunc(f.candidates, func(c Detection) bool { return !slices.Contains(d.Classes, c.Class) })
	}
	found := slices.Clone(NMS(f.candidates, suppression))
	back := f.backs[n]
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
	return found, nil
}
