// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/memlimit"
)

// session runs a model in a child. It implements common.DriverSession. A Run copies the inputs into memory that it shares
// with the child, and the outputs out of it. If the child has ended, the next Run makes the session anew in the next
// child, with the variables' initial values.
type session struct {
	slot      *slot
	signature common.Signature
	index     int
	limits    *Options

	in, out     []*common.Tensor // of the last Bind
	control     *shared
	controlFile *os.File
	number      uint32 // of the last Run
	reset       bool   // the next Run begins with the variables' initial values

	// Cancel, which is called while Run executes, uses these.
	running   atomic.Uint32 // the number of the Run that executes, or 0
	interrupt chan struct{} // has an element if Run is not to wait for a child
	moving    sync.Mutex    // held while what follows changes
	canceled  uint32        // the number of the last Run that was cancelled
	child     *process      // in which the session is, unless it has ended; or nil
	id        sessionID

	can     sessionResult
	bound   bool // in the child, with places for the shapes of in and out
	ran     bool // in the child, which so has a profile
	places  bindArgs
	shapes  []common.Shape // of the outputs, as far as Bind knows them
	tensors *shared
	results *shared      // outputs whose shape only Run knows, and strings
	shape   common.Shape // has room for the shape of any of them
}

// resettable is a session whose variables can be reset (common.Resetter).
type resettable struct{ session *session }

func (r *resettable) Bind(in, out []*common.Tensor) error { return r.session.Bind(in, out) }
func (r *resettable) Run(ctx context.Context) error       { return r.session.Run(ctx) }
func (r *resettable) Cancel()                             { r.session.Cancel() }
func (r *resettable) Close() error                        { return r.session.Close() }

func (r *resettable) Profile() ([]common.LayerTime, error) { return r.session.Profile() }

// Reset makes the next Run begin with the variables' initial values, without a call of its own.
func (r *resettable) Reset() error {
	r.session.reset = true
	return nil
}

// open makes the session in a child.
func (s *session) open(ctx context.Context) error {
	p, err := s.slot.get(ctx, s.interrupt)
	if err != nil && ctx.Err() == nil { // the child is not started again for a while
		for _, other := range s.slot.model.slots {
			if q := other.running(); q != nil {
				s.slot.add(-1)
				other.add(1)
				s.slot, p, err = other, q, nil
				break
			}
		}
	}
	if err != nil {
		return err
	}
	s.move(p)
	s.bound, s.reset = false, false
	h := s.control.header()
	h.request.Store(s.number - 1) // while Run makes the session anew, number is that of the Run
	h.reply.Store(s.number - 1)
	return p.call(context.Background(), s.limits.loadTime(), opSession, sessionArgs{s.id, s.index}, &s.can, s.controlFile)
}

// move makes p, or none, the child in which the session is.
func (s *session) move(p *process) {
	s.ran = false
	s.moving.Lock()
	defer s.moving.Unlock()
	if s.child != nil {
		s.child.mu.Lock()
		delete(s.child.sessions, s)
		s.child.mu.Unlock()
	}
	if s.child = p; p != nil {
		p.mu.Lock()
		p.nextID++
		s.id = p.nextID
		p.sessions[s] = true
		p.mu.Unlock()
	}
}

func (s *session) Bind(in, out []*common.Tensor) error {
	s.in, s.out = in, out
	if err := s.prepare(context.Background()); err != nil {
		return err
	}
	for i, shape := range s.shapes {
		if shape == nil {
			continue
		}
		var err error
		if out[i], err = common.EnsureTensor(out[i], s.signature.Outputs[i].DType, shape); err != nil {
			return err
		}
	}
	return nil
}

// prepare makes sure that the child's session has places for tensors of these shapes.
func (s *session) prepare(ctx context.Context) error {
	if s.child == nil || s.child.dead.Load() {
		if err := s.open(ctx); err != nil {
			s.move(nil)
			return err
		}
	}
	if s.bound {
		fits := true
		for i, t := range s.in {
			fits = fits && t.Is(s.signature.Inputs[i].DType, s.places.In[i].Shape)
		}
		if fits {
			return nil
		}
	}
	s.bound = false
	outputs := make([]common.Shape, len(s.signature.Outputs))
	for i, info := range s.signature.Outputs {
		if info.DType != common.String && !info.Shape.Dynamic() {
			outputs[i] = info.Shape
		}
	}
	// A second bind gives places to outputs whose shapes the first one finds out.
	for first := true; ; first = false {
		if err := s.bind(outputs); err != nil {
			return err
		}
		complete := true
		for i, shape := range s.shapes {
			if shape != nil && s.signature.Outputs[i].DType != common.String && !slices.Equal(shape, outputs[i]) {
				outputs[i], complete = shape, false
			}
		}
		if complete {
			break
		} else if !first { // allow has not seen these shapes
			return errAnswer
		}
	}
	s.bound = true
	return nil
}

