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

// Stats are the counters that Model.Stats returns. InUse and Waiting are the
// present numbers; the others only grow.
type Stats struct {
	Runs         uint64        // runs that have ended, by Model.Run and acquired sessions
	Failures     uint64        // the number of Runs that returned an error
	RunDuration  time.Duration // time that all of Runs took together, without waiting
	InUse        int           // sessions that Model.Run uses or a caller has acquired
	Waiting      int           // calls that wait for a session
	WaitCount    uint64        // calls that have waited, whether they got a session or not
	WaitDuration time.Duration // time that all of WaitCount waited together
	Refused      uint64        // calls that returned ErrBusy
}

// pool has a model's sessions for Model.Run and AcquireSession. At most size
// sessions exist at a time, of all signatures together. Calls that find none free
// wait, and are served in the order in which they came.
type pool struct {
	size       int
	maxWaiting int
	slots      *semaphore.Weighted // has an entry for each session in use

	runs, failures atomic.Uint64
	runTime        atomic.Int64 // in nanoseconds

	mu       sync.Mutex
	sessions int        // the number of existing sessions
	idle     []*session // the last used session is last and is taken first: its memory is in the cache
	stats    Stats      // the fields that mu guards; snapshot adds the others
}

func newPool(o Options) *pool {
	n := max(o.Sessions, 1)
	return &pool{size: n, maxWaiting: o.MaxWaiting, slots: semaphore.NewWeighted(int64(n))}
}

// acquire returns a session for the exclusive use of the caller, until release.
// The caller has begun a call of m, so that m does not close meanwhile.
func (p *pool) acquire(ctx context.Context, m *model, signature int) (*session, error) {
	if !p.slots.TryAcquire(1) {
		if err := p.wait(ctx, m); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	p.stats.InUse++
	s, surplus := p.takeIdle(signature)
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
		p.release(nil)
		return nil, err
	}
	s.pool = p
	return s, nil
}

// takeIdle removes an idle session from the pool: one of that signature, or else,
// if the pool is full, one of another signature that the caller must close.
func (p *pool) takeIdle(signature int) (s, surplus *session) {
	for i := len(p.idle) - 1; i >= 0; i-- {
		if p.idle[i].signatureIndex == signature {
			return p.remove(i), nil
		}
	}
	if p.sessions >= p.size {
		p.sessions--
		return nil, p.remove(0) // a session is idle, because the caller has a slot and no session
	}
	return nil, nil
}

func (p *pool) remove(i int) *session {
	s := p.idle[i]
	p.idle = slices.Delete(p.idle, i, i+1)
	return s
}

// wait waits for a slot, until ctx ends or the model closes.
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

// release returns a session that acquire returned to the pool, or counts one as
// closed if s is nil.
func (p *pool) release(s *session) {
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

// record counts a Run that began at that time of clock.
func (p *pool) record(begin time.Duration, err error) {
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

// clock returns the time since the program started. It takes half the time of
// time.Now, which also reads the time of day.
func clock() time.Duration { return time.Since(programStart) }
