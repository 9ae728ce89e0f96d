// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
	"github.com/anyinfer/anyinfer/internal/toolchain"
	"github.com/anyinfer/anyinfer/isolate"
)

// Open opens an engine, in a child process if it is Isolated. The error is a NotInstalledError or a NotSupportedError
// if there is no other problem.
func Open(engine string, i Isolation) (e *common.Engine, err error) {
	if i == Isolated {
		e, err = isolate.Open(engine, nil, nil)
	} else {
		e, err = common.Open(engine, nil)
	}
	switch {
	case LibraryMissing(err) && !LibrarySet(engine):
		return nil, NotInstalledError{err, []string{engine}}
	case NotSupported(engine, err):
		return nil, NotSupportedError{err}
	}
	return e, err
}

// LibraryMissing reports whether common.Open failed because it found no library.
// The error of a library that does not work has a Path.
func LibraryMissing(err error) bool {
	detail := (*common.Error)(nil)
	return errors.As(err, &detail) && detail.Kind == common.ErrNotAvailable && detail.Path == "" && detail.Searched != nil
}

// NotSupported reports whether an engine that is not installed does not run on
// this machine either: common.Open failed before it searched for a library.
func NotSupported(engine string, err error) bool {
	detail := (*common.Error)(nil)
	return errors.As(err, &detail) && detail.Kind == common.ErrNotAvailable && detail.Path == "" && detail.Searched == nil &&
		!LibrarySet(engine) && len(sdkdir.Installed(engine)) == 0
}

// LibrarySet reports whether the engine's environment variable names its
// library, which is then the only place that is searched.
func LibrarySet(engine string) bool { return os.Getenv(dylib.Spec{Engine: engine}.Env()) != "" }

// NotSupportedError is the error of an engine that does not run on this machine.
type NotSupportedError struct{ Err error }

func (e NotSupportedError) Error() string { return e.Err.Error() }
func (e NotSupportedError) Unwrap() error { return e.Err }

// NotInstalledError is the error if none of the engines is installed. Its text
// is short, because the only remedy is to install one.
type NotInstalledError struct {
	Err     error // of the first
	Engines []string
}

func (e NotInstalledError) Error() string {
	subject, engine := e.Engines[0]+" is not", e.Engines[0]
	if len(e.Engines) > 1 {
		subject = "none of " + strings.Join(e.Engines, ", ") + " is"
		engine = e.Engines[max(0, slices.IndexFunc(e.Engines, func(e string) bool { return InstallCommand(e) != "" }))]
	}
	return fmt.Sprintf("%s installed; %s ('anyinfer doctor %s' lists the places searched)", subject, InstallHint(engine), engine)
}

func (e NotInstalledError) Unwrap() error { return e.Err }

// InstallCommand returns the command line that installs an engine on this
// machine; empty if there is none.
func InstallCommand(engine string) string {
	if _, err := sdkinstall.Find(engine, "", runtime.GOOS, runtime.GOARCH); err == nil {
		return "anyinfer sdk install " + engine
	}
	if r, ok := toolchain.Find(engine); ok && runtime.GOOS == "linux" {
		return r.SDK.Env + "=... anyinfer shim build " + engine
	}
	return ""
}

// InstallHint returns the advice on installing an engine on this machine.
func InstallHint(engine string) string {
	if command := InstallCommand(engine); command != "" {
		return "type '" + command + "'"
	}
	return "there is no package of it for " + runtime.GOOS + "/" + runtime.GOARCH
}
