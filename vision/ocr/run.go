// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// runner runs a model with tensors of earlier Runs, as far as they have the right shape. The
// zero runner is ready to use.
type runner struct{ frames sync.Pool }

// frame has the tensors and the memory of one Run.
type frame struct {
	model    *common.Model
	name     string            // of the signature
	info     common.TensorInfo // of the input
	results  common.TensorInfo // of the output
	channels int               // the dimension of colors
	height   int               // that of height, before that of width

	input, output *common.Tensor
	cutter        cutter
	borders       borders
}

// current returns the model that m is now, or nil.
func current(m vision.Model) *common.Model {
	if live, ok := m.(*common.LiveModel); ok && live != nil {
		return live.Model()
	}
	model, _ := m.(*common.Model)
	return model
}

// newFrame returns the frame of a model with an input for pictures, and a first output of
// that rank; 0: of any.
func newFrame(m vision.Model, in *vision.Input, rank int) (*frame, error) {
	model := current(m)
	var signatures []common.Signature
	if model != nil {
		signatures = model.Signatures()
	}
	if len(signatures) == 0 {
		return nil, fail(common.ErrModel, "there is no model; set Model to one that common.Load returned")
	}
	sig := signatures[0]
	if len(sig.Inputs) != 1 || len(sig.Inputs[0].Shape) != 4 || len(sig.Outputs) == 0 || rank > 0 && len(sig.Outputs[0].Shape) != rank {
		return nil, fail(common.ErrModel, "the model is not one of those: its inputs are %s and its outputs %s",
			describe(sig.Inputs), describe(sig.Outputs))
	}
	f := &frame{model: model, info: sig.Inputs[0], results: sig.Outputs[0], name: sig.Name, channels: 1, height: 2}
	color := func(d int) bool { return d == 1 || d == 3 }
	if s := f.info.Shape; in.Layout == vision.NHWC || in.Layout == vision.AutoLayout && color(s[3]) && !color(s[1]) {
		f.channels, f.height = 3, 1
	}
	return f, nil
}

// run runs a model on n pictures of the size that size returns for the input's own, where
// dimensions below 1 are dynamic; fill fills the input, and read reads the output.
func (r *runner) run(ctx context.Context, m vision.Model, in *vision.Input, n int, size func(width, height int) (int, int),
	fill, read func(f *frame) error) error {
	for {
		f, _ := r.frames.Get().(*frame)
		if f == nil || f.model != current(m) {
			var err error
			if f, err = newFrame(m, in, 0); err != nil {
				return err
			}
		}
		err := f.ensure(n, size)
		if err == nil {
			err = fill(f)
		}
		if err == nil {
			err = f.run(ctx)
		}
		if errors.Is(err, common.ErrClosed) && f.model != current(m) {
			continue // with the model that has replaced it
		}
		if err == nil {
			err = read(f)
		}
		r.frames.Put(f)
		return err
	}
}

// ensure makes the input, unless it has the right shape.
func (f *frame) ensure(n int, size func(width, height int) (int, int)) error {
	var shape [4]int
	copy(shape[:], f.info.Shape)
	if shape[0] < 1 {
		shape[0] = n
	}
	if shape[f.channels] < 1 {
		shape[f.channels] = 3
	}
	shape[f.height+1], shape[f.height] = size(shape[f.height+1], shape[f.height])
	if f.input.Is(f.info.DType, shape[:]) {
		return nil
	}
	var err error
	f.output = nil
	f.input, err = common.NewTensor(f.info.DType, shape[0], shape[1], shape[2], shape[3]) // shape[:] would allocate
	return err
}

// run runs the model with a session of its pool.
func (f *frame) run(ctx context.Context) error {
	s, err := f.model.AcquireSession(ctx, f.name)
	if err != nil {
		return err
	}
	defer s.Close()
	last := f.output
	if err = errors.Join(s.BindInput(0, f.input), s.BindOutput(0, last)); err == nil { // nil: a new one
		err = s.Run(ctx)
	}
	if f.output = s.Output(0); errors.Is(err, common.ErrShape) && f.output != nil && f.output != last {
		err = nil // the model has run, but the shape of the output is not that of the last one
	}
	return err
}

// outputs returns the output for vision's methods. If it has a number of dimensions other than
// rank, that is an error.
func (f *frame) outputs(rank int) (vision.Outputs, common.Shape, error) {
	shape := f.output.Shape()
	if len(shape) != rank {
		return vision.Outputs{}, nil, fail(common.ErrShape, "the output has the shape %v, not %d dimensions", shape, rank)
	}
	return vision.Outputs{Tensors: []*common.Tensor{f.output}, Quants: []*common.Quantization{f.results.Quant}}, shape, nil
}

// describe lists tensors for an error.
func describe(infos []common.TensorInfo) string {
	var all []string
	for _, info := range infos {
		all = append(all, fmt.Sprintf("%q %v %v", info.Name, info.DType, info.Shape))
	}
	return strings.Join(all, ", ")
}

// fail returns an error of this package.
func fail(kind error, format string, args ...any) error {
	return &common.Error{Op: "ocr", Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// resized returns a slice of n elements, in the memory of s if that is large enough.
func resized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }
