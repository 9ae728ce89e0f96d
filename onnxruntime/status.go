// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// These are values of OrtErrorCode.
const (
	codeNotImplemented = 9
	codeProviderFailed = 11
	codeLoadCanceled   = 12
)

// fail returns an error of kind that this package has found.
func fail(kind error, format string, args ...any) error {
	return &common.Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// needs returns the error for something that needs release 1.x.
func (d *driver) needs(release int, what string) error {
	return &common.Error{
		Kind: common.ErrVersion, Message: fmt.Sprintf("%s needs ONNX Runtime 1.%d; the library is version %s", what, release, d.info.Version),
		Hint: "anyinfer sdk install onnxruntime",
	}
}

// call calls a function that returns an OrtStatus. If it fails, the error has that
// kind.
func (d *driver) call(kind error, fn int, args ...dylib.Arg) error {
	return d.check(kind, d.api.Call(fn, args...))
}

// get is call for a function whose last parameter is a pointer to the result.
func (d *driver) get(kind error, fn int, args ...dylib.Arg) (uintptr, error) {
	result := new(uintptr)
	err := d.call(kind, fn, append(args, dylib.Ptr(result))...)
	return *result, err
}

// text is get for a string, which it copies and frees.
func (d *driver) text(kind error, fn int, args ...dylib.Arg) (string, error) {
	str, err := d.get(kind, fn, append(args, dylib.Int(d.allocator))...)
	if err != nil || str == 0 {
		return "", err
	}
	defer d.api.Call(fnAllocatorFree, dylib.Int(d.allocator), dylib.Int(str))
	return dylib.GoString(str), nil
}

// free calls a function that releases an object, unless there is none.
func (d *driver) free(fn int, object uintptr) {
	if object != 0 {
		d.api.Call(fn, dylib.Int(object))
	}
}

// check turns an OrtStatus into an error, or nil, and releases it.
func (d *driver) check(kind error, status uintptr) error {
	if status == 0 {
		return nil
	}
	defer d.free(fnReleaseStatus, status)
	code := int32(d.api.Call(fnGetErrorCode, dylib.Int(status)))
	if code == codeProviderFailed {
		kind = common.ErrDevice
	}
	return &common.Error{Kind: kind, Code: int(code), Message: shorten(d.message(status))}
}

// message returns the text of an OrtStatus.
func (d *driver) message(status uintptr) string {
	return dylib.GoString(d.api.Call(fnGetErrorMessage, dylib.Int(status)))
}

const maxErrorText = 600 // bytes

// sourcePlace matches a place in ONNX Runtime's own source, with the function.
var sourcePlace = regexp.MustCompile(`\S*/onnxruntime/\S+:\d+ (\S.*?\) ?(const )?)?|\b\w+\.(cc|h):\d+ \w+ `)

// shorten removes from a message the places in ONNX Runtime's source, and the stack.
func shorten(text string) string {
	text, _, _ = strings.Cut(text, "\nStacktrace:")
	text = strings.Join(strings.Fields(sourcePlace.ReplaceAllString(text, "")), " ")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "..."
	}
	return text
}
