// SPDX-License-Identifier: Apache-2.0

// Package mnn runs MNN models with MNN's Module API. Importing it registers the
// engine "mnn":
//
//	import _ "github.com/anyinfer/anyinfer/mnn"
//
// MNN has a C++ API, which Go cannot call directly: this package has a shim in
// C++ that does. `anyinfer sdk install mnn` fetches MNN and compiles the shim; on an
// MNN of your own `MNN_ROOT=... anyinfer shim build mnn` compiles the shim alone.
// With the build tag "mnn" and cgo both are linked into the program instead.
//
// # Models
//
// .mnn files, as MNN's converter makes them from ONNX, TensorFlow, TFLite,
// Caffe and PyTorch, from a file or from memory. They are checked before MNN
// reads them, because it crashes on damaged ones. Weights in a separate file,
// NAME.mnn.weight, are found beside a model in a file.
//
// Inputs and outputs have MNN's element types: float32, int32,
// int8, uint8 and bfloat16; its converter makes int32 of int64 and bool.
// Memory is NCHW or NHWC, as in the model; what MNN keeps in blocks of four
// channels (NC4HW4) is converted and is NCHW here.
//
// A file does not have its outputs' shapes and types: Load has MNN infer them,
// with several sizes where inputs are dynamic. If none of them suits the model,
// Options.Shapes is required.
//
// Dimensions that the file leaves open take any size. MNN's converter sets the
// batch to 1 in the file; Options.Shapes makes that or any other dimension
// dynamic. A new shape costs a Session some time, and so does new memory for
// an input.
//
// Models with control flow, and those whose shapes depend on values, run too:
// Load runs them once on zeros, the shapes of their outputs are known after a
// Run, and each Run infers them again. ModelInfo.Details has "shapes" then.
//
// # Options
//
// Device is one of Engine.Devices: "CPU" and those that this MNN was built
// with and found. Precision is Float32, or Float16 where the device computes in
// it. Threads is what a Run gets. MNN has one pool of threads in a process, as
// large as the model that was loaded first made it: more are refused with
// ErrOption. CacheDir keeps what a GPU has tuned, and is refused for the CPU,
// for which there is nothing to keep. Profile lists the operators. Native is
// Options.
//
// # Concurrency and cancellation
//
// Sessions of a model run at the same time. They share its weights, including those
// that MNN has rearranged, unless shapes depend on values. A Run whose context ends
// stops before its next operator.
//
// For throughput set Threads to 1 and Sessions to the number of cores. For the
// latency of one call at a time set Threads to the number of cores, unless a Run
// takes less than about 100 microseconds or other programs use the cores: then 1
// thread is faster, too. docs/engines/mnn.md has what was measured.
package mnn
