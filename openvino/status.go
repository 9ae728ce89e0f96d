// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// These are the values of ov_status_e that this package looks at.
const (
	statusOK         = 0
	generalError     = -1
	notImplemented   = -2
	requestBusy      = -8
	inferCancelled   = -13
	unknownException = -17
)

const maxErrorText = 600 // bytes

// fail is an error of that kind, found by this package.
func fail(op string, kind error, format string, args ...any) error {
	return &common.Error{Engine: engine, Op: op, Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// do calls function fn, whose failure is an error of that kind.
func (d *driver) do(op string, kind error, fn int, args ...dylib.Arg) error {
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

// text calls function fn, whose last argument becomes a string of the SDK's.
func (d *driver) text(op string, kind error, fn int, args ...dylib.Arg) (string, error) {
	str := new(uintptr)
	if err := d.do(op, kind, fn, append(args, dylib.Ptr(str))...); err != nil {
		return "", err
	}
	return d.take(*str), nil
}

// errorText is what the SDK has to say on a failure with code. The SDK keeps
// one message for the whole process, behind a lock of its own: where two calls
// fail at the same moment the text may be the other's. The code never is.
func (d *driver) errorText(code int32) string {
	switch code {
	case generalError, notImplemented, requestBusy, inferCancelled, unknownException:
		if text := shorten(d.take(d.lib.Call(fnGetLastErrMsg))); text != "" {
			return text
		}
	} // the other codes leave no message
	return dylib.GoString(d.lib.Call(fnGetErrorInfo, dylib.Int(code)))
}

// take copies a string that the SDK allocated and frees it.
func (d *driver) take(str uintptr) string {
	if str == 0 {
		return ""
	}
	defer d.lib.Call(fnFree, dylib.Int(str))
	return dylib.GoString(str)
}

var sourceLine = regexp.MustCompile(`^(Exception from .*:\d+:|Check '.*' failed at .*:\d+:)\s*`)

// shorten leaves out where in its sources the SDK noticed the failure.
func shorten(text string) string {
	var said []string
	for line := range strings.Lines(text) {
		if line = sourceLine.ReplaceAllString(strings.TrimSpace(line), ""); line != "" {
			said = append(said, line)
		}
	}
	short := strings.Join(said, " ")
	if short == "" {
		short = strings.Join(strings.Fields(text), " ") // a check without a word
	}
	if len(short) > maxErrorText {
		short = strings.ToValidUTF8(short[:maxErrorText], "") + "..."
	}
	return short
}
