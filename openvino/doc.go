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
// OpenVINO's own IR (.xml with its .bin), ONNX, TFLite, TensorFlow (.pb or a
// SavedModel folder) and Paddle (.pdmodel). IR is read from memory, with its
// weights used in place; OpenVINO reads the others from links to memory in a
// private folder below TMPDIR. TFLite needs OpenVINO 2026.1: older ones crash on
// damaged files. So do those before 2026.3 on ONNX whose edges do not join up,
// which is checked there. 2024.6 and 2025.0 may crash on damaged IR.
//
// Elements at inputs and outputs have one of the DTypes but String; sub-byte
// types are refused at Load with ErrDType. OpenVINO tells no Quantization.
// Before 2025.4 an output that a no-op makes may bear another of its names.
// Variables are reset by a new infer request. ModelInfo.State reports which IR
// has some; TensorFlow and Paddle models, of which that is not known, are reset
// like those that have.
//
// # Devices
//
// Engine.Devices lists what the SDK found. Options.Device takes one of
// them, or a combination such as "AUTO", "AUTO:GPU,CPU" or "HETERO:GPU,CPU".
// Empty is the first, the CPU.
//
// # Options
//
// Precision 0 and Float32 compute in float32: OpenVINO itself would use
// bfloat16 or float16 for speed where a device has them. Threads are not pinned
// to cores. Everything else is in Options, the type for common.Options.Native.
//
// # Sessions and threads
//
// With Options.Sessions of n, n Runs execute side by side, in one of two ways.
// A model on the CPU whose files have at most 1 MiB is compiled n times, with one
// stream each; each session uses one of these. Their Runs do not wait for each
// other, and with one thread each is executed by the thread that calls, which
// makes up to 2.3 times as many Runs a second. Larger models, and those in a
// folder, with external data or on other devices, are compiled once, with n
// streams (NUM_STREAMS) that share the weights. So are all where
// Options.Streams, or one of Properties, sets streams or threads.
// ModelInfo.Details has both numbers, "streams" and "compiled_models".
//
// Threads are those of one Run (INFERENCE_NUM_THREADS is all of a compiled
// model's). Where they are 0, GOMAXPROCS bounds them if it is less than the cores.
// There are no more streams, compiled models and threads than cores:
// ModelInfo.Threads says how many a Run got, and Runs beyond them wait.
//
// Tensors of any memory are used in place, also where they are not aligned:
// inputs as well as outputs that were bound.
//
// # Properties
//
// Model.Property("KEY") reads a setting of a loaded model, Engine.Property
// that of a device: "KEY" for the default one, "GPU.0/KEY" for another.
//
// # Versions
//
// 2024.6 to 2026.4; newer ones are accepted. Only 64-bit amd64 and arm64.
// docs/engines/openvino.md in the repository has which, and what else is good
// to know: caches, cancelling, limits.
package openvino
