// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"sync"

	"github.com/anyinfer/anyinfer/common"
)

// runner runs a model on tensors that it uses again, so that a picture allocates
// nothing but its results. The zero runner is ready to use.
type runner struct {
	mu   sync.Mutex
	idle []*frame
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
}

// pictureInput returns the index of the input for pictures, or -1.
func pictureInput(sig common.Signature) int {
	return slices.IndexFunc(sig.Inputs, func(i common.TensorInfo) bool { return len(i.Shape) == 4 })
}

// take returns a frame for n pictures, or for as many as the batch of the model has.
func (r *runner) take(m *common.Model, in *Input, n int) (*frame, error) {
	sig := m.Signatures()[0]
	at := pictureInput(sig)
	if at < 0 {
		return nil, fail(common.ErrModel, "the model has no input of four dimensions for pictures; its inputs are %s", describe(sig.Inputs))
	}
	shape, size, err := in.shape(sig.Inputs[at], n)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	for i, f := range r.idle {
		if slices.Equal(f.input.Shape(), shape) {
			r.idle = slices.Delete(r.idle, i, i+1)
			r.mu.Unlock()
			return f, nil
		}
	}
	r.mu.Unlock()
	f := &frame{
		signature: sig, size: size, quant: sig.Inputs[at].Quant, backs: make([]Affine, shape[0]),
		inputs: make([]*common.Tensor, len(sig.Inputs)), outputs: make([]*common.Tensor, len(sig.Outputs)),
	}
	if f.input, err = common.NewTensor(sig.Inputs[at].DType, shape...); err != nil {
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
	values := map[string][]float32{
		"orig_target_sizes": {float32(size.X), float32(size.Y)},
		"im_shape":          {float32(size.Y), float32(size.X)},
		"scale_factor":      {1, 1},
	}[info.Name]
	if values == nil {
		return nil, fail(common.ErrModel, "the model has the further input %s, which this package does not know", describe([]common.TensorInfo{info}))
	}
	switch info.DType {
	case common.Int64:
		return repeat[int64](values, n)
	case common.Int32:
		return repeat[int32](values, n)
	case common.Float32:
		return repeat[float32](values, n)
	}
	return nil, fail(common.ErrModel, "the input %s has an unexpected type", describe([]common.TensorInfo{info}))
}

// repeat returns a tensor of n rows of values.
func repeat[T int32 | int64 | float32](values []float32, n int) (*common.Tensor, error) {
	var all []T
	for range n {
		for _, v := range values {
			all = append(all, T(v))
		}
	}
	return common.FromSlice(all, n, len(values))
}

// give returns a frame for later pictures. Few are kept, because a program may use
// many shapes once.
func (r *runner) give(f *frame) {
	const most = 8
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.idle) < most {
		r.idle = append(r.idle, f)
	}
}

// fill writes the pictures to the input.
func (f *frame) fill(in *Input, imgs []image.Image) (err error) {
	for i, img := range imgs {
		if f.backs[i], err = in.Fill(f.input, f.quant, i, img); err != nil {
			return err
		}
	}
	return nil
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
	if err := f.bindOutputs(s); err != nil {
		return err
	}
	err = s.Run(ctx)
	if errors.Is(err, common.ErrShape) && ctx.Err() == nil {
		clear(f.outputs)
		if err = f.bindOutputs(s); err == nil {
			err = s.Run(ctx)
		}
	}
	if err != nil {
		return err
	}
	for i := range f.outputs {
		f.outputs[i] = s.Output(i)
	}
	return nil
}

func (f *frame) bindOutputs(s *common.Session) error {
	for i, t := range f.outputs {
		if err := s.BindOutput(i, t); err != nil {
			return err
		}
	}
	return nil
}

// of returns what the last Run has made of picture n.
func (f *frame) of(n int) Outputs { return Outputs{f.outputs, f.quants, n, f.size} }

// shape returns the shape of the input for n pictures, and their size.
func (in *Input) shape(info common.TensorInfo, n int) (common.Shape, image.Point, error) {
	shape := slices.Clone(info.Shape)
	const most = 16 // pictures at a time, where the model takes any number
	if shape[0] < 0 {
		shape[0] = min(n, most)
	}
	c, y := 1, 2
	if in.layout(info.Shape) == NHWC {
		c, y = 3, 1
	}
	x := y + 1
	if shape[c] < 0 {
		shape[c] = 3
	}
	for _, d := range []struct{ at, want int }{{y, in.Size.Y}, {x, in.Size.X}} {
		switch {
		case shape[d.at] < 0 && d.want > 0:
			shape[d.at] = d.want
		case shape[d.at] < 0:
			return nil, image.Point{}, fail(common.ErrModel, "the model takes pictures of any size, %s; set Input.Size", describe([]common.TensorInfo{info}))
		case d.want > 0 && d.want != shape[d.at]:
			return nil, image.Point{}, fail(common.ErrShape, "Input.Size is %v, but the model's input is %s", in.Size, describe([]common.TensorInfo{info}))
		}
	}
	return shape, image.Pt(shape[x], shape[y]), nil
}

// Tensor returns a new tensor with img for the input that info describes.
func (in *Input) Tensor(info common.TensorInfo, img image.Image) (*common.Tensor, error) {
	if len(info.Shape) != 4 {
		return nil, fail(common.ErrShape, "%s has not the four dimensions of an input for pictures", describe([]common.TensorInfo{info}))
	}
	shape, _, err := in.shape(info, 1)
	if err != nil {
		return nil, err
	}
	t, err := common.NewTensor(info.DType, shape...)
	if err == nil {
		_, err = in.Fill(t, info.Quant, 0, img)
	}
	return t, err
}

// InputOf returns the Input of a task that New has made.
func InputOf(task any) Input {
	switch t := task.(type) {
	case *Detector:
		return t.Input
	case *Classifier:
		return t.Input
	case *Embedder:
		return t.Input
	case *Segmenter:
		return t.Input
	case *Matter:
		return t.Input
	}
	return Input{}
}

// layout returns the layout of an input with that shape.
func (in *Input) layout(s common.Shape) Layout {
	if in.Layout != AutoLayout {
		return in.Layout
	}
	if len(s) == 4 && (s[3] == 3 || s[3] == 1) && s[1] != 3 && s[1] != 1 {
		return NHWC
	}
	return NCHW
}

// describe lists tensors for an error.
func describe(infos []common.TensorInfo) string {
	text := ""
	for i, info := range infos {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%q %v %v", info.Name, info.DType, info.Shape)
	}
	return text
}

// fail returns an error of this package.
func fail(kind error, format string, args ...any) error {
	return &common.Error{Op: "vision", Kind: kind, Message: fmt.Sprintf(format, args...)}
}
