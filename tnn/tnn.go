// SPDX-License-Identifier: Apache-2.0

package tnn

import (
	"embed"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cengine"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/tnncheck"
	"github.com/anyinfer/anyinfer/internal/toolchain/sources"
)

// shimSources has the shim in C++ without the headers of package cinclude, for
// `anyinfer shim build tnn`.
//
//go:embed *.cc *.h
var shimSources embed.FS

var spec = dylib.Spec{Engine: "tnn", Stem: "anyinfer_tnn", Install: "TNN_ROOT=... anyinfer shim build tnn"}

func init() {
	sources.Register(spec.Engine, shimSources)
	cengine.Register(cengine.Engine{
		Library: spec, Formats: []common.Format{formats.TNN}, Check: check, PrintsLog: true, Rebuild: "anyinfer shim build tnn",
	})
}

func check(files *common.ModelFiles, o common.Options) error {
	return tnncheck.Check(files.All(), o.Shapes)
}
