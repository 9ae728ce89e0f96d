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
//	if err != nil { ... }
//	defer model.Close()
//	in, err := common.FromSlice(pixels, 1, 1, 8, 8)
//	out, err := model.Run(ctx, common.Tensors{"image": in})
//
// # Models
//
// OpenVINO's own IR (.xml with its .bin), ONNX, TFLite, TensorFlow (.pb or a
// SavedModel folder) and Paddle (.pdmodel). All are read from files; IR and
// ONNX also from memory. The others are written to a temporary file first.
// IR weights in memory are used in place. Tensors of sub-byte types and of
// strings are refused at Load with ErrDType.
//
// # Devices
//
// EngineInfo.Devices lists what the SDK found. Options.Device takes one of
// them, or a combination such as "AUTO", "AUTO:GPU,CPU" or "HETERO:GPU,CPU".
// Empty is the first, the CPU.
//
// # Options
//
// Precision 0 and Float32 compute in float32: OpenVINO itself would use
// bfloat16 or float16 for speed where a device has them. Threads and Sessions
// become INFERENCE_NUM_THREADS and NUM_STREAMS; OpenVINO uses no more of
// either than there are cores, and ModelInfo says how many. Everything else
// is in Options, the type for common.Options.Native.
//
// # Properties
//
// Model.Property("KEY") reads a setting of a loaded model, Engine.Property
// that of a device: "KEY" for the default one, "GPU.0/KEY" for another.
//
// # Versions
//
// 2024.6 to 2026.4; newer ones are accepted. Only 64-bit amd64 and arm64.
package openvino
