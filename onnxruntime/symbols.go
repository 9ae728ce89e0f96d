// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/anyinfer/anyinfer/internal/dylib"
)

const engine = "onnxruntime"

var spec = dylib.Spec{Engine: engine, Stem: engine, Sonames: sonames()}

// newestName is the last release whose name in Debian is tried: some years ahead.
const newestName = 40

// sonames returns the versioned file names of the library: the name in Microsoft's
// packages, and that in Debian's, which has the release.
func sonames() []string {
	if runtime.GOOS == "darwin" {
		return []string{"libonnxruntime.1.dylib"}
	}
	names := []string{"libonnxruntime.so.1"}
	for release := newestName; release >= oldest; release-- {
		names = append(names, fmt.Sprintf("libonnxruntime.so.1.%d", release))
	}
	return names
}

// fnGetAPIBase is the index in symbols of the one function that the library exports.
const fnGetAPIBase = 0

var symbols = []dylib.Decl{fnGetAPIBase: {C: "const OrtApiBase* OrtGetApiBase(void)"}}

// These are the indexes of the functions in the struct that OrtGetApiBase returns.
const (
	baseGetAPI = iota
	baseGetVersionString
	baseFunctions
)

const wordSize = unsafe.Sizeof(uintptr(0))
