// SPDX-License-Identifier: Apache-2.0

// Package see runs a model on pictures, describes what it finds as JSON or as text, and
// draws it.
package see

import (
	"context"
	"fmt"
	"image"
	"image/draw"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/overlay"
)

// Seer is a task with a model.
type Seer struct {
	Task   any // of vision.New
	Engine string
	Model  string // for people

	minScore float32 // of classes
}

// New returns the Seer of a model that engine has loaded. minScore and labels replace what the model says of
// itself, unless they are 0 and nil.
func New(m *common.Model, engine, name string, minScore float32, labels []string) (*Seer, error) {
	task, err := vision.New(m)
	if err != nil {
		return nil, err
	}
	switch t := task.(type) {
	case *vision.Detector:
		if minScore > 0 {
			t.MinScore = minScore
		}
		if labels != nil {
			t.Labels = labels
		}
	case *vision.Classifier:
		if labels != nil {
			t.Labels = labels
		}
	case *vision.Segmenter:
		if labels != nil {
			t.Labels = labels
		}
	}
	return &Seer{task, engine, name, minScore}, nil
}

// Sight is what a model finds in a picture: a line of `anyinfer see --json`.
type Sight struct {
	Image   string   `json:"image"`
	Engine  string   `json:"engine"`
	Model   string   `json:"model"`
	Width   int      `json:"width"`
	Height  int      `json:"height"`
	Results []Result `json:"results"`

	draw func(draw.Image)
}

// Result is one thing in a picture. Only the fields that the task has are set.
type Result struct {
	Label  string       `json:"label,omitempty"`
	Class  int          `json:"class"`
	Score  float32      `json:"score"`
	Box    *[4]float32  `json:"box,omitempty"`    // x0, y0, x1, y1 in pixels
	Points [][3]float32 `json:"points,omitempty"` // x, y, score
	Mask   *Mask        `json:"mask,omitempty"`
	Vector []float32    `json:"vector,omitempty"`
}

// Mask says which pixels of a rectangle belong to a Result: the numbers of pixels, row by
// row, that do not, then do, then do not, and so on.
type Mask struct {
	X      int   `json:"x"`
	Y      int   `json:"y"`
	Width  int   `json:"width"`
	Height int   `json:"height"`
	Runs   []int `json:"runs"`
}

// See looks at a picture.
func (s *Seer) See(ctx context.Context, name string, img image.Image) (*Sight, error) {
	size := img.Bounds().Size()
	sight := &Sight{Image: name, Engine: s.Engine, Model: s.Model, Width: size.X, Height: size.Y, Results: []Result{}}
	var err error
	switch t := s.Task.(type) {
	case *vision.Detector:
		err = sight.detect(ctx, t, img)
	case *vision.Classifier:
		err = sight.classify(ctx, t, img, s.minScore)
	case *vision.Segmenter:
		err = sight.segment(ctx, t, img)
	case *vision.Matter:
		err = sight.matte(ctx, t, img)
	case *vision.Embedder:
		var vector []float32
		if vector, err = t.Embed(ctx, img); err == nil {
			sight.Results = append(sight.Results, Result{Score: 1, Vector: vector})
		}
		sight.draw = func(draw.Image) {}
	default:
		err = fmt.Errorf("no such task: %T", t)
	}
	return sight, err
}

// Draw returns the picture with what was found in it.
func (s *Sight) Draw(img image.Image) *image.RGBA {
	dst := overlay.Copy(img)
	s.draw(dst)
	return dst
}

