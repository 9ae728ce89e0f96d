// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"fmt"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// profiledEvent is a ProfiledEventData.
type profiledEvent struct {
	tag       uintptr
	kind      int32 // LiteRtProfilerEventType
	_         int32
	_         uint64    // start time
	elapsed   uint64    // microseconds
	_         [6]uint64 // memory use before and after
	metadata1 uint64
	_         uint64   // metadata2
	_         [2]int32 // source
}

// These are values of LiteRtProfilerEventType.
const operatorEvent, delegateEvent, delegatedOperatorEvent = 2, 4, 8

// prepareProfile prepares, with Options.Profile, the call that begins each Run: it starts the profiler and drops the
// previous Run's times.
func (s *session) prepareProfile() error {
	if !s.compiled.model.options.Profile {
		return nil
	}
	profiler := new(uintptr)
	r := s.lib.Call(compiledProfiler, dylib.Int(s.compiled.handle), dylib.Ptr(profiler))
	s.profiler, s.startProfile = *profiler, s.lib.Prepare(profilerStart, dylib.Int(*profiler))
	return status(r, common.ErrOption, "LiteRtCompiledModelGetProfiler")
}

// Profile returns the operators that the last Run has executed, in order. Operators that a delegate took have the
// delegate's names.
func (s *session) Profile() ([]common.LayerTime, error) {
	if s.profiler == 0 {
		return nil, tfl.Errorf(common.ErrOption, "the model was loaded without Options.Profile: set it")
	}
	n := new(int32)
	r := s.lib.Call(profilerCount, dylib.Int(s.profiler), dylib.Ptr(n))
	if err := status(r, common.ErrRun, "LiteRtGetNumProfilerEvents"); err != nil || *n <= 0 {
		return nil, err
	}
	const maxEvents = 1 << 20 // a sanity limit; LiteRT keeps half as many
	events := make([]profiledEvent, min(*n, maxEvents))
	r = s.lib.Call(profilerEvents, dylib.Int(s.profiler), dylib.Int(len(events)), dylib.Slice(events))
	if err := status(r, common.ErrRun, "LiteRtGetProfilerEvents"); err != nil {
		return nil, err
	}
	var layers []common.LayerTime
	for _, e := range events {
		layer := common.LayerTime{Type: dylib.GoString(e.tag), Duration: time.Duration(e.elapsed) * time.Microsecond}
		switch e.kind {
		case operatorEvent:
			layer.Name = fmt.Sprint("operator ", e.metadata1)
		case delegateEvent, delegatedOperatorEvent:
			layer.Kernel = "delegate"
		default: // LiteRT's own work
			continue
		}
		layers = append(layers, layer)
	}
	return layers, nil
}
