// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/anyinfer/anyinfer/common"
)

// childSession is a session of the child's model. One goroutine, on a thread of its own, runs it.
type childSession struct {
	driver    common.DriverSession
	child     *child
	signature int
	control   *shared

	mu      sync.Mutex // held by Run and by the calls that come between Runs
	tensors *shared
	results *shared
	in, out []*common.Tensor
	placed  []*common.Tensor // the outputs in shared memory; nil: the output has no place
	err     error            // of the last Run
	closed  bool
	done    chan struct{} // closed when the goroutine ends

	canceling sync.Mutex
	running   uint32 // the number of the Run that executes; 0: none
	ctx       context.Context
	stop      context.CancelFunc
}

func (c *child) newSession(a sessionArgs, files []*os.File) (r sessionResult, err error) {
	if len(files) != 1 || c.model == nil {
		return r, errors.New("a session needs a model and memory")
	}
	outputs := len(c.model.Signatures()[a.Signature].Outputs)
	control, err := mapShared(files[0], controlSize(outputs))
	if err != nil {
		return r, err
	}
	d, err := c.model.NewSession(context.Background(), a.Signature)
	if err != nil {
		control.close()
		return r, err
	}
	s := &childSession{driver: d, child: c, signature: a.Signature, control: control, done: make(chan struct{})}
	s.ctx, s.stop = context.WithCancel(context.Background())
	c.mu.Lock()
	c.sessions[a.ID] = s
	c.mu.Unlock()
	go s.serve(control.header().request.Load())
	_, r.Resets = d.(common.Resetter)
	return r, nil
}

// bind makes tensors at the places in new memory and binds them.
func (s *childSession) bind(a bindArgs, files []*os.File) ([]common.Shape, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(files) != 1 {
		return nil, errors.New("bind needs memory")
	}
	memory, err := mapShared(files[0], a.Size)
	if err != nil {
		return nil, err
	}
	signature := s.child.model.Signatures()[s.signature]
	in, placed := make([]*common.Tensor, len(a.In)), make([]*common.Tensor, len(a.Out))
	for i, info := range signature.Inputs {
		if info.DType == common.String {
			in[i], err = common.NewTensor(info.DType, a.In[i].Shape...)
		} else {
			in[i], err = common.TensorIn(memory.data[a.In[i].Offset:], info.DType, a.In[i].Shape...)
		}
		if err != nil {
			memory.close()
			return nil, err
		}
	}
	for i, info := range signature.Outputs {
		if a.Out[i].Shape != nil {
			if placed[i], err = common.TensorIn(memory.data[a.Out[i].Offset:], info.DType, a.Out[i].Shape...); err != nil {
				memory.close()
				return nil, err
			}
		}
	}
	out := slices.Clone(placed)
	err = s.driver.Bind(in, out)
	// The driver uses the new tensors only, or none.
	s.tensors.close()
	s.tensors, s.in, s.out, s.placed = memory, in, out, placed
	if err != nil {
		return nil, err
	}
	shapes := make([]common.Shape, len(out))
	for i, t := range out {
		if t != nil {
			shapes[i] = t.Shape()
		}
	}
	return shapes, nil
}

func (s *childSession) setStrings(a stringsArgs) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	values, err := common.Data[string](s.in[a.Input])
	if err != nil || len(values) != len(a.Values) {
		return nil, errors.New("not as many strings as the input has")
	}
	for i, v := range a.Values {
		values[i] = string(v)
	}
	return nil, nil
}

func (s *childSession) setResults(a memoryArgs, files []*os.File) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(files) != 1 {
		return errors.New("results need memory")
	}
	s.results.close()
	if s.results, err = mapShared(files[0], a.Size); err != nil {
		return err
	}
	if s.writeResults() != succeeded {
		return errors.New("the memory of the results is too small")
	}
	return nil
}

func (s *childSession) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *childSession) profile() ([]common.LayerTime, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.driver.(common.Profiler)
	if !ok {
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no profile"}
	}
	return p.Profile()
}

// close ends the goroutine and closes the session.
func (s *childSession) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	word := &s.control.header().request
	word.Add(1)
	wake(word)
	<-s.done
	s.canceling.Lock() // cancel uses the control memory
	defer s.canceling.Unlock()
	s.stop()
	err := s.driver.Close()
	for _, m := range []*shared{s.control, s.tensors, s.results} {
		m.close()
	}
	return err
}

// serve runs the model whenever the program has written another number than last into request.
func (s *childSession) serve(last uint32) {
	runtime.LockOSThread()
	defer close(s.done)
	h := s.control.header()
	for {
		request := h.request.Load()
		if request == last {
			sleep(&h.request, last, time.Hour)
			continue
		}
		last = request
		if !s.run(h, last) {
			return
		}
		h.reply.Store(last)
		wake(&h.reply)
	}
}

// run runs the model once. It returns false if the session is closed.
func (s *childSession) run(h *header, number uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.err = nil
	if r, ok := s.driver.(common.Resetter); ok && h.reset != 0 {
		s.err = r.Reset()
	}
	s.setRunning(number) // not before, because a driver is not cancelled while it resets
	if s.err == nil {
		s.err = s.driver.Run(s.ctx)
	}
	s.setRunning(0)
	if h.status = failed; s.err == nil {
		h.status = s.writeResults()
	}
	return true
}

// writeResults copies outputs that are in no place to the memory of results.
func (s *childSession) writeResults() uint32 {
	var l layout
	places := make([]int, 0, 8)
	for i, t := range s.out {
		places = append(places, l.size)
		if t == s.placed[i] && t != nil {
			continue
		}
		if len(t.Shape()) > maxRank {
			s.err = &common.Error{Kind: common.ErrRun, Err: errRank}
			return failed
		}
		l.size = (l.size + encodedSize(t) + common.TensorAlign - 1) &^ (common.TensorAlign - 1)
	}
	h := s.control.header()
	if h.needed = uint64(l.size); s.results == nil && l.size > 0 || s.results != nil && l.size > len(s.results.data) {
		return tooSmall
	}
	for i, t := range s.out {
		r := s.control.result(i)
		if r.unplaced = 0; t == s.placed[i] && t != nil {
			continue
		}
		r.unplaced, r.offset, r.size = 1, uint64(places[i]), uint64(encodedSize(t))
		shape := t.Shape()
		r.rank = uint32(len(shape))
		for j, d := range shape {
			r.dims[j] = int64(d)
		}
		if r.size > 0 {
			encode(s.results.data[places[i]:], t)
		}
	}
	return succeeded
}

func (s *childSession) setRunning(number uint32) {
	s.canceling.Lock()
	defer s.canceling.Unlock()
	if s.running = number; number == 0 && s.ctx.Err() != nil {
		s.ctx, s.stop = context.WithCancel(context.Background())
	}
}

// cancel cancels the Run of that number until it has ended. It is repeated, because an SDK ignores a cancel that comes
// before its own work has begun.
func (s *childSession) cancel(a cancelArgs) (any, error) {
	for s.cancelOnce(a.Run) {
		time.Sleep(5 * time.Millisecond)
	}
	return nil, nil
}

// cancelOnce reports whether the Run has not ended.
func (s *childSession) cancelOnce(number uint32) bool {
	s.canceling.Lock()
	defer s.canceling.Unlock()
	if s.control.data == nil {
		return false
	}
	if s.running == number {
		s.stop()
		if c, ok := s.driver.(common.Canceler); ok {
			c.Cancel()
		}
	}
	h := s.control.header()
	return h.request.Load() == number && h.reply.Load() != number
}
