// SPDX-License-Identifier: Apache-2.0

// Package onnxruntime runs models with Microsoft's ONNX Runtime, through its C API.
// Importing it registers the engine "onnxruntime":
//
//	import (
//		"github.com/anyinfer/anyinfer/common"
//		_ "github.com/anyinfer/anyinfer/onnxruntime"
//	)
//
//	model, err := common.Load(ctx, common.File("digits.onnx"), nil)
//
// # Models
//
// The engine reads ONNX, with or without external data, and ONNX Runtime's own
// format (.ort), both from memory. External data needs ONNX Runtime 1.18. Inputs and
// outputs can have every DType. A model with an input or output that is a sequence,
// a map, an optional value, a sparse tensor or a tensor of another type is refused
// with ErrDType, which names them. A model keeps no variables from Run to Run.
//
// While a model is loaded, its file, a copy of it and its tensors are in memory, three
// times the size; Options.MapFiles saves one of them. Afterwards only the tensors are.
//
// Options.Shapes fixes dimensions. If a fixed dimension has a name in the file, its
// length is also passed to ONNX Runtime (AddFreeDimensionOverrideByName), which then
// knows the shapes of outputs before the Run.
//
// # Devices
//
// Options.Device is the CPU, or another of Engine.Devices, whose names stand for
// execution providers: "CUDA", "TENSORRT", "COREML", "DML", "DNNL",
// "NVTENSORRTRTX", "OPENVINO", "QNN", "VITISAI", "WEBGPU" and "XNNPACK". They are
// listed only where the library has them and they can run a small model. Devices of
// libraries in Config.ProviderLibraries have the name of the provider and the kind of
// hardware, such as "OPENVINO.GPU". Operators that a provider does not have run on the
// CPU. Only the CPU's provider has been tested.
//
// # Options
//
// Precision 0 and Float32 compute in the model's own types; others are refused.
// Options.CacheDir keeps the optimized model, for the CPU only. ONNX Runtime's own
// options are in Options, the type for common.Options.Native, and in Config, the type
// for common.Config.Native.
//
// # Sessions and threads
//
// The sessions of a model share one OrtSession and its threads: those that all may
// use together, of which each Run takes what is free. So with Sessions of 1, or with
// Threads of 1, a Run never uses more than Threads; otherwise it may while others
// rest. Threads do not spin while they wait: "session.intra_op.allow_spinning" in
// Options.Config changes that.
//
// Tensors in any memory are used in place, even if they are not aligned. Outputs whose
// shape is known only after Run, and all strings, are copied. With Options.Profile,
// each session has an OrtSession of its own, and Session.Profile makes a new one.
//
// # Telemetry and logs
//
// The package turns off the telemetry of Microsoft's builds: unless the variable
// ORT_DISABLE_TELEMETRY is set, it sets it to 1 when the program starts.
//
// A process has one OrtEnv. If another part of the program has made it, messages that
// are not about a model go to that part's log.
//
// # Versions
//
// ONNX Runtime 1.17 to 1.32 are tested, and newer ones accepted.
// docs/engines/onnxruntime.md in the repository has more about caches, cancelling and
// limits.
package onnxruntime
