// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// watchPeriod is the time between two looks at the memory and the processor time of a child.
const watchPeriod = 50 * time.Millisecond

// watch kills the child when it exceeds a limit.
func (p *process) watch(o *Options) {
	if o.Memory == 0 && o.CPUTime == 0 {
		return
	}
	if o.Memory > 0 {
		// Stacks of threads count as a whole, though little of them is resident.
		const stack = 8 << 20
		data := uint64(o.Memory) + stack*uint64(2*runtime.NumCPU()+16)
		most := unix.Rlimit{Cur: data, Max: data}
		unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_DATA, &most, nil) // else its resident memory is watched
	}
	tick := time.NewTicker(watchPeriod)
	defer tick.Stop()
	began := map[any]time.Duration{} // the processor time at the beginning of each call
	for {
		select {
		case <-p.ended:
			return
		case <-tick.C:
		}
		if used := p.resident(); o.Memory > 0 && used > o.Memory {
			p.kill(fmt.Sprintf("it was killed, because it used %d bytes of memory, more than isolate.Options.Memory", used))
		}
		if o.CPUTime == 0 {
			continue
		}
		used, calls := p.processorTime(), p.calls()
		for call := range began {
			if !calls[call] {
				delete(began, call)
			}
		}
		for call := range calls {
			if begin, ok := began[call]; !ok {
				began[call] = used
			} else if used-begin > o.CPUTime {
				p.kill(fmt.Sprintf("it was killed, because a call used more processor time than isolate.Options.CPUTime, %v", o.CPUTime))
			}
		}
	}
}

// calls returns the Load and the Runs that execute.
func (p *process) calls() map[any]bool {
	type run struct {
		session *session
		number  uint32
	}
	calls := map[any]bool{}
	if p.loading.Load() {
		calls["load"] = true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.sessions {
		if number := s.running.Load(); number != 0 {
			calls[run{s, number}] = true
		}
	}
	return calls
}

// resident returns the size in bytes of the child's resident memory.
func (p *process) resident() int64 {
	var size, pages int64
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err == nil {
		fmt.Sscan(string(text), &size, &pages)
	}
	return pages * int64(os.Getpagesize())
}

// processorTime returns the time that all threads of the child have used.
func (p *process) processorTime() time.Duration {
	// The kernel's number of the clock of a process: its inverted id and CPUCLOCK_SCHED.
	const clockOfProcess = 2
	var t unix.Timespec
	if unix.ClockGettime(int32(^p.cmd.Process.Pid<<3|clockOfProcess), &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
