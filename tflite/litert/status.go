// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"regexp"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// statuses are the texts of LiteRtStatus, as LiteRT does not export its function for them.
var statuses = map[int32]string{
	1: "invalid argument", 2: "out of memory", 3: "runtime failure", 4: "missing input tensor", 5: "not supported",
	6: "not found", 7: "timeout", 8: "wrong version", 9: "unknown error", 10: "already exists", 100: "cancelled",
	500: "file error", 501: "damaged model", 502: "a library cannot be loaded", 503: "serialization failed",
	compilationFailed: "compilation failed",
	1000:              "index out of bounds", 1001: "wrong type", 1002: "invalid graph", 1003: "graph modification failed",
	4000: "runtime version not supported", 4001: "compiler version not supported", 4002: "byte code version not supported",
	5000: "an operator's shape cannot be inferred", 5001: "shape inference failed",
}

const compilationFailed = 504

// status returns nil for kLiteRtStatusOk, else an error of kind.
func status(result uintptr, kind error, call string) error {
	code := int32(result)
	if code == 0 {
		return nil
	}
	text := statuses[code]
	if text == "" {
		text = "failed"
	}
	return &common.Error{Kind: kind, Code: int(code), Message: call + ": " + text}
}

// fail is status with the interpreter's error text as message.
func (c *compiled) fail(result uintptr, kind error, call string) error {
	err := status(result, kind, call)
	if err == nil {
		return nil
	}
	if text := c.reported(); text != "" {
		err.(*common.Error).Message = text
	}
	return err
}

// reported returns, and clears, the text that the interpreter has reported.
func (c *compiled) reported() string {
	if !c.lib.Has(free) {
		c.lib.Call(compiledClearErrors, dylib.Int(c.handle))
		return ""
	}
	text := new(uintptr)
	if r := c.lib.Call(compiledErrors, dylib.Int(c.handle), dylib.Ptr(text)); int32(r) != 0 {
		return ""
	}
	defer c.lib.Call(free, dylib.Int(*text))
	return joinLines(strings.Split(dylib.GoString(*text), "\n"))
}

// linePrefix matches the beginning of a line, with the level and the source location. LiteRT writes the first form, its
// accelerators the second.
var linePrefix = regexp.MustCompile(`^(?:([EWIV])[A-Z]+: (?:\[[\w./-]+:\d+\] )?|([EWI])\d{4} [\d:. ]+[\w./-]+:\d+\] )`)

const maxErrorText = 600 // bytes

// joinLines joins the lines of an error to one message, without prefixes and repetitions.
func joinLines(lines []string) string {
	var texts []string
	for _, line := range lines {
		if line = strings.TrimSpace(linePrefix.ReplaceAllString(line, "")); line != "" && !slices.Contains(texts, line) {
			texts = append(texts, line)
		}
	}
	text := strings.Join(texts, "; ")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "..."
	}
	return text
}

// withStderr replaces the message of err, an error of Load, with the reason. LiteRT prints it only to stderr, and only
// while an environment with level errorsOnly exists, so retry must repeat the failed call. With Config.KeepStderr the
// reason stays on stderr.
func (d *driver) withStderr(err error, retry func()) error {
	e, ok := err.(*common.Error)
	if !ok || e.Code == 0 {
		return err
	}
	texts := map[string][]string{} // by level
	level := ""
	d.log.CaptureLines(func(line string) {
		d.log.Debug(line)
		if m := linePrefix.FindStringSubmatch(line); m != nil {
			level = m[1] + m[2]
		} // else the line continues the one before
		texts[level] = append(texts[level], line)
	}, func() {
		printing, err := d.newEnvironment(errorsOnly, cpu)
		retry()
		quiet, quietErr := d.newEnvironment(silent, cpu) // the last environment made sets the level for all
		if err == nil {
			d.lib.Call(environmentDestroy, dylib.Int(printing))
		}
		if quietErr == nil {
			d.lib.Call(environmentDestroy, dylib.Int(quiet))
		}
	})
	for _, level := range []string{"W", "E"} {
		if text := joinLines(texts[level]); text != "" {
			e.Message = text
		}
	}
	return e
}
