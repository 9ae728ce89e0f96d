// SPDX-License-Identifier: Apache-2.0

// Package vision runs models on pictures: a Detector finds things and faces, a Classifier
// says what a picture shows, an Embedder compares pictures and faces, a Segmenter says what
// each pixel belongs to, and a Matter cuts the foreground out. New returns the one that a
// model is for, with what the model says of itself.
//
// Places in a picture are in its own coordinates, as package image has them: the corner of
// the first pixel is the Min of the picture's Bounds, which mostly is 0,0, and the centre of
// that pixel lies half a pixel to the right and down. So what is found in a part of a
// picture, such as SubImage returns, is where it is in the whole picture. Mattes and
// segmentation maps have the picture's Bounds.
package vision

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// Task is a *Detector, *Classifier, *Embedder, *Segmenter or *Matter. A task has nothing to
// close: the program closes the Model.
type Task interface {
	parts() (*Model, *Input)
}

// Model is the model of a task: a *common.Model or a *common.LiveModel. A LiveModel can be
// replaced while tasks use it, and none of their calls fails: pictures for which the old
// model runs are finished by it, with its sessions, before it is closed, and others go to
// the new one. It must be of the kind, and take pictures of the size, that the task's fields
// describe.
type Model interface {
	AcquireSession(ctx context.Context, signature string) (*common.Session, error)
}

// current returns the model that m is now, or nil.
func current(m Model) *common.Model {
	if live, ok := m.(*common.LiveModel); ok && live != nil {
		return live.Model()
	}
	model, _ := m.(*common.Model)
	return model
}

// firstSignature returns the signature of a model that a task runs.
func firstSignature(m *common.Model) (common.Signature, error) {
	if all := m.Signatures(); len(all) > 0 {
		return all[0], nil
	}
	return common.Signature{}, fail(common.ErrModel, "there is no model; set Model to one that common.Load returned")
}

// recognizers return the task of a model, or nil. It is
// certain if names, metadata or numbers show it: the shapes of different tasks are the same.
var recognizers = []func(m *modelInfo) (t Task, certain bool){
	recognizeDetector, recognizeMatter, recognizeSegmenter, recognizeEmbedder, recognizeClassifier,
}

// New returns the task of a model, with everything that the model's metadata says of it,
// or, without that, that the names and shapes of its inputs and outputs show. Otherwise the
// error wraps common.ErrModel and says what they are; a program that knows the model fills
// a task's fields itself.
func New(m Model) (Task, error) { return newTask[Task](m, true) }

// newTask returns the task of a model that is a T, and is certain if it must be.
func newTask[T Task](m Model, must bool) (none T, err error) {
	now := current(m)
	sig, err := firstSignature(now)
	if err != nil {
		return none, err
	}
	info := newModelInfo(sig, now.Info().Metadata)
	var other Task
	for _, recognize := range recognizers {
		t, certain := recognize(info)
		if one, ok := t.(T); ok && (certain || !must) {
			model, in := one.parts()
			*model = m
			if _, size, err := in.shape(info.image, 1); err == nil {
				in.Size = size
			}
			return one, nil
		}
		if certain && other == nil {
			other = t
		}
	}
	if other != nil {
		return none, fail(common.ErrModel, "the model is for %T, not for %T", other, none)
	}
	kind := ""
	if t := info.metadata["task"]; t != "" {
		kind = fmt.Sprintf("; its metadata names the task %q", t)
	}
	return none, advise("a program that knows the model can fill the fields of a task itself", common.ErrModel,
		"no known kind of model has the inputs %s and the outputs %s%s",
		describe(sig.Inputs...), describe(sig.Outputs...), kind)
}

// InputOf returns the Input of a task, which may be changed before the task is used.
func InputOf(t Task) *Input {
	_, in := t.parts()
	return in
}

// runner runs a model on pictures. It uses the memory of earlier ones again, so that a
// picture allocates nothing but its results, unless the batch or the size of the input
// changes. The zero runner is ready to use.
type runner struct{ frames sync.Pool }

// frame has the tensors and the memory of one Run.
type frame struct {
	model      *common.Model
	signature  common.Signature
	at         int              // the input for pictures
	inputs     []*common.Tensor // nil: not made yet
	outputs    []*common.Tensor // of the last Run: the next one writes to them if it can
	quants     []*common.Quantization
	layout     Layout
	size       image.Point // of the pictures in the input
	backs      []Affine    // from points of the input to those of each picture, which begins at 0,0
	candidates []Detection // for heads
	plane      plane       // for maps of places
	converted  [][]float32 // for each output: its numbers after the last Run, once a head has read them
}

