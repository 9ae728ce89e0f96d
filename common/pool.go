// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// Stats are what Model.Stats reports. All but InUse and Waiting only grow.
type Stats struct {
	Runs         uint64        // that have ended, of Model.Run and of acquired sessions
	Failures     uint64        // of these, those that returned an error
	RunDuration  time.Duration // of all of these together
	InUse        int           // sessions that Model.Run uses or a caller has acquired
	Waiting      int           // calls that wait for a session
	WaitCount    uint64        // calls that had to wait, whether they got one or not
	WaitDuration time.Duration // for which these waited
	Refused      uint64        // calls that got ErrBusy
}

// pool hands out a model's sessions: at most size of them, of all signatures
// together, exist at a time. Calls that find none wait, first come, first served.
type pool struct {
	size       int
	maxWaiting int
	slots      *semaphore.Weighted // has an entry for each session in use

	runs, failures atomic.Uint64
	runTime        atomic.Int64 // in nanoseconds

	mu       sync.Mutex
	sessions int        // that exist
	idle     []*session // the one used last is last: it is the warmest
	stats    Stats      // what mu guards of it
}

func newPool(o Options) *pool {
	n := max(o.Sessions, 1)
	return &pool{size: n, maxWaiting: o.MaxWaiting, slots: semaphore.NewWeighted(int64(n))}
}

// take returns a session for the exclusive use of the caller, until give. m
// does not close meanwhile, or its context ends.
func (p *pool) take(ctx context.Context, m *model, signature int) (*session, error) {
	if !p.slots.TryAcquire(1) {
		if err := p.wait(ctx, m); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	p.stats.InUse++
	s, surplus := p.pick(signature)
	if s == nil {
		p.sessions++
	}
	p.mu.Unlock()
	if surplus != nil {
		surplus.close()
	}
	if s != nil {
		return s, nil
	}
	s, err := m.newSession(ctx, signature)
	if err != nil {
		p.give(nil)
		return nil, err
	}
	s.pool = p
	return s, nil
}

// pick takes an idle session out: one of that signature or, where the pool is
// full, a surplus one of another.
func (p *pool) pick(signature int) (s, surplus *session) {
	for i := len(p.idle) - 1; i >= 0; i-- {
		if p.idle[i].signatureIndex == signature {
			return p.remove(i), nil
		}
	}
	if p.sessions >= p.size {
		p.sessions--
		return nil, p.remove(0) // one is idle: the caller has a slot and no session
	}
	return nil, nil
}

func (p *pool) remove(i int) *session {
	s := p.idle[i]
	p.idle = slices.Delete(p.idle, i, i+1)
	return s
}

// wait acquires a slot when one is free.
func (p *pool) wait(ctx context.Context, m *model) error {
	p.mu.Lock()
	if p.maxWaiting < 0 || p.maxWaiting > 0 && p.stats.Waiting >= p.maxWaiting {
		p.stats.Refused++
		p.mu.Unlock()
		return &Error{Kind: ErrBusy, Message: "all sessions are in use", Hint: "try again later, or load with more Options.Sessions or MaxWaiting"}
	}
	p.stats.Waiting++
	p.stats.WaitCount++
	p.mu.Unlock()
	start := time.Now()
	either, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	err := p.slots.Acquire(either, 1)
	p.mu.Lock()
	p.stats.Waiting--
	p.stats.WaitDuration += time.Since(start)
	p.mu.Unlock()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return &Error{Kind: ErrClosed}
}

// give takes back a session that take returned, or nil in place of one that is
// closed.
func (p *pool) give(s *session) {
	p.mu.Lock()
	p.stats.InUse--
	if s == nil {
		p.sessions--
	} else {
		p.idle = append(p.idle, s)
	}
	p.mu.Unlock()
	p.slots.Release(1)
}

// drain waits until no session is in use.
func (p *pool) drain(ctx context.Context) error {
	if err := p.slots.Acquire(ctx, int64(p.size)); err != nil {
		return err
	}
	p.slots.Release(int64(p.size))
	return nil
}

// ran counts a Run that began then.
func (p *pool) ran(begin time.Duration, err error) {
	p.runs.Add(1)
	p.runTime.Add(int64(clock() - begin))
	if err != nil {
		p.failures.Add(1)
	}
}

func (p *pool) snapshot() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Runs, s.Failures, s.RunDuration = p.runs.Load(), p.failures.Load(), time.Duration(p.runTime.Load())
	return s
}

var programStart = time.Now()

// clock is the time since the program began. It costs half of time.Now, which
// also asks for the time of day.
func clock() time.Duration { return time.Since(programStart) }
