// SPDX-License-Identifier: Apache-2.0

// Package mnn runs MNN models with MNN's Module API. Importing it registers the
// engine "mnn":
//
//	import _ "github.com/anyinfer/anyinfer/mnn"
//
// MNN has a C++ API, which Go cannot call directly: this package has a shim in C++.
// `anyinfer sdk install mnn` fetches MNN and compiles the shim; for your own build
// of MNN, `MNN_ROOT=... anyinfer shim build mnn` compiles only the shim. With the
// build tag "mnn" and cgo, both are linked into the program instead.
//
// # Models
//
// The engine loads .mnn files, which MNN's converter makes from ONNX, TensorFlow,
// TFLite, Caffe and PyTorch, from a file or from memory. It checks their structure
// first, and no more: an operator that is damaged can crash MNN, so models of
// strangers belong in package isolate. For a model in a file it finds external
// weights, NAME.mnn.weight, beside it.
//
// Inputs and outputs have MNN's element types: float32, int32, int8, uint8 and
// bfloat16; its converter turns int64 and bool into int32. Memory is NCHW or NHWC,
// as in the model; tensors that MNN keeps in blocks of four channels (NC4HW4) are
// converted to and from NCHW.
//
// ModelInfo.Metadata has the members of the JSON object in the file's bizCode, as
// Ultralytics exports it, or as "bizCode" another text there. The class names in it
// are the labels of a classifier's output.
//
// A file does not contain its outputs' shapes and types: Load makes MNN infer them,
// with several trial sizes if inputs are dynamic. If none of the sizes suits the
// model, Options.Shapes is required.
//
// Dynamic dimensions take any size. MNN's converter sets the batch to 1 in the file;
// Options.Shapes makes that or any other dimension dynamic. A new shape or new
// memory for an input makes the next Run of a Session slower.
//
// Models with control flow or with shapes that depend on values run too: Load runs
// them once on zeros, the shapes of their outputs are known after a Run, and each
// Run infers them again. ModelInfo.Details then has "shapes".
//
// # Options
//
// Device is one of Engine.Devices: "CPU" and the devices that this MNN was built for
// and has found. Precision is Float32, or Float16 if the device computes in it.
// Threads is the number of threads of a Run. MNN has one pool of threads in a
// process, and the first model with several threads sets its size: more threads are
// refused with ErrOption. CacheDir stores a GPU's tuning results, and is refused for the CPU,
// which has none. Profile lists the operators. Native is Options.
//
// # Concurrency and cancellation
//
// Sessions of a model run at the same time. They share its weights, including those
// that MNN has rearranged, unless shapes depend on values. A Run whose context ends
// stops before its next operator.
//
// For throughput set Threads to 1 and Sessions to the number of cores. For the
// latency of a single caller set Threads to the number of cores, unless a Run takes
// less than about 100 microseconds or other programs use the cores: then 1 thread is
// faster, too. docs/engines/mnn.md has the measurements.
package mnn
