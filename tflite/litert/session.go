// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// session runs one signature on one compiled model, which works in memory of
// the tensors: each Run hands it the buffers anew, and nothing is copied.
type session struct {
	*compiled
	sig          *signature
	plain        *compiled // with TFLite's own kernels, to prove shapes; or nil
	run, layouts dylib.Prepared
	profile      dylib.Prepared // starts the profiler
	profiler     uintptr        // or 0
	frame        *frame
	pin          runtime.Pinner // of what frame has: the calls are prepared with it
	shapes       []common.Shape // of the inputs, as the interpreter has them
	in           []binding
	out          []binding        // at each place of LiteRT's list
	inputs       []*common.Tensor // what Bind was given
	outputs      []*common.Tensor // what Bind was given to fill
	stale        bool             // Reset has made another compiled model
	late         bool             // only running tells the shape of an output
	sure         bool             // as a Run since Bind has shown, it does not
	dims         common.Shape     // kept so that Run need not allocate
}

// frame is what the calls of a Run read and write.
type frame struct {
	in, out []uintptr // LiteRtTensorBuffers
	layouts []layout  // of the outputs
}

// binding says in whose memory LiteRT works: a tensor's that Bind was given, or
// one's that the session has made, for an output whose shape only running tells.
type binding struct {
	lent *common.Tensor
	own  bool           // the session has made it
	pin  runtime.Pinner // of lent
}

