// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"fmt"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// profiledEvent is a ProfiledEventData.
type profiledEvent struct {
	tag       uintptr
	kind      int32 // LiteRtProfilerEventType
	_         int32
	_         uint64    // when it began
	elapsed   uint64    // microseconds
	_         [6]uint64 // memory before and after
	metadata1 uint64
	_         uint64   // metadata2
	_         [2]int32 // source
}

const operatorEvent, delegateEvent, delegatedOperatorEvent = 2, 4, 8

// prepareProfile prepares the call that has the next Run collect times and forgets
// those of the last, where that is wanted.
func (s *session) prepareProfile() error {
	if !s.compiled.model.options.Profile {
		return nil
	}
	profiler := new(uintptr)
	r := s.lib.Call(compiledProfiler, dylib.Int(s.compiled.handle), dylib.Ptr(profiler))
	s.profiler, s.startProfile = *profiler, s.lib.Prepare(profilerStart, dylib.Int(*profiler))
	return status(r, common.ErrOption, "LiteRtCompiledModelGetProfiler")
}

// Profile lists the operators that the last Run has computed, in its order.
// Those that a delegate took bear its names.
func (s *session) Profile() ([]common.LayerTime, error) {
	if s.profiler == 0 {
		return nil, &common.Error{Kind: common.ErrOption, Message: "the model was loaded without Options.Profile"}
	}
	n := new(int32)
	err := status(s.lib.Call(profilerCount, dylib.Int(s.profiler), dylib.Ptr(n)), common.ErrRun, "LiteRtGetNumProfilerEvents")
	if err != nil || *n <= 0 {
		return nil, err
	}
	const maxEvents = 1 << 20 // LiteRT keeps half of it
	events := make([]profiledEvent, min(*n, maxCount))
	if err := status(s.lib.Call(profilerEvents, dylib.Int(s.profiler), dylib.Int(len(events)), dylib.Slice(events)), common.ErrRun, "LiteRtGetProfilerEvents"); err != nil {
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
		default: // of LiteRT's own work
			continue
		}
		layers = append(layers, layer)
	}
	return layers, nil
}