// pictureInput returns the index of the input for pictures, or -1.
func pictureInput(sig common.Signature) int {
	return slices.IndexFunc(sig.Inputs, func(i common.TensorInfo) bool { return len(i.Shape) == 4 })
}

// toInput returns the map from points of a picture to points of an input of that size.
type toInput func(size image.Point) (Affine, error)

// run runs a model on pictures, as many at a time as its batch has, and calls read for each
// of them with its number in the frame. Of each picture the input shows what Input says, or
// where to maps its points, unless to is nil.
func (r *runner) run(ctx context.Context, m Model, in *Input, imgs []image.Image, to toInput,
	read func(f *frame, n int, img image.Image) error) error {
	for len(imgs) > 0 {
		now := current(m)
		f, err := r.take(now, in, len(imgs))
		if err != nil {
			return err
		}
		some := imgs[:min(len(imgs), len(f.backs))]
		err = f.run(ctx, in, some, to)
		if errors.Is(err, common.ErrClosed) && now != current(m) {
			continue // with the model that has replaced it
		}
		for i := 0; i < len(some) && err == nil; i++ {
			err = read(f, i, some[i])
		}
		r.frames.Put(f)
		if err != nil {
			return err
		}
		imgs = imgs[len(some):]
	}
	return nil
}

// picture runs a model on one picture, and returns what read makes of one of its outputs.
func picture[T any](ctx context.Context, r *runner, m Model, in *Input, img image.Image, to toInput, output int,
	read func(f *frame, a array) (T, error)) (result T, err error) {
	err = r.run(ctx, m, in, []image.Image{img}, to, func(f *frame, n int, _ image.Image) error {
		a, err := f.of(n).all(output)
		if err != nil {
			return err
		}
		result, err = read(f, a)
		return err
	})
	return result, err
}

// take returns a frame for n pictures, or for as many as the batch of the model has.
func (r *runner) take(m *common.Model, in *Input, n int) (*frame, error) {
	f, _ := r.frames.Get().(*frame)
	if f == nil || f.model != m {
		sig, err := firstSignature(m)
		if err != nil {
			return nil, err
		}
		f = &frame{model: m, signature: sig, at: pictureInput(sig)}
		for _, info := range sig.Outputs {
			f.quants = append(f.quants, info.Quant)
		}
	}
	if f.at < 0 {
		return nil, fail(common.ErrModel, "the model has no input of four dimensions for pictures; its inputs are %s",
			describe(f.signature.Inputs...))
	}
	info := f.signature.Inputs[f.at]
	shape, size, err := in.shape(info, n)
	if err != nil || f.inputs != nil && f.inputs[f.at].Is(info.DType, shape[:]) {
		return f, err
	}
	f.inputs, f.outputs = nil, make([]*common.Tensor, len(f.quants)) // outputs mostly change with the input
	f.layout, f.size, f.backs = in.layout(info.Shape), size, make([]Affine, shape[0])
	for i, info := range f.signature.Inputs {
		var t *common.Tensor
		if i == f.at {
			t, err = common.NewTensor(info.DType, shape[0], shape[1], shape[2], shape[3]) // shape[:] would allocate
		} else {
			t, err = constant(info, shape[0], size)
		}
		if err != nil {
			return nil, err
		}
		f.inputs = append(f.inputs, t)
	}
	return f, nil
}

// constant returns the tensor of a second input. Models that scale boxes to the
// picture themselves have such inputs; they are told that the picture is the input,
// because this package scales boxes itself.
func constant(info common.TensorInfo, n int, size image.Point) (*common.Tensor, error) {
	w, h := float32(size.X), float32(size.Y)
	known := map[string][]float32{"orig_target_sizes": {w, h}, "im_shape": {h, w}, "scale_factor": {1, 1}}
	values := slices.Repeat(known[info.Name], n)
	if len(values) == 0 {
		return nil, fail(common.ErrModel, "the model has the further input %s, which is not known", describe(info))
	}
	t, err := common.NewTensor(info.DType, n, 2)
	if err != nil {
		return nil, err
	}
	if data, err := common.Data[int64](t); err == nil { // which Quantize does not take
		for i, v := range values {
			data[i] = int64(v)
		}
		return t, nil
	}
	return t, (*common.Quantization)(nil).Quantize(t, values)
}

