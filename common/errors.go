// SPDX-License-Identifier: Apache-2.0

package common

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// The kinds of errors. Test for one with errors.Is; *Error has the details.
var (
	ErrNotAvailable = errors.New("engine not available")           // no library found, or none for this system
	ErrVersion      = errors.New("library version not usable")     // too old, or without a function that is needed
	ErrClosed       = errors.New("already closed")                 // the Engine, Model or Session
	ErrInUse        = errors.New("session in use")                 // by another goroutine
	ErrBusy         = errors.New("too many calls are waiting")     // more than Options.MaxWaiting; HTTP 429
	ErrModel        = errors.New("model not usable")               // missing, damaged, or not for this engine
	ErrDevice       = errors.New("device not usable")              // unknown, absent or failing
	ErrOption       = errors.New("option not usable")              // not supported by this engine, or out of range
	ErrRun          = errors.New("run failed")                     // the engine reports a failure on valid input
	ErrCrashed      = errors.New("the engine's process has ended") // of an engine in a process of its own: package isolate
	ErrInput        = errors.New("input not usable")               // nil or empty tensors, and the four below; HTTP 400
	ErrShape        = error(&inputKind{"shape does not fit"})      // also wraps ErrInput if it is about an input
	ErrDType        = error(&inputKind{"dtype does not fit"})      // likewise
	ErrName         = error(&inputKind{"no such name"})            // likewise
	ErrCount        = error(&inputKind{"wrong number of tensors"}) // likewise
)

// errNoDevice is the kind of an unknown device's name. It wraps ErrDevice, and
// ErrOption because another engine may have the device.
var errNoDevice = error(noDeviceKind{})

type noDeviceKind struct{}

func (noDeviceKind) Error() string        { return "no such device" }
func (noDeviceKind) Is(target error) bool { return target == ErrDevice || target == ErrOption }

type inputKind struct{ text string }

func (k *inputKind) Error() string        { return k.text }
func (k *inputKind) Is(target error) bool { return target == ErrInput }

// Error is the type of all errors of this module except a context's. Only Kind is
// always set.
type Error struct {
	Engine   string   // "openvino"
	Op       string   // "open", "load", "bind", "run", ...
	Path     string   // the file concerned
	Kind     error    // one of the Err variables
	Message  string   // what happened, if possible in the engine's own words
	Hint     string   // what to do next
	Code     int      // the engine's status code; 0: none
	Searched []string // the places that were searched for a library, and what was found
	Err      error    // the cause, such as fs.ErrNotExist; or nil
}

// Error returns the text in one line, or in several if places were searched.
func (e *Error) Error() string { return e.text("\n  tried ", "\n  fix: ") }

// LogValue returns the text in one line, for package log/slog.
func (e *Error) LogValue() slog.Value {
	return slog.StringValue(strings.Join(strings.Fields(e.text("; tried ", "; ")), " "))
}

// text returns the error's text, with tried before each place that was searched
// and with hint before the Hint that follows the places.
func (e *Error) text(tried, hint string) string {
	var b strings.Builder
	for _, s := range []string{e.Engine, strings.TrimSpace(e.Op + " " + e.Path)} {
		if s != "" {
			b.WriteString(s + ": ")
		}
	}
	if e.Kind != nil {
		b.WriteString(e.Kind.Error())
	}
	if e.Message != "" {
		b.WriteString(": " + strings.TrimSpace(e.Message))
	}
	if e.Err != nil && !strings.Contains(e.Message, e.Err.Error()) {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Code != 0 {
		fmt.Fprintf(&b, " (code %d)", e.Code)
	}
	for _, s := range e.Searched {
		b.WriteString(tried + s)
	}
	switch {
	case e.Hint == "":
	case e.Searched != nil:
		b.WriteString(hint + e.Hint)
	default:
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Is reports whether target is the error's Kind, or one that the Kind wraps.
func (e *Error) Is(target error) bool { return errors.Is(e.Kind, target) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// inputError returns an *Error about input that package common refused.
func inputError(kind error, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// misuse returns an *Error about a mistake of the program. It wraps kind but not
// ErrInput, because a server's client has not caused it.
func misuse(kind error, format string, args ...any) error {
	return &Error{Kind: misuseKind{kind}, Message: fmt.Sprintf(format, args...)}
}

type misuseKind struct{ kind error }

func (k misuseKind) Error() string        { return k.kind.Error() }
func (k misuseKind) Is(target error) bool { return target == k.kind }

// optionError returns an *Error about Options that no engine supports.
func optionError(format string, args ...any) error {
	return &Error{Op: "load", Kind: ErrOption, Message: fmt.Sprintf(format, args...)}
}

// join returns both errors as one, of the kind of the first.
func join(a, b error) error {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	c, ok := a.(*Error)
	if !ok {
		return errors.Join(a, b)
	}
	both := *c
	both.Err = errors.Join(c.Err, b)
	return &both
}

// wrap sets the fields Engine, Op and Path of an *Error that are empty.
func wrap(err error, engine, op, path string) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	c := *e
	for _, f := range []struct {
		field *string
		value string
	}{{&c.Engine, engine}, {&c.Op, op}, {&c.Path, path}} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	return &c
}