// bind gives places to the inputs and to outputs of these shapes, and tells the child.
func (s *session) bind(outputs []common.Shape) (err error) {
	var l layout
	a := bindArgs{ID: s.id, In: make([]place, len(s.in)), Out: make([]place, len(outputs))}
	for i, t := range s.in {
		if t.DType() == common.String {
			a.In[i].Shape = t.Shape()
		} else if a.In[i], err = l.add(t.DType(), t.Shape()); err != nil {
			return &common.Error{Kind: common.ErrShape, Err: err}
		}
	}
	for i, shape := range outputs {
		if shape == nil {
			continue
		}
		if a.Out[i], err = l.add(s.signature.Outputs[i].DType, shape); err != nil {
			return &common.Error{Kind: common.ErrRun, Err: err}
		}
	}
	a.Size = max(l.size, 1)
	if err := s.limits.allow(a.Size); err != nil {
		return err
	}
	memory, file, err := newShared(a.Size)
	if err != nil {
		return err
	}
	defer file.Close()
	var shapes []common.Shape
	if err := s.call(opBind, a, &shapes, file); err != nil {
		memory.close()
		return err
	}
	s.tensors.close()
	s.tensors, s.places, s.shapes = memory, a, shapes
	if len(shapes) != len(outputs) {
		return errAnswer
	}
	for i, shape := range shapes {
		if shape != nil && (shape.Dynamic() || shape.Elems() < 0) {
			return errAnswer
		}
		if s.signature.Outputs[i].DType == common.String {
			shapes[i] = nil // Run makes the tensor
		}
	}
	return nil
}

var errAnswer = &common.Error{Kind: common.ErrRun, Message: "the engine's process has answered nonsense"}

// allow returns an error for tensors that need more memory than Options.Memory or, if that is not set, than a quarter of
// the machine's: the sizes are what a child says, which may run a stranger's code.
func (o *Options) allow(size int) error {
	if most := cmp.Or(o.Memory, int64(memlimit.Bytes()/4)); int64(size) > most {
		return &common.Error{Kind: common.ErrRun, Message: fmt.Sprintf("the tensors of a Run need %d bytes, of at most %d", size, most), Hint: "isolate.Options.Memory is the limit, else a quarter of the machine's memory"}
	}
	return nil
}

func (s *session) Run(ctx context.Context) error {
	select {
	case <-s.interrupt: // it was meant for an earlier Run
	default:
	}
	if s.number++; s.number == 0 {
		s.number = 1 // because 0 is no Run
	}
	s.running.Store(s.number)
	defer s.running.Store(0)
	if !s.bound || s.child == nil || s.child.dead.Load() {
		if err := s.prepare(ctx); err != nil {
			return err
		}
	}
	for i, t := range s.in {
		if t.DType() == common.String {
			if err := s.sendStrings(i); err != nil {
				return err
			}
		} else {
			copy(s.tensors.data[s.places.In[i].Offset:], t.Bytes())
		}
	}
	h := s.control.header()
	s.moving.Lock() // the child gets no cancellation of a Run before its request, which it would ignore
	canceled := s.canceled == s.number
	if !canceled {
		if h.reset = 0; s.reset {
			h.reset, s.reset = 1, false
		}
		h.request.Store(s.number)
	}
	s.moving.Unlock()
	if canceled {
		return &common.Error{Kind: common.ErrRun, Message: "it was cancelled before it began"}
	}
	wake(&h.request)
	s.wait(h)
	if h.reply.Load() != s.number {
		return s.child.crashed()
	}
	s.ran = true
	switch {
	case h.status == failed:
		return s.failure()
	case h.status == tooSmall:
		if err := s.enlarge(h.needed); err != nil {
			return err
		}
	}
	left := uint64(0) // of the memory of results: each byte belongs to one output
	if s.results != nil {
		left = uint64(len(s.results.data))
	}
	for i := range s.out {
		if err := s.read(i, &left); err != nil {
			return err
		}
	}
	return nil
}

// waitPeriod is how long a Run may miss the end of a child that has written to the control memory what wakeUp would write.
const waitPeriod = 100 * time.Millisecond

// wait waits until the Run has ended, or the child.
func (s *session) wait(h *header) {
	for {
		reply := h.reply.Load()
		if reply == s.number || s.child.dead.Load() {
			return
		}
		sleep(&h.reply, reply, waitPeriod)
	}
}

// wakeUp ends wait, because the child has ended.
func (s *session) wakeUp() {
	h := s.control.header()
	if number := h.request.Load(); h.reply.Load() != number {
		h.reply.Store(number + 1<<31) // no value that sleep can have got, unless the child lies
	}
	wake(&h.reply)
}

