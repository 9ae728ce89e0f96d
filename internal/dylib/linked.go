// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
)

// linked has the functions of engines whose library the linker bound.
var linked = map[string][]uintptr{}

// Link gives Open the functions of an engine whose library is linked into the
// program, in the order of its table; nil for one that the library lacks. The
// init functions that `go generate` writes call it, under the engine's tag.
func Link(engine string, functions []unsafe.Pointer) {
	if !callable {
		return // Open says so
	}
	addrs := make([]uintptr, len(functions))
	for i, f := range functions {
		addrs[i] = uintptr(f)
	}
	linked[engine] = addrs
}

// openLinked is Open where the linker has found the library already.
func openLinked(engine string, addrs []uintptr, explicit string) (*Library, error) {
	if explicit != "" {
		return nil, &common.Error{
			Engine: engine, Op: "open", Path: explicit, Kind: common.ErrOption,
			Message: "Config.Library is set, but this program has its library linked in",
			Hint:    "leave Config.Library empty, or build without -tags " + engine,
		}
	}
	return &Library{Path: "linked", addrs: addrs}, nil
}
