// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cengine"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/onnxfile"
	"github.com/anyinfer/anyinfer/internal/toolchain/sources"
)

// shimSources has the shim in C++ without the headers of package cinclude, for
// `anyinfer shim build tensorrt`.
//
//go:embed *.cc *.h
var shimSources embed.FS

// Options holds the options of this engine, for common.Options.Native. WorkspaceBytes,
// OptimizationLevel and TF32 affect only the build of a plan from an ONNX model.
type Options struct {
	// WorkspaceBytes is the memory in bytes on the GPU that a layer may use while
	// it runs (MemoryPoolType::kWORKSPACE). 0: TensorRT's default.
	WorkspaceBytes int64
	// OptimizationLevel is the effort of a build to find fast kernels, from 1, the
	// shortest build, to 5 (setBuilderOptimizationLevel, since TensorRT 8.6). 0:
	// TensorRT's default.
	OptimizationLevel int
	// TF32 lets float32 models compute in TensorFloat-32, which has a mantissa of
	// 10 bits (BuilderFlag::kTF32). TensorRT's own default is on.
	TF32 bool
	// CUDAGraphs records a Run as a CUDA graph and launches it as a whole, which is
	// faster for models of many small layers. The second Run with the same shapes
	// is recorded. Models that cannot be recorded, such as those with outputs
	// whose shapes depend on values, run without a graph.
	CUDAGraphs bool
	// Plugins are the paths of shared libraries with layers of your own, which are
	// opened before the model is loaded. TensorRT's own plugins are always loaded.
	Plugins []string
}

var spec = dylib.Spec{Engine: "tensorrt", Stem: "anyinfer_tensorrt", Install: "TENSORRT_ROOT=... anyinfer shim build tensorrt"}

var engine = cengine.Engine{
	Library: spec, Native: native, Check: check, Metadata: describe, Rebuild: "anyinfer shim build tensorrt",
}

func init() {
	sources.Register(spec.Engine, shimSources)
	common.Register(common.Registration{Name: spec.Engine, Formats: []common.Format{formats.TensorRT, formats.ONNX}, Options: Options{}, Open: open})
}

// check refuses ONNX files whose structure is damaged. A plan cannot be checked.
func check(files *common.ModelFiles, _ common.Options) error {
	if files.Len() != 1 || files.Format() != "onnx" {
		return nil
	}
	if err := onnxfile.Check(files.Bytes(0)); err != nil {
		return err
	}
	return onnxfile.ReadExternal(files)
}

// native converts Options, or a request of the cache, to keys and values.
func native(o any) (map[string]string, error) {
	if r, ok := o.(request); ok {
		return r.keyValues()
	}
	options, err := common.NativeOptions[Options](o)
	if err != nil {
		return nil, err
	}
	return options.keyValues()
}

func (o Options) keyValues() (map[string]string, error) {
	all := map[string]string{}
	if o.WorkspaceBytes < 0 {
		return nil, &common.Error{Kind: common.ErrOption, Message: fmt.Sprintf("WorkspaceBytes is %d; it cannot be negative", o.WorkspaceBytes)}
	}
	if o.OptimizationLevel < 0 || o.OptimizationLevel > 5 {
		return nil, &common.Error{Kind: common.ErrOption, Message: fmt.Sprintf("OptimizationLevel is %d; it can be 1 to 5, or 0 for TensorRT's default", o.OptimizationLevel)}
	}
	if o.WorkspaceBytes > 0 {
		all["workspace"] = strconv.FormatInt(o.WorkspaceBytes, 10)
	}
	if o.OptimizationLevel > 0 {
		all["level"] = strconv.Itoa(o.OptimizationLevel)
	}
	for key, on := range map[string]bool{"tf32": o.TF32, "graphs": o.CUDAGraphs} {
		if on {
			all[key] = "1"
		}
	}
	if len(o.Plugins) > 0 {
		all["plugins"] = strings.Join(o.Plugins, "\n")
	}
	return all, nil
}