// run fills the input with pictures and runs the model with a session of its pool. If the
// shape of an output is not that of the last Run, it runs again with new tensors.
func (f *frame) run(ctx context.Context, in *Input, imgs []image.Image, to toInput) (err error) {
	for i, img := range imgs {
		if f.backs[i], err = in.fill(f.inputs[f.at], f.signature.Inputs[f.at].Quant, i, img, to); err != nil {
			return err
		}
	}
	s, err := f.model.AcquireSession(ctx, f.signature.Name)
	if err != nil {
		return err
	}
	defer s.Close()
	for i, t := range f.inputs {
		if err := s.BindInput(i, t); err != nil {
			return err
		}
	}
	if err = f.runOutputs(ctx, s); errors.Is(err, common.ErrShape) {
		clear(f.outputs)
		err = f.runOutputs(ctx, s)
	}
	return err
}

func (f *frame) runOutputs(ctx context.Context, s *common.Session) error {
	for i, t := range f.outputs {
		if err := s.BindOutput(i, t); err != nil {
			return err
		}
	}
	err := s.Run(ctx)
	f.converted = resized(f.converted, len(f.outputs))
	for i := 0; i < len(f.outputs) && err == nil; i++ {
		f.outputs[i], f.converted[i] = s.Output(i), f.converted[i][:0]
	}
	return err
}

// of returns what the last Run has made of picture n.
func (f *frame) of(n int) Outputs { return Outputs{f.outputs, f.quants, n, f.size, f} }

// shape returns the shape of the input for n pictures, and their size.
func (in *Input) shape(info common.TensorInfo, n int) (shape [4]int, size image.Point, err error) {
	const most = 16 // pictures at a time, where the model takes any number
	if copy(shape[:], info.Shape); shape[0] < 1 {
		shape[0] = min(n, most)
	}
	c, y := in.layout(info.Shape).axes()
	if shape[c] < 0 {
		shape[c] = 3
	}
	w, h := in.Sides(info)
	size = image.Pt(cmp.Or(w, in.Size.X), cmp.Or(h, in.Size.Y))
	shape[y], shape[y+1] = size.Y, size.X
	if min(size.X, size.Y) < 1 {
		err = advise("set Input.Size", common.ErrModel, "the model takes pictures of any size, %s", describe(info))
	} else if cmp.Or(in.Size.X, size.X) != size.X || cmp.Or(in.Size.Y, size.Y) != size.Y {
		err = fail(common.ErrShape, "Input.Size is %v, but the model's input is %s", in.Size, describe(info))
	}
	return shape, size, err
}

// Tensor returns a new tensor with img for the input that info describes.
func (in *Input) Tensor(info common.TensorInfo, img image.Image) (*common.Tensor, error) {
	if len(info.Shape) != 4 {
		return nil, fail(common.ErrShape, "%s has not the four dimensions of an input for pictures", describe(info))
	}
	shape, _, err := in.shape(info, 1)
	if err != nil {
		return nil, err
	}
	t, err := common.NewTensor(info.DType, shape[:]...)
	if err == nil {
		_, err = in.Fill(t, info.Quant, 0, img)
	}
	return t, err
}

// layout returns the layout of an input with that shape.
func (in *Input) layout(s common.Shape) Layout {
	if in.Layout == AutoLayout && (s[3] == 3 || s[3] == 1) && s[1] != 3 && s[1] != 1 {
		return NHWC
	}
	return max(in.Layout, NCHW)
}

// axes returns which dimensions are the channels, and the rows before the columns.
func (l Layout) axes() (channels, rows int) {
	if l == NHWC {
		return 3, 1
	}
	return 1, 2
}

// describe lists tensors for an error.
func describe(infos ...common.TensorInfo) string {
	all := make([]string, len(infos))
	for i, info := range infos {
		all[i] = fmt.Sprintf("%q %v %v", info.Name, info.DType, info.Shape)
	}
	return strings.Join(all, ", ")
}

// fail returns an error of this package.
func fail(kind error, format string, args ...any) error { return advise("", kind, format, args...) }

// advise returns an error of this package with what a program can do.
func advise(hint string, kind error, format string, args ...any) error {
	return &common.Error{Op: "vision", Kind: kind, Message: fmt.Sprintf(format, args...), Hint: hint}
}
