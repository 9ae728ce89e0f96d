// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// report receives the error texts of one model or interpreter. TFLite may
// call from any thread, and with a va_list, which only C can read.
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

// close comes after what errorReporters to r was deleted.
func (r *errorReporter) close() {
	errorReporters.mu.Lock()
	defer errorReporters.mu.Unlock()
	delete(errorReporters.byID, r.id)
}

// args are the two arguments by which C knows r.
func (r *errorReporter) args() (callback, userData dylib.Arg) {
	return dylib.Int(errorCallback()), dylib.Int(r.id)
}

// onError is the error reporter: void (*)(void* user_data, const char* format, va_list args).
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
	if r.text = append(r.text, text); len(r.text) > 8 {
		r.text = r.text[1:]
	}
}

// error is an error of that kind with what was reported since the last one.
func (r *errorReporter) error(kind error, code int32, otherwise string) *common.Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.Join(r.text, "; ")
	r.text = nil
	if text == "" {
		text = otherwise
	}
	return &common.Error{Kind: kind, Code: int(code), Message: text}
}