func newSession(c *compiled, sig *signature) (_ *session, err error) {
	s := &session{
		compiled: c, sig: sig, late: sig.late, in: make([]binding, len(sig.Inputs)), out: make([]binding, len(sig.first)),
		frame: &frame{make([]uintptr, len(sig.Inputs)+1), make([]uintptr, len(sig.first)+1), newLayouts(len(sig.first) + 1)},
		dims:  make(common.Shape, 0, maxRank),
	}
	s.pin.Pin(&s.frame.in[0])
	s.pin.Pin(&s.frame.out[0])
	s.pin.Pin(&s.frame.layouts[0])
	if err := s.attach(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// attach prepares the calls of s.compiled.
func (s *session) attach() error {
	handle, index, ins, outs := dylib.Int(s.compiled.handle), dylib.Int(s.sig.index), dylib.Int(len(s.in)), dylib.Int(len(s.out))
	s.run = s.Prepare(compiledRun, handle, index, ins, dylib.Slice(s.frame.in), outs, dylib.Slice(s.frame.out))
	s.layouts = s.Prepare(compiledOutputLayouts, handle, index, outs, dylib.Slice(s.frame.layouts), dylib.Int(0))
	s.shapes = make([]common.Shape, len(s.in))
	for i := range s.in {
		var err error
		if s.shapes[i], err = s.inputShape(s.sig, i); err != nil {
			return err
		}
	}
	return s.prepareProfile()
}

func (s *session) Bind(in, out []*common.Tensor) (err error) {
	s.inputs, s.outputs, s.stale, s.sure = in, out, false, false
	if err := s.prove(in); err != nil {
		return err
	}
	shapes, err := s.fit(in)
	if err != nil {
		return err
	}
	for i, t := range in {
		if err := s.lend(&s.in[i], &s.frame.in[i], t); err != nil {
			return err
		}
	}
	if s.late { // the shapes are a guess
		for place, shape := range shapes {
			if err := s.room(place, shape.Elems()); err != nil {
				return err
			}
		}
		return s.probe()
	}
	for i, shape := range shapes {
		if out[i], err = common.EnsureTensor(out[i], s.sig.Outputs[i].DType, shape); err != nil {
			return err
		}
		if err := s.lend(&s.out[i], &s.frame.out[i], out[i]); err != nil {
			return err
		}
	}
	return nil
}

// fit resizes the inputs and returns the shapes of the outputs.
func (s *session) fit(in []*common.Tensor) (shapes []common.Shape, err error) {
	if s.fits(in) && s.hardware == cpu {
		return s.refit(s.sig, s.late)
	}
	if s.hardware != cpu {
		s.environment.alone.Lock()
		defer s.environment.alone.Unlock()
	}
	err = s.log.Capture(func() error {
		for i, t := range in {
			shape := t.Shape()
			if err := s.resize(s.sig, i, shape); err != nil {
				return err
			}
			s.shapes[i] = shape
		}
		shapes, err = s.refit(s.sig, s.late)
		return err
	})
	return shapes, err
}

// fits reports whether the inputs have these shapes.
func (s *session) fits(in []*common.Tensor) bool {
	for i, t := range in {
		if !t.Is(t.DType(), s.shapes[i]) {
			return false
		}
	}
	return true
}

// prove returns an error where the model cannot have inputs of these new
// shapes. XNNPACK takes more than it can run, and crashes; TFLite's own
// operators tell.
func (s *session) prove(in []*common.Tensor) (err error) {
	if s.fits(in) || s.hardware == cpu && s.native.Kernels != XNNPACK {
		return nil
	}
	if s.plain == nil {
		if s.plain, err = s.compile(cpu, Builtin); err != nil {
			return err
		}
	}
	for i, t := range in {
		if err := s.plain.resize(s.sig, i, t.Shape()); err != nil {
			return err
		}
	}
	_, err = s.plain.refit(s.sig, s.late)
	if !s.sig.Dynamic() { // they do not change again
		s.plain.close()
		s.plain = nil
	}
	return err
}

// room has LiteRT write what is at that place to memory for n elements at least.
func (s *session) room(place, n int) error {
	b := &s.out[place]
	switch first := s.sig.first[place]; {
	case first < 0:
		return s.lend(b, &s.frame.out[place], s.in[^first].lent)
	case first < place:
		return s.lend(b, &s.frame.out[place], s.out[first].lent)
	}
	if b.own && b.lent.Len() >= max(n, 1) {
		return nil
	}
	lent, err := common.NewTensor(s.dtype(place), max(n, 1))
	if err != nil {
		return err
	}
	if err := s.lend(b, &s.frame.out[place], lent); err != nil {
		return err
	}
	b.own = true
	return nil
}

// dtype is that of what is at a place.
func (s *session) dtype(place int) common.DType {
	return s.sig.Outputs[slices.Index(s.sig.places, place)].DType
}

// lend makes *handle a LiteRtTensorBuffer over t's memory. The interpreter does
// not look at what it was lent before: the next Run begins with this.
func (s *session) lend(b *binding, handle *uintptr, t *common.Tensor) error {
	if b.lent == t {
		return nil
	}
	memory, buffer := t.Bytes(), new(uintptr)
	if len(memory) == 0 { // which LiteRT wants an address for all the same
		memory = make([]byte, common.TensorAlign)[:0]
	}
	var pin runtime.Pinner
	pin.Pin(unsafe.SliceData(memory))
	r := s.Call(bufferCreate, dylib.Ptr(newTensorType(t)), dylib.Slice(memory), dylib.Int(len(memory)), dylib.Int(0), dylib.Ptr(buffer))
	if err := status(r, common.ErrModel, "LiteRtCreateTensorBufferFromHostMemory"); err != nil {
		pin.Unpin()
		return err
	}
	s.take(b, handle)
	b.lent, b.pin, *handle = t, pin, *buffer
	return nil
}

// take ends what lend began.
func (s *session) take(b *binding, handle *uintptr) {
	if *handle != 0 {
		s.Call(bufferDestroy, dylib.Int(*handle))
	}
	b.pin.Unpin()
	*b, *handle = binding{}, 0
}

// invoke is the call of a Run.
func (s *session) invoke() uintptr {
	if s.hardware != cpu {
		s.environment.alone.Lock()
		defer s.environment.alone.Unlock()
	}
	if s.profiler != 0 {
		s.profile.Do()
	}
	return s.run.Do()
}

// probe returns an error where an output cannot be lent memory, in a Run that
// is cancelled before it computes.
func (s *session) probe() error {
	s.canceled.Store(1)
	err := s.failed(s.invoke())
	if e, ok := err.(*common.Error); ok && e.Kind == common.ErrModel {
		return err
	}
	return nil
}

// failed is the error of a Run.
func (s *session) failed(result uintptr) error {
	err := s.fail(result, common.ErrRun, "LiteRtRunCompiledModel")
	if e, ok := err.(*common.Error); ok && strings.Contains(e.Message, "allocation_type == kTfLiteArenaRw") {
		e.Kind, e.Message = common.ErrModel, "LiteRT cannot hand out what an operator computes whose result's size depends on the data"
		e.Hint = elsewhere + ", or have another operator behind it make the output"
	}
	return err
}

func (s *session) Run(context.Context) error {
	if s.stale {
		if err := s.Bind(s.inputs, s.outputs); err != nil {
			return err
		}
	}
	if s.canceled.Load() != 0 {
		s.canceled.Store(0)
	}
	for r := s.invoke(); int32(r) != 0; r = s.invoke() {
		err := s.failed(r)
		if grown, growErr := s.grow(); !grown || growErr != nil {
			return err
		}
	}
	if s.late || !s.sure {
		return s.fetch()
	}
	return nil
}

// grow makes room where the last Run found an output larger than it could be.
// Where there are variables, it has changed them, and is not to be repeated.
func (s *session) grow() (grown bool, err error) {
	if s.stateful || s.canceled.Load() != 0 || int32(s.layouts.Do()) != 0 {
		return false, nil
	}
	for place := range s.out {
		n := s.frame.layouts[place].shape(s.dims).Elems()
		if s.sig.first[place] != place || n <= s.out[place].lent.Len() {
			continue
		}
		grown, s.late = true, true
		if err := s.room(place, 2*n); err != nil {
			return false, err
		}
	}
	if grown { // others may share what has moved
		for place := range s.out {
			if err := s.room(place, s.out[place].lent.Len()); err != nil {
				return false, err
			}
		}
	}
	return grown, nil
}

// fetch asks what shapes the outputs have come out with, and copies those that
// are not where the session has them.
func (s *session) fetch() (err error) {
	if r := s.layouts.Do(); int32(r) != 0 {
		return s.fail(r, common.ErrRun, "LiteRtGetCompiledModelOutputTensorLayouts")
	}
	s.sure = true
	for i, info := range s.sig.Outputs {
		place := s.sig.places[i]
		lent := s.out[place].lent
		shape := s.frame.layouts[place].shape(s.dims)
		if n := shape.Elems(); shape == nil || n < 0 || n > lent.Len() {
			return &common.Error{Kind: common.ErrRun, Message: fmt.Sprintf("output %q came back with the shape %v", info.Name, shape)}
		}
		if s.outputs[i] == lent && lent.Is(info.DType, shape) {
			continue
		}
		s.late = true
		if s.outputs[i], err = common.EnsureTensor(s.outputs[i], info.DType, shape); err != nil {
			return err
		}
		copy(s.outputs[i].Bytes(), lent.Bytes())
	}
	return nil
}

// Cancel makes Run stop before the next operator.
func (s *session) Cancel() { s.canceled.Store(1) }

// Reset puts variables back by starting with another interpreter; LiteRT has no
// other way, and no model that needs it often.
func (s *session) Reset() error {
	if !s.stateful {
		return nil
	}
	c, err := s.newCompiled()
	if err != nil {
		return err
	}
	old := s.compiled
	s.compiled = c
	if err := s.attach(); err != nil {
		s.compiled = old
		c.close()
		return errors.Join(err, s.attach())
	}
	s.stale = true
	old.close()
	return nil
}

func (s *session) Close() error {
	s.compiled.close()
	if s.plain != nil {
		s.plain.close()
	}
	for i := range s.in {
		s.take(&s.in[i], &s.frame.in[i])
	}
	for place := range s.out {
		s.take(&s.out[place], &s.frame.out[place])
	}
	s.pin.Unpin()
	return nil
}
