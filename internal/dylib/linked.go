// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
)

// linked has the functions of the engines whose library is linked.
var linked = map[string][]uintptr{}

// Link sets the functions of an engine whose library is linked into the program,
// in the order of its table, for Open; nil for one that the library lacks. The init
// functions that `go generate` writes call it, under the engine's build tag.
func Link(engine string, functions []unsafe.Pointer) {
	if !callable {
		return // Open returns the error
	}
	addrs := make([]uintptr, len(functions))
	for i, f := range functions {
		addrs[i] = uintptr(f)
	}
	linked[engine] = addrs
}

// openLinked is Open for a linked library.
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
