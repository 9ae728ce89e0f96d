// SPDX-License-Identifier: Apache-2.0

// Package see runs a model on pictures, describes what it finds as JSON or as text, and
// draws it.
package see

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/landmark"
	"github.com/anyinfer/anyinfer/vision/ocr"
	"github.com/anyinfer/anyinfer/vision/overlay"
)

// Finder is a task with a model.
type Finder struct {
	Task   vision.Task
	Engine string
	Model  string // for people

	minScore  float32          // of classes
	landmarks *landmark.Finder // instead of a Task
	reader    *ocr.Reader      // instead of a Task
}

// NewLandmarks returns the Finder of two models: one finds things, and the other one their points.
func NewLandmarks(detector, points *common.Model, engine, name string, minScore float32) (*Finder, error) {
	f, err := landmark.NewFinder(detector, points)
	if err != nil {
		return nil, advise(err)
	}
	if minScore > 0 {
		f.Detector.MinScore = minScore
	}
	return &Finder{Engine: engine, Model: name, landmarks: f}, nil
}

// NewReader returns the Finder of text, with models that engine has loaded.
func NewReader(detection, orientation, recognition *common.Model, engine string, minScore float32) (*Finder, error) {
	detector, err := ocr.NewDetector(detection)
	if err != nil {
		return nil, err
	}
	direction, err := ocr.NewDirection(orientation)
	if err != nil {
		return nil, err
	}
	recognizer, err := ocr.NewRecognizer(recognition)
	if err != nil {
		return nil, err
	}
	reader := &ocr.Reader{Detector: detector, Direction: direction, Recognizer: recognizer, MinScore: minScore}
	return &Finder{Engine: engine, Model: "text", reader: reader}, nil
}

