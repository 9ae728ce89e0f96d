// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// checkEngines refuses names of engines that there are not, or that are there twice.
func checkEngines(names []string) error {
	for i, n := range names {
		if err := checkEngine(n); err != nil {
			return err
		}
		if slices.Contains(names[:i], n) {
			return usageError{fmt.Errorf("the engine %s is there twice; leave one out", n)}
		}
	}
	return nil
}

// checkEngine refuses the name of an engine that there is not.
func checkEngine(name string) error {
	all := common.Engines()
	if slices.Contains(all, name) {
		return nil
	}
	text := fmt.Sprintf("there is no engine %q", name)
	if near := similar(name, all); near != nil {
		text += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usageError{fmt.Errorf("%s (there are: %s)", text, strings.Join(all, ", "))}
}

// someEngines is the Args of commands that take engines, or none for all.
func someEngines(_ *cobra.Command, names []string) error { return checkEngines(names) }

// toHave says how to have an engine whose SDK no package has.
func toHave(engine string) string {
	r, ok := toolchain.Find(engine)
	if !ok {
		return "see docs/engines"
	}
	build := fmt.Sprintf("'%s=... anyinfer shim build %s'", r.SDK.Env, engine)
	if r.SDK.System != "" { // where packages of the system put it
		return fmt.Sprintf("put %s's own packages in place and type 'anyinfer shim build %s', or unpack its archive and type %s", r.SDK.Name, engine, build)
	}
	return fmt.Sprintf("build %s from its source, and then type %s", r.SDK.Name, build)
}

// open opens an engine.
func open(name string) (*common.Engine, error) {
	e, err := common.Open(name, nil)
	switch {
	case missing(err) && !chosen(name):
		return nil, notInstalled{err, []string{name}}
	case unsuited(name, err):
		return nil, notSuited{err}
	}
	return e, err
}

// missing reports whether common.Open failed because there is no library; one
// that is there and does not work is in the error's Path.
func missing(err error) bool {
	detail := (*common.Error)(nil)
	return errors.As(err, &detail) && detail.Kind == common.ErrNotAvailable && detail.Path == "" && detail.Searched != nil
}

// unsuited reports whether common.Open failed before it looked for a library,
// of an engine that nobody installed: it is not for this machine.
func unsuited(name string, err error) bool {
	detail := (*common.Error)(nil)
	return errors.As(err, &detail) && detail.Kind == common.ErrNotAvailable && detail.Path == "" && detail.Searched == nil &&
		!chosen(name) && len(sdkdir.Installed(name)) == 0
}

// notSuited is the error of an engine that is not for this machine.
type notSuited struct{ error }

func (n notSuited) Unwrap() error { return n.error }

// chosen reports whether the user says where the engine's library is, which
// then counts alone.
func chosen(engine string) bool { return os.Getenv(dylib.Spec{Engine: engine}.Env()) != "" }

// notInstalled is the error where no more is wrong than that none of engines
// is installed: short, as what to do is clear.
type notInstalled struct {
	error
	engines []string
}

func (n notInstalled) Error() string {
	who, first := n.engines[0]+" is not", n.engines[0]
	if len(n.engines) > 1 {
		who = "none of " + strings.Join(n.engines, ", ") + " is"
		first = n.engines[max(0, slices.IndexFunc(n.engines, func(e string) bool { return toInstall(e) != "" }))]
	}
	return fmt.Sprintf("%s installed; %s ('anyinfer doctor %s' says where it was looked for)", who, installHint(first), first)
}

// toInstall is what to type to have an engine on this machine; "" where that cannot be had so.
func toInstall(engine string) string {
	here := target{os: runtime.GOOS, arch: runtime.GOARCH}
	if pinned(engine, here) {
		return "anyinfer sdk install " + engine
	}
	if r, ok := toolchain.Find(engine); ok && here.os == "linux" {
		return r.SDK.Env + "=... anyinfer shim build " + engine
	}
	return ""
}

// installHint says how to have an engine on this machine.
func installHint(engine string) string {
	if command := toInstall(engine); command != "" {
		return "type '" + command + "'"
	}
	return "no package has it for " + runtime.GOOS + "/" + runtime.GOARCH
}

// installFor says how to have an engine's SDK, or what is like it, for a target; an empty version is the newest.
func installFor(engine, version string, t target) string {
	r, isShim := toolchain.Find(engine)
	pin, err := sdkinstall.Find(engine, version, t.os, t.arch)
	switch {
	case err == nil:
	case isShim && runtime.GOOS != "linux":
		return fmt.Sprintf("it is compiled on Linux, from where you copy %s of the SDK folder to the same place here",
			filepath.Join(engine, "VERSION", sdkdir.Target(t.os, t.arch)))
	case isShim:
		text := r.SDK.Env + "=... anyinfer shim build " + engine
		if !t.host() {
			text += " --target " + t.os + "/" + t.arch
		}
		return "compile it with '" + text + "'"
	default:
		return "no package has one: " + err.Error()
	}
	text := "anyinfer sdk install " + engine
	if version != "" {
		text += " --version " + pin.Version
	}
	if t.os != runtime.GOOS {
		text += " --os " + t.os
	}
	if t.arch != runtime.GOARCH {
		text += " --arch " + t.arch
	}
	return "install it with '" + text + "'"
}

// pinned reports whether an engine's SDK can be installed for a target.
func pinned(engine string, t target) bool {
	_, err := sdkinstall.Find(engine, "", t.os, t.arch)
	return err == nil
}

// packaged reports whether an engine's SDK can be installed.
func packaged(engine string) bool {
	return slices.ContainsFunc(sdkinstall.Pins(), func(p sdkinstall.Pin) bool { return p.Engine == engine })
}

func (n notInstalled) Unwrap() error { return n.error }
