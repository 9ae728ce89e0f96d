// SPDX-License-Identifier: Apache-2.0

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

// runner runs a model on tensors that it uses again, so that a picture allocates
// nothing but its results. The zero runner is ready to use.
type runner struct {
	mu        sync.Mutex
	model     *common.Model
	signature common.Signature // of model, which clones it for each caller
	idle      []*frame
}

// frame has the tensors and the memory of one Run.
type frame struct {
	signature  common.Signature
	input      *common.Tensor // of the pictures
	quant      *common.Quantization
	inputs     []*common.Tensor
	outputs    []*common.Tensor // of the last Run: the next one writes to them if it can
	quants     []*common.Quantization
	size       image.Point // of the pictures in input
	backs      []Affine    // for each picture of the batch: from points of the input to its own
	candidates []Detection // for heads
	plane      plane       // for maps of places
	converted  [][]float32 // for each output: its numbers after the last Run, once a head has read them
}

// firstSignature returns the signature of a model that a task runs.
func firstSignature(m *common.Model) (common.Signature, error) {
	if all := m.Signatures(); len(all) > 0 {
		return all[0], nil
	}
	return common.Signature{}, fail(common.ErrModel, "there is no model; set Model to one that common.Load returned")
}

// pictureInput returns the index of the input for pictures, or -1.
func pictureInput(sig common.Signature) int {
	return slices.IndexFunc(sig.Inputs, func(i common.TensorInfo) bool { return len(i.Shape) == 4 })
}

// run runs a model on pictures, as many at a time as its batch has, and calls read for each
// of them with its number in the frame. Of each picture the input shows what Input says, or
// where to maps its points, unless to is nil.
func (r *runner) run(ctx context.Context, m *common.Model, in *Input, imgs []image.Image, to func(size image.Point) (Affine, error), read func(f *frame, n int, img image.Image) error) error {
	for len(imgs) > 0 {
		f, err := r.take(m, in, len(imgs))
		if err != nil {
			return err
		}
		some := imgs[:min(len(imgs), len(f.backs))]
		imgs = imgs[len(some):]
		for i := 0; i < len(some) && err == nil; i++ {
			var a Affine
			if to == nil {
				f.backs[i], err = in.Fill(f.input, f.quant, i, some[i])
			} else if a, err = to(f.size); err == nil {
				err = in.FillWarped(f.input, f.quant, i, some[i], a)
			}
		}
		if err == nil {
			err = f.run(ctx, m)
		}
		for i := 0; i < len(some) && err == nil; i++ {
			err = read(f, i, some[i])
		}
		r.give(f)
		if err != nil {
			return err
		}
	}
	return nil
}

// picture runs a model on one picture, and calls read with what one of its outputs has.
func (r *runner) picture(ctx context.Context, m *common.Model, in *Input, img image.Image, to func(image.Point) (Affine, error), output int, read func(f *frame, a array) error) error {
	return r.run(ctx, m, in, []image.Image{img}, to, func(f *frame, n int, _ image.Image) error {
		a, err := f.of(n).all(output)
		if err != nil {
			return err
		}
		return read(f, a)
	})
}

// take returns a frame for n pictures, or for as many as the batch of the model has.
func (r *runner) take(m *common.Model, in *Input, n int) (*frame, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m == nil || m != r.model {
		sig, err := firstSignature(m)
		if err != nil {
			return nil, err
		}
		r.model, r.signature, r.idle = m, sig, nil
	}
	sig := r.signature
	at := pictureInput(sig)
	if at < 0 {
		return nil, fail(common.ErrModel, "the model has no input of four dimensions for pictures; its inputs are %s", describe(sig.Inputs...))
	}
	dtype, quant := sig.Inputs[at].DType, sig.Inputs[at].Quant
	shape, size, err := in.shape(sig.Inputs[at], n)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(r.idle, func(f *frame) bool { return f.input.Is(dtype, shape[:]) }); i >= 0 {
		f := r.idle[i]
		r.idle = slices.Delete(r.idle, i, i+1)
		return f, nil
	}
	f := &frame{
		signature: sig, size: size, quant: quant, backs: make([]Affine, shape[0]),
		inputs: make([]*common.Tensor, len(sig.Inputs)), outputs: make([]*common.Tensor, len(sig.Outputs)),
	}
	if f.input, err = common.NewTensor(dtype, shape[0], shape[1], shape[2], shape[3]); err != nil { // shape[:] would allocate
		return nil, err
	}
	for i, info := range sig.Inputs {
		if f.inputs[i] = f.input; i != at {
			if f.inputs[i], err = constant(info, shape[0], size); err != nil {
				return nil, err
			}
		}
	}
	for _, info := range sig.Outputs {
		f.quants = append(f.quants, info.Quant)
	}
	return f, nil
}

// constant returns the tensor of a second input. Models that scale boxes to the
// picture themselves have such inputs; they are told that the picture is the input,
// because this package scales boxes itself.
func constant(info common.TensorInfo, n int, size image.Point) (*common.Tensor, error) {
	w, h := float32(size.X), float32(size.Y)
	values := slices.Repeat(map[string][]float32{"orig_target_sizes": {w, h}, "im_shape": {h, w}, "scale_factor": {1, 1}}[info.Name], n)
	if len(values) == 0 {
		return nil, fail(common.ErrModel, "the model has the further input %s, which this package does not know", describe(info))
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

// give returns a frame for later pictures. The last few are kept, because a program may
// use many shapes once.
func (r *runner) give(f *frame) {
	const most = 8
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.idle) == most {
		r.idle = slices.Delete(r.idle, 0, 1)
	}
	r.idle = append(r.idle, f)
}

// run runs the model with a session of its pool. If the shape of an output is not
// that of the last Run, it runs again with new tensors.
func (f *frame) run(ctx context.Context, m *common.Model) error {
	s, err := m.AcquireSession(ctx, f.signature.Name)
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
	copy(shape[:], info.Shape)
	const most = 16 // pictures at a time, where the model takes any number
	if shape[0] < 1 {
		shape[0] = min(n, most)
	}
	c, y := 1, 2
	if in.layout(info.Shape) == NHWC {
		c, y = 3, 1
	}
	if shape[c] < 0 {
		shape[c] = 3
	}
	size = image.Pt(cmp.Or(max(shape[y+1], 0), in.Size.X), cmp.Or(max(shape[y], 0), in.Size.Y))
	switch {
	case min(size.X, size.Y) < 1:
		return shape, size, fail(common.ErrModel, "the model takes pictures of any size, %s; set Input.Size", describe(info))
	case cmp.Or(in.Size.X, size.X) != size.X || cmp.Or(in.Size.Y, size.Y) != size.Y:
		return shape, size, fail(common.ErrShape, "Input.Size is %v, but the model's input is %s", in.Size, describe(info))
	}
	shape[y], shape[y+1] = size.Y, size.X
	return shape, size, nil
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

// describe lists tensors for an error.
func describe(infos ...common.TensorInfo) string {
	all := make([]string, len(infos))
	for i, info := range infos {
		all[i] = fmt.Sprintf("%q %v %v", info.Name, info.DType, info.Shape)
	}
	return strings.Join(all, ", ")
}

// fail returns an error of this package.
func fail(kind error, format string, args ...any) error {
	return &common.Error{Op: "vision", Kind: kind, Message: fmt.Sprintf(format, args...)}
}
