// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"errors"
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
	input   *common.Tensor
	outputs []*common.Tensor

	signature  common.Signature
	backs      []Affine    // of each picture in the batch
	candidates []Detection // for heads
}

// take returns a frame for m whose input has that shape.
func (r *runner) take(m *common.Model, shape common.Shape) (*frame, error) {
	r.mu.Lock()
	var f *frame
	for i, idle := range r.idle {
		if slices.Equal(idle.input.Shape(), shape) {
			f = idle
			r.idle = slices.Delete(r.idle, i, i+1)
			break
		}
	}
	r.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f = &frame{signature: m.Signatures()[0]}
	f.outputs = make([]*common.Tensor, len(f.signature.Outputs))
	var err error
	f.input, err = common.NewTensor(f.signature.Inputs[0].DType, shape...)
	return f, err
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

// run runs the model with a session of its pool. If the shape of an output has
// changed since the last Run, it runs again with new tensors.
func (f *frame) run(ctx context.Context, m *common.Model) error {
	s, err := m.AcquireSession(ctx, f.signature.Name)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.BindInput(0, f.input); err != nil {
		return err
	}
	for i, t := range f.outputs {
		if t != nil {
			if err := s.BindOutput(i, t); err != nil {
				return err
			}
		}
	}
	err = s.Run(ctx)
	if errors.Is(err, common.ErrShape) && ctx.Err() == nil {
		for i := range f.outputs {
			if err := s.BindOutput(i, nil); err != nil {
				return err
			}
		}
		err = s.Run(ctx)
	}
	if err != nil {
		return err
	}
	for i := range f.outputs {
		f.outputs[i] = s.Output(i)
	}
	return nil
}

// batch returns how many pictures one Run takes: the batch of the signature, or as
// many as there are, up to most, if it is dynamic.
func batch(info common.TensorInfo, pictures int) int {
	const most = 16
	if len(info.Shape) > 0 && info.Shape[0] > 0 {
		return info.Shape[0]
	}
	return min(pictures, most)
}

var _ = image.Point{}
