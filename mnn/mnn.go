// SPDX-License-Identifier: Apache-2.0

package mnn

import (
	"embed"
	"fmt"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cengine"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/toolchain/sources"
)

// shimSources has the shim in C++ without the headers of package cinclude, for
// `anyinfer shim build mnn`.
//
//go:embed *.cc *.h
var shimSources embed.FS

// Mode is a value of MNN's memory and power modes.
type Mode int

const (
	Normal Mode = iota
	High
	Low
)

// Options holds the options of this engine, for common.Options.Native.
type Options struct {
	// Memory trades speed for memory (BackendConfig::MemoryMode): with Low, an
	// MNN that was built with MNN_LOW_MEMORY does not unpack quantized weights.
	Memory Mode
	// Power binds the threads of a Run to the fast cores of a processor that
	// has several kinds (High), or to the slow ones (Low);
	// BackendConfig::PowerMode.
	Power Mode
}

var spec = dylib.Spec{Engine: "mnn", Stem: "anyinfer_mnn"}

func init() {
	sources.Register(spec.Engine, shimSources)
	cengine.Register(cengine.Engine{
		Library: spec, Formats: []common.Format{formats.MNN}, Native: native, Check: check, Metadata: describe,
		Rebuild: "anyinfer shim build mnn",
	})
}

// native converts Options to keys and values.
func native(o any) (map[string]string, error) {
	options, err := common.NativeOptions[Options](o)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for key, mode := range map[string]Mode{"memory": options.Memory, "power": options.Power} {
		switch mode {
		case Normal:
		case High:
			all[key] = "high"
		case Low:
			all[key] = "low"
		default:
			return nil, &common.Error{Kind: common.ErrOption, Message: fmt.Sprintf("%s cannot be %d", key, mode)}
		}
	}
	return all, nil
}
