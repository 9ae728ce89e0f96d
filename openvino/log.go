// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"sync"
	"sync/atomic"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

// The SDK has one log for the whole process, so the engine that was opened last
// gets all of it.
var (
	receiver atomic.Pointer[nativelog.Log]
	onLog    = sync.OnceValue(func() uintptr {
		return dylib.Callback(func(message uintptr) uintptr { // void (*)(const char* message)
			receiver.Load().Line(dylib.GoString(message))
			return 0
		})
	})
	listening sync.Map // the libraries whose callback is onLog: setting it again is not safe
)

// listen makes the SDK log to d's Logger.
func (d *driver) listen() {
	receiver.Store(&d.log)
	if _, already := listening.LoadOrStore(d.lib.Path, true); !already && d.lib.Has(fnSetLogCallback) {
		d.lib.Call(fnSetLogCallback, dylib.Int(onLog()))
	}
}