func (s *Sight) detect(ctx context.Context, t *vision.Detector, img image.Image) error {
	found, err := t.Detect(ctx, img)
	if err != nil {
		return err
	}
	for _, d := range found {
		r := Result{Label: d.Label, Class: d.Class, Score: d.Score, Box: &[4]float32{d.Rect.Min.X, d.Rect.Min.Y, d.Rect.Max.X, d.Rect.Max.Y}}
		for _, p := range d.Points {
			if p.X != p.X || p.Y != p.Y || p.Score != p.Score { // NaN, which JSON does not have
				p = vision.KeyPoint{}
			}
			r.Points = append(r.Points, [3]float32{p.X, p.Y, p.Score})
		}
		if d.Mask != nil {
			r.Mask = newMask(d.Mask.Rect, func(x, y int) bool { return d.Mask.AlphaAt(x, y).A > 127 })
		}
		s.Results = append(s.Results, r)
	}
	s.draw = func(dst draw.Image) { overlay.Draw(dst, found, nil) }
	return nil
}

func (s *Sight) classify(ctx context.Context, t *vision.Classifier, img image.Image, minScore float32) error {
	classes, err := t.Classify(ctx, img)
	if err != nil {
		return err
	}
	classes = slices.DeleteFunc(classes, func(c vision.Class) bool { return c.Score < minScore })
	for _, c := range classes {
		s.Results = append(s.Results, Result{Label: c.Label, Class: c.Index, Score: c.Score})
	}
	s.draw = func(dst draw.Image) { overlay.Classes(dst, classes, nil) }
	return nil
}

// segment makes a Result of each class, whose score is its share of the picture.
func (s *Sight) segment(ctx context.Context, t *vision.Segmenter, img image.Image) error {
	m, err := t.Segment(ctx, img)
	if err != nil {
		return err
	}
	var counts [256]int
	for _, class := range m.Pix {
		counts[class]++
	}
	for class, n := range counts {
		if n == 0 {
			continue
		}
		r := Result{Class: class, Score: float32(n) / float32(len(m.Pix))}
		r.Mask = newMask(m.Rect, func(x, y int) bool { return int(m.ColorIndexAt(x, y)) == class })
		if class < len(t.Labels) {
			r.Label = t.Labels[class]
		}
		s.Results = append(s.Results, r)
	}
	s.draw = func(dst draw.Image) { overlay.Segments(dst, m, t.Labels, nil) }
	return nil
}

// matte makes one Result, the foreground, whose score is its share of the picture.
func (s *Sight) matte(ctx context.Context, t *vision.Matter, img image.Image) error {
	m, err := t.Matte(ctx, img)
	if err != nil {
		return err
	}
	sum := 0
	for _, a := range m.Pix {
		sum += int(a)
	}
	s.Results = append(s.Results, Result{
		Label: "foreground", Class: 1, Score: float32(sum) / float32(255*max(len(m.Pix), 1)),
		Mask: newMask(m.Rect, func(x, y int) bool { return m.AlphaAt(x, y).A > 127 }),
	})
	s.draw = func(dst draw.Image) { overlay.Cutout(dst, m, nil) }
	return nil
}

func newMask(r image.Rectangle, in func(x, y int) bool) *Mask {
	m := &Mask{X: r.Min.X, Y: r.Min.Y, Width: r.Dx(), Height: r.Dy(), Runs: []int{0}}
	inside := false
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if in(x, y) != inside {
				inside = !inside
				m.Runs = append(m.Runs, 0)
			}
			m.Runs[len(m.Runs)-1]++
		}
	}
	return m
}

// Text describes a Result in a line: "dog 92% at 31,34 to 219,218".
func (r Result) Text() string {
	label := r.Label
	if label == "" {
		label = fmt.Sprint("class ", r.Class)
	}
	switch {
	case r.Vector != nil:
		return fmt.Sprintf("a vector of %d numbers (--json prints them)", len(r.Vector))
	case r.Box != nil:
		return fmt.Sprintf("%s %.0f%% at %.0f,%.0f to %.0f,%.0f", label, 100*r.Score, r.Box[0], r.Box[1], r.Box[2], r.Box[3])
	case r.Mask != nil:
		return fmt.Sprintf("%s on %.0f%% of the picture", label, 100*r.Score)
	}
	return fmt.Sprintf("%s %.0f%%", label, 100*r.Score)
}
