// SPDX-License-Identifier: Apache-2.0

// Package tensorrt runs ONNX models and plans with TensorRT 8.2 to 11 on NVIDIA
// GPUs. Import it for its side effect, and the engine "tensorrt" is there:
//
//	import _ "github.com/anyinfer/anyinfer/tensorrt"
//
// TensorRT has a C++ API, which Go cannot call: a shim in C++ leads to it, in this
// package. `anyinfer shim build tensorrt` builds it on the TensorRT that is
// there, that of TENSORRT_ROOT or of the system's packages, as JetPack's; a CUDA
// toolkit is not needed. With the build tag "tensorrt" and cgo both are linked
// into the program instead. Without an NVIDIA driver and a GPU, Open returns
// ErrDevice.
//
// What runs on a GPU has not been run on one by this project: its tests run on a
// stand-in. docs/engines/tensorrt.md says what ran on what.
//
// # Models
//
// ONNX files, of which Load has TensorRT build a plan: that takes seconds to
// minutes, logs how far it is, ends when the context does (since TensorRT 10),
// and is spared the next time with Options.CacheDir. And plans (.engine, .plan),
// which are for the release and the kind of GPU that made them. A plan is code:
// load only those that you trust.
//
// Inputs and outputs are what the model has: bool, int8, int32, float16,
// float32, since 8.6 uint8, since 10 int64 and bfloat16. A model with an input
// that is a shape is refused. Outputs whose shapes depend on values are there
// since 8.5.
//
// TensorRT builds for a range of shapes: an input with dynamic dimensions needs
// one in Options.Shapes, whose Opt is what it is fast with.
//
// # Options
//
// Device is one of Engine.Devices: "GPU.0", ..., and on a Jetson "DLA.0", ...,
// which leaves layers that it lacks to the GPU. Without Precision a model is
// computed in its own types, without TF32; Float16 and BFloat16 let TensorRT
// choose those where they are faster, before 11, which has done away with that.
// CacheDir keeps plans, by the model's bytes, TensorRT's release, the GPU and the
// options, and measurements that speed up the next build; several processes may
// share it. Sessions and Profile are honoured; Threads is refused. Native is
// [Options].
//
// # Concurrency and cancellation
//
// Each Session has an execution context, a stream, memory on the GPU and pinned
// memory. They run side by side. What the GPU was given it finishes: a context
// that ends does not interrupt a Run.
//
// For latency start with one session, and Options.CUDAGraphs for models of many
// small layers; for throughput with larger batches, then with Sessions 2 or 3.
// Nothing of that was measured on a genuine TensorRT.
package tensorrt
