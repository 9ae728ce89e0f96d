// SPDX-License-Identifier: Apache-2.0

package common

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// What can go wrong. Test with errors.Is; *Error has the details.
var (
	ErrNotAvailable = errors.New("engine not available")           // no library found, or not for this system
	ErrVersion      = errors.New("library version not usable")     // too old, or lacks a symbol
	ErrClosed       = errors.New("already closed")                 // Engine, Model or Session
	ErrInUse        = errors.New("session in use")                 // by another goroutine
	ErrBusy         = errors.New("too many calls are waiting")     // Options.MaxWaiting: HTTP 429
	ErrModel        = errors.New("model not usable")               // missing, damaged, or not for this engine
	ErrDevice       = errors.New("device not usable")              // unknown, absent, or failing
	ErrOption       = errors.New("option not usable")              // unknown to this engine, or out of range
	ErrRun          = errors.New("run failed")                     // the engine reports a failure on valid input
	ErrInput        = errors.New("input not usable")               // the four below of an input, nil and empty tensors: HTTP 400
	ErrShape        = error(&inputKind{"shape does not fit"})      // is an ErrInput where it is about an input
	ErrDType        = error(&inputKind{"dtype does not fit"})      // likewise
	ErrName         = error(&inputKind{"no such name"})            // likewise
	ErrCount        = error(&inputKind{"wrong number of tensors"}) // likewise
)

// errNoDevice is an ErrDevice of a name that the engine does not know, so that
// another engine may: it is an ErrOption, too.
var errNoDevice = error(noDeviceKind{})

type noDeviceKind struct{}

func (noDeviceKind) Error() string        { return "no such device" }
func (noDeviceKind) Is(target error) bool { return target == ErrDevice || target == ErrOption }

type inputKind struct{ text string }

func (k *inputKind) Error() string        { return k.text }
func (k *inputKind) Is(target error) bool { return target == ErrInput }

// Error is every error of this module but a context's. Only Kind is always set.
type Error struct {
	Engine   string   // "openvino"
	Op       string   // "open", "load", "bind", "run", ...
	Path     string   // the file concerned
	Kind     error    // one of the Err variables
	Message  string   // what happened, in the engine's words where it has some
	Hint     string   // what to do next
	Code     int      // the engine's status code; 0: none
	Searched []string // each place looked at and what was there
	Err      error    // the cause, such as fs.ErrNotExist; or nil
}

// Error is one line, or several where places were searched.
func (e *Error) Error() string { return e.text("\n  tried ", "\n  fix: ") }

// LogValue is the error's text as one line, for package log/slog.
func (e *Error) LogValue() slog.Value {
	return slog.StringValue(strings.Join(strings.Fields(e.text("; tried ", "; ")), " "))
}

// text is the error's text with these words before each place searched and
// before the hint that follows them.
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

// Is reports whether target is the error's Kind, or what the Kind also is.
func (e *Error) Is(target error) bool { return errors.Is(e.Kind, target) }

// Unwrap is the cause.
func (e *Error) Unwrap() error { return e.Err }

// inputError is an *Error for input that never reached an engine.
func inputError(kind error, format string, args ...any) error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// misuse is an *Error for a call that does not fit what the program has: of the
// kind, but no ErrInput, for it says nothing of what a client sent.
func misuse(kind error, format string, args ...any) error {
	return &Error{Kind: misuseKind{kind}, Message: fmt.Sprintf(format, args...)}
}

type misuseKind struct{ kind error }

func (k misuseKind) Error() string        { return k.kind.Error() }
func (k misuseKind) Is(target error) bool { return target == k.kind }

// optionError is an *Error for Options that no engine could honour.
func optionError(format string, args ...any) error {
	return &Error{Op: "load", Kind: ErrOption, Message: fmt.Sprintf(format, args...)}
}

// join is both errors as one, of the first one's kind.
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

// wrap fills in the engine and the operation where err does not say them.
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
