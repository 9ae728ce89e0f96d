// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// These are the values of ov_status_e that this package distinguishes.
const (
	statusOK         = 0
	generalError     = -1
	notImplemented   = -2
	requestBusy      = -8
	inferCancelled   = -13
	unknownException = -17
)

const maxErrorText = 600 // bytes

// fail returns an error of kind that this package has found.
func fail(op string, kind error, format string, args ...any) error {
	return &common.Error{Engine: engine, Op: op, Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// call calls the C function fn. If it fails, the error has that kind.
func (d *driver) call(op string, kind error, fn int, args ...dylib.Arg) error {
	return d.check(op, kind, d.lib.Call(fn, args...))
}

// check turns the result of a call into an error, or nil.
func (d *driver) check(op string, kind error, result uintptr) error {
	code := int32(result)
	if code == statusOK {
		return nil
	}
	if code == requestBusy {
		kind = common.ErrInUse
	}
	return &common.Error{Engine: engine, Op: op, Code: int(code), Message: d.errorText(code), Kind: kind}
}

// callString calls the C function fn, whose last parameter is a char** that the
// SDK sets, and returns that string.
func (d *driver) callString(op string, kind error, fn int, args ...dylib.Arg) (string, error) {
	str := new(uintptr)
	if err := d.call(op, kind, fn, append(args, dylib.Ptr(str))...); err != nil {
		return "", err
	}
	return d.copyString(*str), nil
}

// errorText returns the SDK's message for a failure. The SDK has one message for
// the whole process, so if two calls fail at the same moment, the text may belong
// to the other call. The code is always the call's own.
func (d *driver) errorText(code int32) string {
	switch code {
	case generalError, notImplemented, requestBusy, inferCancelled, unknownException:
		if text := shorten(d.copyString(d.lib.Call(fnGetLastErrMsg))); text != "" {
			return text
		}
	} // the SDK sets no message for the other codes
	return dylib.GoString(d.lib.Call(fnGetErrorInfo, dylib.Int(code)))
}

// copyString returns a copy of a string that the SDK allocated, and frees it.
func (d *driver) copyString(str uintptr) string {
	if str == 0 {
		return ""
	}
	defer d.lib.Call(fnFree, dylib.Int(str))
	return dylib.GoString(str)
}

var sourceLine = regexp.MustCompile(`^(Exception from .*:\d+:|Check '.*' failed at .*:\d+:)\s*`)

// shorten removes from an SDK's message the places in the SDK's own source.
func shorten(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = sourceLine.ReplaceAllString(strings.TrimSpace(line), ""); line != "" {
			lines = append(lines, line)
		}
	}
	short := strings.Join(lines, " ")
	if short == "" {
		short = strings.Join(strings.Fields(text), " ") // the text has only the place
	}
	if len(short) > maxErrorText {
		short = strings.ToValidUTF8(short[:maxErrorText], "") + "..."
	}
	return short
}
