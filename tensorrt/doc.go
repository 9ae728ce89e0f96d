// SPDX-License-Identifier: Apache-2.0

// Package tensorrt runs ONNX models and plans with TensorRT 8.2 to 11 on NVIDIA
// GPUs. Importing it registers the engine "tensorrt":
//
//	import _ "github.com/anyinfer/anyinfer/tensorrt"
//
// TensorRT has a C++ API, which Go cannot call directly, so this package has a shim
// in C++. `anyinfer shim build tensorrt` compiles it with the TensorRT of
// TENSORRT_ROOT, or of the system's packages such as JetPack's. It needs no CUDA
// toolkit. With the build tag "tensorrt" and cgo, the shim and TensorRT are linked
// into the program instead. Without an NVIDIA driver and a GPU, Open returns
// ErrDevice.
//
// This engine has not been run on a GPU yet: the project's tests run on a stand-in
// for TensorRT and CUDA. docs/engines/tensorrt.md has the details.
//
// # Models
//
// The engine loads ONNX files and plans (.engine, .plan). From an ONNX file Load
// makes TensorRT build a plan. That takes seconds to minutes, logs its progress, and
// stops when the context ends (since TensorRT 10). Options.CacheDir stores the plan
// for the next Load. A plan works only with the TensorRT release and the kind of GPU
// that it was built for. It contains code: load only plans that you trust. Of an ONNX
// file only the structure of the graph is checked: models of strangers belong in
// package isolate.
//
// ModelInfo.Metadata has what an ONNX file says of its model, or the JSON object that
// Ultralytics writes before a plan, which TensorRT alone does not accept. The class
// names in it are the labels of a classifier's output.
//
// Inputs and outputs can be bool, int8, int32, float16 and float32, since TensorRT
// 8.6 also uint8, since 10 also int64 and bfloat16. A model with a shape tensor as
// input is refused. Outputs whose shapes depend on values need TensorRT 8.5.
//
// TensorRT builds a plan for a range of shapes: an input with dynamic dimensions
// needs a ShapeRange in Options.Shapes. Opt is the shape that the plan is optimized
// for.
//
// # Options
//
// Device is one of Engine.Devices: "GPU.0", ..., and on a Jetson "DLA.0", ..., where
// the GPU runs the layers that the DLA does not support. Without Precision a model
// computes in its own types, and TF32 is off. Float16 and BFloat16 let TensorRT use
// these types for layers that are faster with them (BuilderFlag::kFP16, kBF16);
// TensorRT 11 has removed that. CacheDir stores plans, by the model's bytes,
// TensorRT's release, the GPU and the options, and measurements that make the next
// build faster (ITimingCache). Several processes may share it. Threads is refused.
// Native is Options.
//
// # Concurrency and cancellation
//
// Each Session has an execution context, a CUDA stream, memory on the GPU and pinned
// memory. Sessions run at the same time. A Run cannot be interrupted, because the
// GPU finishes the work that it was given.
//
// For low latency start with one session, and with Options.CUDAGraphs for models of
// many small layers. For throughput use larger batches first, then 2 or 3 Sessions.
// None of this has been measured on a GPU.
package tensorrt
