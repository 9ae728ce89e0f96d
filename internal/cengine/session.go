// SPDX-License-Identifier: Apache-2.0

package cengine

import (
	"context"
	"runtime"
	"time"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// session is an anyinfer_session_t.
type session struct {
	*model
	handle    uintptr
	signature common.Signature
	run       dylib.Prepared
	reset     dylib.Prepared   // where the engine can
	failure   *errorBuffer     // of run, reset and results
	pin       runtime.Pinner   // of what prepared calls take, until Close
	outputs   []*common.Tensor // as Bind got them: Bind and Run fill them in
	results   []*result
	shapes    []shape // of the inputs, as the engine has them
	shaped    bool    // it has, and is bound
	outShapes []shape
	lent      []*runtime.Pinner // of memory: by the last good Bind, and by failed ones since
}

// result is an output whose shape only running may tell.
type result struct {
	late  bool // that is so, with the inputs bound
	call  dylib.Prepared
	shape shape   // filled in by call
	data  uintptr // filled in by call
	known shape   // of the tensor in outputs
	there bool    // it is
}

func (m *model) NewSession(_ context.Context, signature int) (common.DriverSession, error) {
	sig := m.signatures[signature]
	s := &session{
		model: m, signature: sig, failure: new(errorBuffer), results: make([]*result, len(sig.Outputs)),
		shapes: make([]shape, len(sig.Inputs)), outShapes: make([]shape, len(sig.Outputs)),
	}
	var err error
	if s.handle, err = m.create(fnSession, dylib.Int(m.handle), dylib.Int(signature)); err != nil {
		return nil, err
	}
	s.pin.Pin(s.failure)
	s.run = m.Prepare(fnRun, dylib.Int(s.handle), dylib.Ptr(s.failure))
	s.reset = m.Prepare(fnReset, dylib.Int(s.handle), dylib.Ptr(s.failure))
	for i := range s.results {
		r := new(result)
		s.pin.Pin(r)
		r.call = m.Prepare(fnResult, dylib.Int(s.handle), dylib.Int(i), dylib.Ptr(&r.shape), dylib.Ptr(&r.data), dylib.Ptr(s.failure))
		s.results[i] = r
	}
	if m.Has(fnCancel) {
		return cancelable{s}, nil
	}
	return s, nil
}

// cancelable is a session of an engine that can interrupt a run.
type cancelable struct{ *session }

func (s cancelable) Cancel() { s.Call(fnCancel, dylib.Int(s.handle)) }

func (s *session) Bind(in, out []*common.Tensor) (err error) {
	defer func() { s.shaped = err == nil }()
	s.outputs = out
	if err := s.reshape(in); err != nil {
		return err
	}
	pin := new(runtime.Pinner)
	s.lent = append(s.lent, pin)
	inputs, outputs := make([]*byte, len(in)), make([]*byte, len(out))
	for i, t := range in {
		if inputs[i], err = memory(t, pin); err != nil {
			return err
		}
	}
	for i, r := range s.results {
		shape, err := s.outShapes[i].toShape()
		if err != nil {
			return err
		}
		if r.late, r.there = shape.Dynamic(), false; r.late {
			continue
		}
		if err := s.ensure(i, shape); err != nil {
			return err
		}
		if outputs[i], err = memory(out[i], pin); err != nil {
			return err
		}
	}
	if err := s.do(fnBind, dylib.Int(s.handle), dylib.Slice(inputs), dylib.Slice(outputs)); err != nil {
		return err
	}
	for _, old := range s.lent[:len(s.lent)-1] {
		old.Unpin()
	}
	s.lent = []*runtime.Pinner{pin}
	return nil
}

// reshape tells the engine shapes that it does not have yet.
func (s *session) reshape(in []*common.Tensor) error {
	same := s.shaped
	for i, t := range in {
		var c shape
		if err := c.set(t.Shape()); err != nil {
			return err
		}
		same = same && c == s.shapes[i]
		s.shapes[i] = c
	}
	if same {
		return nil
	}
	return s.do(fnReshape, dylib.Int(s.handle), dylib.Slice(s.shapes), dylib.Slice(s.outShapes))
}

// ensure sees that there is a tensor of that shape for output i.
func (s *session) ensure(i int, shape common.Shape) (err error) {
	info := s.signature.Outputs[i]
	if shape.Dynamic() || !info.Shape.Accepts(shape) {
		return absurd(common.ErrRun, "the shape %v for output %q, which is %v", shape, info.Name, info.Shape)
	}
	s.outputs[i], err = common.EnsureTensor(s.outputs[i], info.DType, shape)
	return err
}

// memory returns the address of t's memory, pinned. A tensor without elements
// may have none that is padded as the ABI promises; another one's is used then.
func memory(t *common.Tensor, pin *runtime.Pinner) (_ *byte, err error) {
	if !t.Padded() {
		if t, err = common.NewTensor(t.DType(), t.Shape()...); err != nil {
			return nil, err
		}
	}
	p := unsafe.SliceData(t.Bytes())
	pin.Pin(p)
	return p, nil
}

func (s *session) Run(context.Context) error {
	if err := s.made(&s.run); err != nil {
		return err
	}
	for i, r := range s.results {
		if r.late {
			if err := s.fetch(i, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// made makes a prepared call that writes to failure.
func (s *session) made(call *dylib.Prepared) error {
	status := int32(call.Do())
	if status == 0 {
		return nil
	}
	err := s.failure.error(status)
	*s.failure = errorBuffer{}
	return err
}

// fetch copies an output whose shape this Run told.
func (s *session) fetch(i int, r *result) error {
	if err := s.made(&r.call); err != nil {
		return err
	}
	if !r.there || s.outputs[i] == nil || r.shape != r.known {
		shape, err := r.shape.toShape()
		if err != nil {
			return err
		}
		if err := s.ensure(i, shape); err != nil {
			return err
		}
		r.known, r.there = r.shape, true
	}
	bytes := s.outputs[i].Bytes()
	if len(bytes) > 0 && r.data == 0 {
		return absurd(common.ErrRun, "NULL as the data of output %q", s.signature.Outputs[i].Name)
	}
	dylib.CopyOut(bytes, r.data)
	return nil
}

// Reset comes only where the engine can: without, its models are stateless.
func (s *session) Reset() error { return s.made(&s.reset) }

// Profile lists the layers of the last Run.
func (s *session) Profile() (layers []common.LayerTime, err error) {
	if !s.Has(fnLayer) {
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no profile"}
	}
	err = s.each(0, 1<<20, statusName, func(i int) (int32, error) {
		c := new(layer)
		status, err := s.try(fnLayer, dylib.Int(s.handle), dylib.Int(i), dylib.Ptr(c))
		if err == nil {
			layers = append(layers, common.LayerTime{Name: text(c.name, &err), Type: text(c.typ, &err), Kernel: text(c.kernel, &err), Duration: time.Duration(c.micros) * time.Microsecond})
		}
		return status, err
	})
	return layers, err
}

// Close frees the session before the memory that it uses.
func (s *session) Close() error {
	s.Call(fnSessionClose, dylib.Int(s.handle))
	for _, p := range s.lent {
		p.Unpin()
	}
	s.pin.Unpin()
	return nil
}