func (s *session) sendStrings(i int) error {
	values, err := common.Data[string](s.in[i])
	if err != nil {
		return err
	}
	a := stringsArgs{ID: s.id, Input: i, Values: make([][]byte, len(values))}
	for j, v := range values {
		a.Values[j] = []byte(v)
	}
	return s.call(opStrings, a, nil)
}

// failure returns the error of the last Run.
func (s *session) failure() error {
	if err := s.call(opFailure, memoryArgs{ID: s.id}, nil); err != nil {
		return err
	}
	return errAnswer
}

// call calls the session's child. It cannot be cancelled, as native code of this process could not be.
func (s *session) call(op string, args, result any, files ...*os.File) error {
	return s.child.call(context.Background(), s.limits.loadTime(), op, args, result, files...)
}

// enlarge gives the child memory for results, to which it writes those of the last Run.
func (s *session) enlarge(needed uint64) error {
	size := int(needed)
	if size < 0 || uint64(size) != needed {
		return errAnswer
	}
	size += size / 4 // for the next results
	if err := s.limits.allow(size); err != nil {
		return err
	}
	memory, file, err := newShared(size)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := s.call(opResults, memoryArgs{ID: s.id, Size: size}, nil, file); err != nil {
		memory.close()
		return err
	}
	s.results.close()
	s.results = memory
	return nil
}

// read copies output i out of shared memory, of which it takes what it needs from left.
func (s *session) read(i int, left *uint64) error {
	r := s.control.result(i)
	if r.unplaced == 0 {
		p, t := s.places.Out[i], s.out[i]
		if p.Shape == nil || !t.Is(s.signature.Outputs[i].DType, p.Shape) {
			return errAnswer
		}
		copy(t.Bytes(), s.tensors.data[p.Offset:])
		return nil
	}
	return s.readUnplaced(i, *r, left) // copied, because the child can change it at any time
}

func (s *session) readUnplaced(i int, r result, left *uint64) (err error) {
	if r.rank > maxRank || r.size > *left {
		return errAnswer
	}
	*left -= r.size
	var data []byte
	if s.results != nil {
		data = s.results.data
	}
	if r.offset > uint64(len(data)) || r.size > uint64(len(data))-r.offset {
		return errAnswer
	}
	shape := s.shape[:r.rank]
	for j := range shape {
		if shape[j] = int(r.dims[j]); shape[j] < 0 || int64(shape[j]) != r.dims[j] {
			return errAnswer
		}
	}
	info := s.signature.Outputs[i]
	n, each := shape.Elems(), uint64(info.DType.Size())
	if each == 0 {
		each = 4 // the length of a string
	}
	if n < 0 || uint64(n) > r.size/each {
		return errAnswer
	}
	if s.out[i], err = common.EnsureTensor(s.out[i], info.DType, shape); err != nil {
		return err
	}
	if err := decodeTensor(s.out[i], data[r.offset:][:r.size]); err != nil {
		return &common.Error{Kind: common.ErrRun, Err: err}
	}
	return nil
}

// Cancel asks the child to cancel the Run, and kills it if the Run has not ended in time.
func (s *session) Cancel() {
	s.moving.Lock()
	defer s.moving.Unlock()
	number, p := s.running.Load(), s.child
	select {
	case s.interrupt <- struct{}{}:
	default:
	}
	if number == 0 || p == nil || p.dead.Load() || s.canceled == number { // the child repeats it; the next child may get it
		return
	}
	s.canceled = number
	args := cancelArgs{s.id, number}
	grace := s.limits.grace()
	go func() {
		limited, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		p.conn.call(limited, opCancel, args, nil)
	}()
	time.AfterFunc(grace, func() {
		s.moving.Lock()
		defer s.moving.Unlock()
		if s.child == p && s.running.Load() == number {
			p.kill(fmt.Sprintf("it was killed, because a cancelled Run went on for %v", grace))
		}
	})
}

func (s *session) Profile() (times []common.LayerTime, err error) {
	if !s.ran {
		return nil, nil
	}
	err = s.call(opProfile, memoryArgs{ID: s.id}, &times)
	return times, err
}

func (s *session) Close() error {
	var err error
	if s.child != nil && !s.child.dead.Load() {
		if err = s.child.call(context.Background(), s.child.closing, opEnd, memoryArgs{ID: s.id}, nil); errors.Is(err, common.ErrCrashed) {
			err = nil
		}
	}
	s.move(nil)
	s.slot.add(-1)
	return errors.Join(err, s.control.close(), s.tensors.close(), s.results.close(), s.controlFile.Close())
}
