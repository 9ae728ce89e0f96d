// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// errorReporter receives the error texts of one model or interpreter. TFLite may call it from any thread. The text
// comes as a format with a va_list, which only C can read.
type errorReporter struct {
	id uintptr

	mu   sync.Mutex
	text []string
}

var errorReporters = struct {
	mu   sync.Mutex
	last uintptr
	byID map[uintptr]*errorReporter
}{byID: map[uintptr]*errorReporter{}}

var errorCallback = sync.OnceValue(func() uintptr { return dylib.Callback(onError) })

func newErrorReporter() *errorReporter {
	errorReporters.mu.Lock()
	defer errorReporters.mu.Unlock()
	errorReporters.last++
	r := &errorReporter{id: errorReporters.last}
	errorReporters.byID[r.id] = r
	return r
}

// close must come after the deletion of the model or interpreter that reports to r.
func (r *errorReporter) close() {
	errorReporters.mu.Lock()
	defer errorReporters.mu.Unlock()
	delete(errorReporters.byID, r.id)
}

// args returns the two arguments that pass r to a C function.
func (r *errorReporter) args() (callback, userData dylib.Arg) {
	return dylib.Int(errorCallback()), dylib.Int(r.id)
}

// onError is the C function void (*)(void* user_data, const char* format, va_list args) that TFLite calls.
func onError(userData, format, args uintptr) uintptr {
	text := dylib.Format(format, args)
	errorReporters.mu.Lock()
	r := errorReporters.byID[userData]
	errorReporters.mu.Unlock()
	if r != nil {
		r.add(text)
	}
	return 0
}

func (r *errorReporter) add(text string) {
	if text = strings.TrimSpace(text); text == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	const maxTexts = 8
	if r.text = append(r.text, text); len(r.text) > maxTexts {
		r.text = r.text[1:]
	}
}

// error returns an error of kind. Its message is the text reported since the last call, or fallback if there is none.
func (r *errorReporter) error(kind error, code int32, fallback string) *common.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.Join(r.text, "; ")
	r.text = nil
	if text == "" {
		text = fallback
	}
	return &common.Error{Kind: kind, Code: int(code), Message: text}
}
