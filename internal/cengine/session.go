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
	run       dylib.Prepared // the fields that Run reads come first, in one cache line
	dynamic   bool           // a result is dynamic
	model     *model
	handle    uintptr
	signature common.Signature
	reset     dylib.Prepared // if the engine has fnReset
	failure   *errorBuffer   // to which run, reset and results write
	pin       runtime.Pinner // of the arguments of prepared calls, until Close
	outputs   []*common.Tensor
	results   []*result // one for each output
	inShapes  []shape   // the engine's, if bound
	outShapes []shape
	bound     bool
	pins      []*runtime.Pinner // of tensors: of the last successful Bind, and of failed ones since
}

// result reads an output whose shape is known only after a run.
type result struct {
	dynamic bool // the bound inputs do not determine the shape
	call    dylib.Prepared
	shape   shape   // filled in by call
	data    uintptr // filled in by call
	last    shape   // the shape of the tensor in outputs, if fits is set
	fits    bool
}

func (m *model) NewSession(_ context.Context, signature int) (common.DriverSession, error) {
	sig, lib := m.signatures[signature], m.driver.lib
	s := &session{
		model: m, signature: sig, failure: new(errorBuffer), results: make([]*result, len(sig.Outputs)),
		inShapes: make([]shape, len(sig.Inputs)), outShapes: make([]shape, len(sig.Outputs)),
	}
	var err error
	if s.handle, err = m.driver.create(fnSession, dylib.Int(m.handle), dylib.Int(signature)); err != nil {
		return nil, err
	}
	s.pin.Pin(s.failure)
	s.run = lib.Prepare(fnRun, dylib.Int(s.handle), dylib.Ptr(s.failure))
	s.reset = lib.Prepare(fnReset, dylib.Int(s.handle), dylib.Ptr(s.failure))
	for i := range s.results {
		r := new(result)
		s.pin.Pin(r)
		r.call = lib.Prepare(fnResult, dylib.Int(s.handle), dylib.Int(i), dylib.Ptr(&r.shape), dylib.Ptr(&r.data), dylib.Ptr(s.failure))
		s.results[i] = r
	}
	if lib.Has(fnCancel) {
		return cancelable{session: s}, nil
	}
	return s, nil
}

// cancelable is a session of an engine that can interrupt a run. Sessions of other
// engines must not be Cancelers, because package common watches the contexts of
// Cancelers.
type cancelable struct{ session *session }

func (c cancelable) Bind(in, out []*common.Tensor) error  { return c.session.Bind(in, out) }
func (c cancelable) Run(ctx context.Context) error        { return c.session.Run(ctx) }
func (c cancelable) Reset() error                         { return c.session.Reset() }
func (c cancelable) Profile() ([]common.LayerTime, error) { return c.session.Profile() }
func (c cancelable) Close() error                         { return c.session.Close() }
func (c cancelable) Cancel()                              { c.session.model.driver.lib.Call(fnCancel, dylib.Int(c.session.handle)) }

func (s *session) Bind(in, out []*common.Tensor) (err error) {
	defer func() { s.bound = err == nil }()
	s.outputs = out
	if err := s.reshape(in); err != nil {
		return err
	}
	pin := new(runtime.Pinner)
	s.pins = append(s.pins, pin)
	inputs, outputs := make([]*byte, len(in)), make([]*byte, len(out))
	for i, t := range in {
		if inputs[i], err = memory(t, pin); err != nil {
			return err
		}
	}
	s.dynamic = false
	for i, r := range s.results {
		shape, err := s.outShapes[i].toShape()
		if err != nil {
			return err
		}
		if r.dynamic, r.fits = shape.Dynamic(), false; r.dynamic {
			s.dynamic = true
			continue
		}
		if err := s.ensureOutput(i, shape); err != nil {
			return err
		}
		if outputs[i], err = memory(out[i], pin); err != nil {
			return err
		}
	}
	if err := s.model.driver.call(fnBind, dylib.Int(s.handle), dylib.Slice(inputs), dylib.Slice(outputs)); err != nil {
		return err
	}
	for _, old := range s.pins[:len(s.pins)-1] {
		old.Unpin()
	}
	s.pins = []*runtime.Pinner{pin}
	return nil
}