// New returns the Finder of a model that engine has loaded. minScore and labels replace what the model says of
// itself, unless they are 0 and nil.
func New(m *common.Model, engine, name string, minScore float32, labels []string) (*Finder, error) {
	task, err := vision.New(m)
	if turned, none := landmark.NewOBB(m); none == nil {
		task, err = turned, nil
	}
	if err != nil {
		return nil, advise(err)
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
	return &Finder{Task: task, Engine: engine, Model: name, minScore: minScore}, nil
}

// advice are the hints of package vision that are for programs, and what a user of the command can do.
var advice = strings.NewReplacer(
	", or set vision.MaxPixels", "",
	"set Input.Size", "export it for pictures of one size",
	"a program that knows the model can fill the fields of a task itself", "a program can use it: docs/vision/README.md",
	"the model may need another Input", "the model may need other pictures: docs/vision/README.md",
)

// advise returns an error of package vision with a hint for a user of the command.
func advise(err error) error {
	var e *common.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Hint = advice.Replace(e.Hint)
	return &out
}

// Findings are what a model finds in a picture: a line of `anyinfer see --json`.
type Findings struct {
	Image   string   `json:"image"`
	Engine  string   `json:"engine"`
	Model   string   `json:"model"`
	Width   int      `json:"width"`
	Height  int      `json:"height"`
	Results []Result `json:"results"`

	draw  func(draw.Image)
	drawn func(image.Image) *image.RGBA // instead of draw, if that makes the picture larger
}

// Result is one thing in a picture. Only the fields that the task has are set.
type Result struct {
	Label  string         `json:"label,omitempty"`
	Class  int            `json:"class"`
	Score  float32        `json:"score"`
	Box    *[4]float32    `json:"box,omitempty"`    // x0, y0, x1, y1 in pixels
	Points [][3]float32   `json:"points,omitempty"` // x, y, score
	Mask   *Mask          `json:"mask,omitempty"`
	Vector []float32      `json:"vector,omitempty"`
	Text   *string        `json:"text,omitempty"`
	Quad   *[4][2]float32 `json:"quad,omitempty"` // x, y of the corners of a line, clockwise from the top left
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

// Find runs the model on a picture.
func (f *Finder) Find(ctx context.Context, name string, img image.Image) (*Findings, error) {
	size := img.Bounds().Size()
	findings := &Findings{Image: name, Engine: f.Engine, Model: f.Model, Width: size.X, Height: size.Y, Results: []Result{}}
	var err error
	switch t := f.Task.(type) {
	case nil:
		if f.reader != nil {
			err = findings.read(ctx, f.reader, img)
			break
		}
		var found []landmark.Landmarks
		found, err = f.landmarks.Find(ctx, img)
		findings.detections(landmark.Detections(found))
	case *vision.Detector:
		var found []vision.Detection
		found, err = t.Detect(ctx, img)
		findings.detections(found)
	case *vision.Classifier:
		err = findings.classify(ctx, t, img, f.minScore)
	case *vision.Segmenter:
		err = findings.segment(ctx, t, img)
	case *vision.Matter:
		err = findings.matte(ctx, t, img)
	case *vision.Embedder:
		var vector []float32
		if vector, err = t.Embed(ctx, img); err == nil {
			findings.Results = append(findings.Results, Result{Score: 1, Vector: vector})
		}
		findings.draw = func(draw.Image) {}
	}
	return findings, advise(err)
}

// Draw returns the picture with what was found in it.
func (f *Findings) Draw(img image.Image) *image.RGBA {
	if f.drawn != nil {
		return f.drawn(img)
	}
	dst := overlay.Copy(img)
	f.draw(dst)
	return dst
}

func (f *Findings) read(ctx context.Context, r *ocr.Reader, img image.Image) error {
	lines, err := r.Read(ctx, img)
	for _, l := range lines {
		r := Result{Text: &l.Text, Score: l.Score, Quad: new([4][2]float32)}
		for i, p := range l.Quad {
			r.Quad[i] = [2]float32{p.X, p.Y}
		}
		f.Results = append(f.Results, r)
	}
	f.drawn = func(img image.Image) *image.RGBA { return overlay.Lines(img, lines, nil) }
	return err
}

func (f *Findings) detections(found []vision.Detection) {
	for _, d := range found {
		box := &[4]float32{d.Rect.Min.X, d.Rect.Min.Y, d.Rect.Max.X, d.Rect.Max.Y}
		r := Result{Label: d.Label, Class: d.Class, Score: d.Score, Box: box}
		for _, p := range d.Points {
			if p.X != p.X || p.Y != p.Y || p.Score != p.Score { // NaN, which JSON does not have
				p = vision.KeyPoint{}
			}
			r.Points = append(r.Points, [3]float32{p.X, p.Y, p.Score})
		}
		if d.Mask != nil {
			r.Mask = newMask(d.Mask.Rect, func(x, y int) bool { return d.Mask.AlphaAt(x, y).A > 127 })
		}
		f.Results = append(f.Results, r)
	}
	f.draw = func(dst draw.Image) { overlay.Draw(dst, found, nil) }
}

func (f *Findings) classify(ctx context.Context, t *vision.Classifier, img image.Image, minScore float32) error {
	classes, err := t.Classify(ctx, img)
	if err != nil {
		return err
	}
	classes = slices.DeleteFunc(classes, func(c vision.Class) bool { return c.Score < minScore })
	for _, c := range classes {
		f.Results = append(f.Results, Result{Label: c.Label, Class: c.Index, Score: c.Score})
	}
	f.draw = func(dst draw.Image) { overlay.Classes(dst, classes, nil) }
	return nil
}

// segment makes a Result of each class, whose score is its share of the picture.
func (f *Findings) segment(ctx context.Context, t *vision.Segmenter, img image.Image) error {
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
		f.Results = append(f.Results, r)
	}
	f.draw = func(dst draw.Image) { overlay.Segments(dst, m, t.Labels, nil) }
	return nil
}

// matte makes one Result, the foreground, whose score is its share of the picture.
func (f *Findings) matte(ctx context.Context, t *vision.Matter, img image.Image) error {
	m, err := t.Matte(ctx, img)
	if err != nil {
		return err
	}
	sum := 0
	for _, a := range m.Pix {
		sum += int(a)
	}
	f.Results = append(f.Results, Result{
		Label: "foreground", Class: 1, Score: float32(sum) / float32(255*max(len(m.Pix), 1)),
		Mask: newMask(m.Rect, func(x, y int) bool { return m.AlphaAt(x, y).A > 127 }),
	})
	f.draw = func(dst draw.Image) { overlay.Cutout(dst, m, nil) }
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

// String describes a Result in a line: "dog 92% at 31,34 to 219,218".
func (r Result) String() string {
	label := r.Label
	if label == "" {
		label = fmt.Sprint("class ", r.Class)
	}
	switch {
	case r.Text != nil:
		return fmt.Sprintf("%s (%.0f%%)", *r.Text, 100*r.Score)
	case r.Vector != nil:
		return fmt.Sprintf("a vector of %d numbers (--json prints them)", len(r.Vector))
	case r.Box != nil:
		b := r.Box
		return fmt.Sprintf("%s %.0f%% at %.0f,%.0f to %.0f,%.0f", label, 100*r.Score, b[0], b[1], b[2], b[3])
	case r.Mask != nil:
		return fmt.Sprintf("%s on %.0f%% of the picture", label, 100*r.Score)
	}
	return fmt.Sprintf("%s %.0f%%", label, 100*r.Score)
}
