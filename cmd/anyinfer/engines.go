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
	"github.com/anyinfer/anyinfer/internal/suggest"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// checkEngines returns an error for a name that is not an engine's, or that
// occurs twice.
func checkEngines(names []string) error {
	for i, n := range names {
		if err := checkEngine(n); err != nil {
			return err
		}
		if slices.Contains(names[:i], n) {
			return usageError{fmt.Errorf("the engine %s is named twice; name it once", n)}
		}
	}
	return nil
}

// checkEngine returns an error for a name that is not an engine's.
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

// someModels is the Args of commands with models as arguments.
func someModels(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name a model: %s MODEL..., a file that ends in %s", cmd.CommandPath(), strings.Join(model.Extensions(common.Engines()...), ", "))
	}
	return nil
}

// someEngines is the Args of commands with engines as arguments, or none for all.
func someEngines(_ *cobra.Command, names []string) error { return checkEngines(names) }

// buildHint returns the advice on getting an engine whose SDK has no package.
func buildHint(engine string) string {
	r, ok := toolchain.Find(engine)
	if !ok {
		return "see docs/engines"
	}
	build := fmt.Sprintf("'%s=... anyinfer shim build %s'", r.SDK.Env, engine)
	if r.SDK.System != "" { // the system's packages put it there
		return fmt.Sprintf("install %s's own packages and type 'anyinfer shim build %s', or unpack its archive and type %s", r.SDK.Name, engine, build)
	}
	return fmt.Sprintf("build %s from its source, and then type %s", r.SDK.Name, build)
}

// installFor returns the advice on getting an engine's SDK, or a similar one, for
// a target. An empty version stands for the newest.
func installFor(engine, version string, t target) string {
	r, isShim := toolchain.Find(engine)
	pin, err := sdkinstall.Find(engine, version, t.os, t.arch)
	switch {
	case err == nil:
	case isShim && runtime.GOOS != "linux":
		return fmt.Sprintf("compile it on Linux, and copy %s of the SDK folder there to the same place here",
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

// pinned reports whether sdk install has an engine's SDK for a target.
func pinned(engine string, t target) bool {
	_, err := sdkinstall.Find(engine, "", t.os, t.arch)
	return err == nil
}

// hasPackage reports whether sdk install has an engine's SDK for any target.
func hasPackage(engine string) bool {
	return slices.ContainsFunc(sdkinstall.Pins(), func(p sdkinstall.Pin) bool { return p.Engine == engine })
}