// reshape passes the inputs' shapes to the engine, unless it has them.
func (s *session) reshape(in []*common.Tensor) error {
	same := s.bound
	for i, t := range in {
		var c shape
		if err := c.set(t.Shape()); err != nil {
			return err
		}
		same = same && c == s.inShapes[i]
		s.inShapes[i] = c
	}
	if same {
		return nil
	}
	return s.model.driver.call(fnReshape, dylib.Int(s.handle), dylib.Slice(s.inShapes), dylib.Slice(s.outShapes))
}

// ensureOutput makes outputs[i] a tensor of that shape. It keeps a tensor that
// already has the shape.
func (s *session) ensureOutput(i int, shape common.Shape) (err error) {
	info := s.signature.Outputs[i]
	if shape.Dynamic() || !info.Shape.Accepts(shape) {
		return errBadReturn(common.ErrRun, "the shape %v for output %q, which is %v", shape, info.Name, info.Shape)
	}
	s.outputs[i], err = common.EnsureTensor(s.outputs[i], info.DType, shape)
	return err
}

// memory pins t's memory and returns its address. A tensor without elements may
// have no memory; then it uses a new tensor, because the ABI promises padding.
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
	if err := s.callPrepared(&s.run); err != nil || !s.dynamic {
		return err
	}
	for i, r := range s.results {
		if r.dynamic {
			if err := s.readResult(i, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// callPrepared makes a call that writes to failure.
func (s *session) callPrepared(call *dylib.Prepared) error {
	status := int32(call.Do())
	if status == 0 {
		return nil
	}
	err := s.failure.error(status)
	*s.failure = errorBuffer{}
	return err
}

// readResult copies output i, whose shape is known since the last run.
func (s *session) readResult(i int, r *result) error {
	if err := s.callPrepared(&r.call); err != nil {
		return err
	}
	if !r.fits || s.outputs[i] == nil || r.shape != r.last {
		shape, err := r.shape.toShape()
		if err != nil {
			return err
		}
		if err := s.ensureOutput(i, shape); err != nil {
			return err
		}
		r.last, r.fits = r.shape, true
	}
	bytes := s.outputs[i].Bytes()
	if len(bytes) > 0 && r.data == 0 {
		return errBadReturn(common.ErrRun, "no data for output %q", s.signature.Outputs[i].Name)
	}
	dylib.CopyOut(bytes, r.data)
	return nil
}

// Reset is called only if the engine has fnReset: models of other engines are
// Stateless.
func (s *session) Reset() error { return s.callPrepared(&s.reset) }

// Profile returns the times of the layers in the last Run.
func (s *session) Profile() (layers []common.LayerTime, err error) {
	d := s.model.driver
	if !d.lib.Has(fnLayer) {
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no profile"}
	}
	err = forEachIndex("layers", 0, 1<<20, statusName, func(i int) (int32, error) {
		c := new(layer)
		status, err := d.callStatus(fnLayer, dylib.Int(s.handle), dylib.Int(i), dylib.Ptr(c))
		if err == nil {
			layers = append(layers, common.LayerTime{
				Name: text(c.name, &err), Type: text(c.typ, &err), Kernel: text(c.kernel, &err), Duration: time.Duration(c.micros) * time.Microsecond,
			})
		}
		return status, err
	})
	return layers, err
}

// Close frees the session before the memory that it uses.
func (s *session) Close() error {
	s.model.driver.lib.Call(fnSessionClose, dylib.Int(s.handle))
	for _, p := range s.pins {
		p.Unpin()
	}
	s.pin.Unpin()
	return nil
}
