// SPDX-License-Identifier: Apache-2.0

// Package openvino runs models with Intel's OpenVINO, through its C API.
// Importing it registers the engine "openvino":
//
//	import (
//		"github.com/anyinfer/anyinfer/common"
//		_ "github.com/anyinfer/anyinfer/openvino"
//	)
//
//	model, err := common.Load(ctx, common.File("digits.onnx"), nil)
//
// # Models
//
// The engine reads OpenVINO's own IR (.xml with its .bin), ONNX, TFLite,
// TensorFlow (.pb or a SavedModel folder) and Paddle (.pdmodel). OpenVINO reads IR
// from memory and uses its weights in place; it reads the others through links to
// memory in a private folder below TMPDIR. TFLite needs OpenVINO 2026.1, because
// older releases compute some models wrong and crash on damaged files. Releases
// before 2026.3 crash on ONNX whose edges do not match, so ONNX is checked for
// these. Of TFLite files the structure is checked, of the other formats nothing, so
// models of strangers belong in package isolate: 2024.6 and 2025.0 may crash on
// damaged IR.
//
// Inputs and outputs can have every DType except String; a model with sub-byte
// types is refused at Load with ErrDType. TensorInfo.Quant is always nil, because
// the C API does not report it. Before 2025.4 an output of a no-op may have another
// of its names. Variables are reset by making a new infer request. ModelInfo.State
// is Stateful for an IR with variables. For TensorFlow and Paddle it is unknown, so
// Model.Run resets as if there were variables.
//
// ModelInfo.Metadata has what an ONNX or TFLite file says of its model, or the rt_info of
// an IR. The class names in it are the labels of a classifier's output.
//
// # Devices
//
// Engine.Devices lists the devices that the SDK has found. Options.Device is one of
// them, or a combination such as "AUTO", "AUTO:GPU,CPU" or "HETERO:GPU,CPU". Empty
// is the CPU.
//
// # Options
//
// Precision 0 and Float32 compute in float32, although OpenVINO's own default is
// bfloat16 or float16 on devices that support them. Threads are not pinned to
// cores. OpenVINO's own options are in Options, the type for common.Options.Native.
//
// # Sessions and threads
//
// With Options.Sessions of n, n Runs execute at the same time, in one of two ways.
// A model on the CPU whose files have at most 1 MiB is compiled n times, with one
// stream each, and each session uses one of these. Their Runs do not wait for each
// other, and with one thread each the calling thread executes them, which makes up
// to 2.3 times as many Runs a second. A model is compiled once, with n streams
// (NUM_STREAMS) that share the weights, if it is larger, in a folder, has external
// data or runs on another device, or if Options.Streams or Properties set streams
// or threads. ModelInfo.Details has both numbers, "streams" and "compiled_models".
//
// Options.Threads is the number of threads of one Run, whereas
// INFERENCE_NUM_THREADS is that of a compiled model. With 0, OpenVINO uses all
// cores, or GOMAXPROCS if that is less. The numbers of streams, compiled models and
// threads are at most the number of cores; further Runs wait. ModelInfo.Threads is
// the number that a Run has.
//
// Tensors in any memory are used in place, even if they are not aligned: inputs as
// well as outputs of BindOutput.
//
// # Properties
//
// Model.Property("KEY") returns a setting of a loaded model
// (ov_compiled_model_get_property), Engine.Property one of a device
// (ov_core_get_property): "KEY" for the default device, "GPU.0/KEY" for another.
//
// # Versions
//
// OpenVINO 2024.6 to 2026.4 are tested, and newer ones accepted, on amd64 and arm64
// only. docs/engines/openvino.md in the repository has more about caches,
// cancelling and limits.
package openvino
