// SPDX-License-Identifier: Apache-2.0

// Package reference is a complete example of an engine over the C ABI of package
// cinclude, and an engine for tests that needs no SDK. It runs the small models of
// testdata in its own format, .ref. docs/adding-an-engine.md explains it.
//
// With the build tag "reference" and cgo the engine is compiled into the program.
// Otherwise it is the shared library libanyinfer_reference, which is found like an
// SDK. This command compiles it:
//
//	cc -O2 -fPIC -shared -I.. -o libanyinfer_reference.so reference.c -lm
//
// Set ANYINFER_REFERENCE_LIBRARY to its path.
package reference

import (
	"embed"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cengine"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/toolchain/sources"
)

// cSources has reference.c and the files that it includes except anyinfer_engine.h.
//
//go:embed reference.c model.h operators.h
var cSources embed.FS

// Options are the engine's own options, for common.Options.Native.
type Options struct {
	Verbose bool // log each operator that runs
}

var spec = dylib.Spec{Engine: "reference", Stem: "anyinfer_reference"}

func init() {
	sources.Register(spec.Engine, cSources)
	cengine.Register(cengine.Engine{
		Library: spec, Formats: []common.Format{formats.Reference}, Native: native,
		Rebuild: "compile reference.c of this module's version",
	})
}

// native converts Options to keys and values.
func native(o any) (map[string]string, error) {
	options, err := common.NativeOptions[Options](o)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	if options.Verbose {
		all["verbose"] = "1"
	}
	return all, nil
}
