// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
	"github.com/anyinfer/anyinfer/internal/shims"
	"github.com/anyinfer/anyinfer/internal/suggest"
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
	if similar := suggest.Similar(name, all); similar != nil {
		text += "; did you mean " + strings.Join(similar, " or ") + "?"
	}
	return usageError{fmt.Errorf("%s (there are: %s)", text, strings.Join(all, ", "))}
}

// someModels is the Args of commands that take models.
func someModels(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name a model: %s MODEL..., a file that ends in %s", cmd.CommandPath(), strings.Join(model.Extensions(common.Engines()...), ", "))
	}
	return nil
}

// someEngines is the Args of commands that take engines, or none for all.
func someEngines(_ *cobra.Command, names []string) error { return checkEngines(names) }

// toHave says how to have an engine whose SDK no package has.
func toHave(engine string) string {
	r, ok := shims.Find(engine)
	if !ok {
		return "see docs/engines"
	}
	build := fmt.Sprintf("'%s=... anyinfer shim build %s'", r.SDK.Env, engine)
	if r.SDK.System != "" { // where packages of the system put it
		return fmt.Sprintf("put %s's own packages in place and type 'anyinfer shim build %s', or unpack its archive and type %s", r.SDK.Name, engine, build)
	}
	return fmt.Sprintf("build %s from its source, and then type %s", r.SDK.Name, build)
}

// installFor says how to have an engine's SDK, or what is like it, for a target; an empty version is the newest.
func installFor(engine, version string, t target) string {
	r, isShim := shims.Find(engine)
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
