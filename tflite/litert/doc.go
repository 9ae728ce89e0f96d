// SPDX-License-Identifier: Apache-2.0

// Package litert runs TensorFlow Lite models with the C API of LiteRT, Google's successor to TFLite. Importing it
// registers the engine "litert" with package common:
//
//	import _ "github.com/anyinfer/anyinfer/tflite/litert"
//
// # Models
//
// The engine loads .tflite files, from a file or from memory. Quantized integers, shapes, signatures, labels and
// metadata are as in package tflite, and files are checked as there: for structure, and no more.
//
// LiteRT lacks some capabilities of the TFLite library. Load returns an error that wraps common.ErrModel, with the hint
// to use engine "tflite", for models with
//
//   - variable tensors (resource variables work, in models whose inputs keep their shape),
//   - inputs or outputs of strings or of more than 8 dimensions,
//   - signatures that do not name each input and output of their subgraph,
//   - outputs of an operator such as WHERE, whose result's size depends on the data.
//
// The size of an output may depend on the data if another operator, such as a cast, follows and makes the output. Run
// repeats itself with more memory if such an output is larger than its memory.
//
// # Copies
//
// LiteRT works in the memory of the bound tensors (LiteRtCreateTensorBufferFromHostMemory), and Run copies nothing. It
// copies an output once if its shape is known only after a Run, or if another tensor is the same. Run allocates
// nothing, except for outputs whose shape changes. Tensors that are not Padded, such as those of FromSlice, are copied
// by package common in each Run.
//
// # Devices
//
// Options.Device is "CPU", or the device of an accelerator that is installed beside the library: "GPU" (WebGPU, on
// macOS Metal) or "NPU". The first Engine.Devices or Options.Device that needs accelerators loads them. On Linux,
// Engine.Devices lists a GPU if /dev has a GPU's file; only Load finds out whether it can be used, and returns an error
// that wraps common.ErrDevice if it cannot. A model with operators that the device lacks is refused or, with
// Options.Fallback, shared with the CPU. Runs on devices other than the CPU are executed one at a time.
//
// # Options
//
//   - Threads is the number of threads that the interpreter and XNNPACK use (num_threads of LiteRT's CPU options).
//   - Precision is 0 or Float32, on a GPU also Float16.
//   - Shapes: as in package tflite (LiteRtCompiledModelResizeInputTensorNonStrict).
//   - Profile (LiteRtCompiledModelGetProfiler) costs 70 MB for each session.
//   - Native is [Options], not a pointer to it.
//   - CacheDir is refused, as LiteRT ends the process if it cannot write XNNPACK's packed weights to a file.
//
// # State
//
// Resource variables keep their content from Run to Run of a Session until Session.Reset, which needs a new interpreter
// if the model has any. Model.Run resets before each run. A model with resource variables runs without XNNPACK, which
// in LiteRT crashes on some uses of them; package tflite runs the other operators of such a model on XNNPACK.
//
// # Errors
//
// Errors are of type *common.Error. They have LiteRT's own text if it reports one, and its LiteRtStatus as Code.
// XNNPACK accepts impossible shapes and crashes in Run, so TFLite's own kernels try new shapes first: the first Run
// after an input's shape has changed takes longer.
//
// # Goroutines, latency and throughput
//
// A Model can be used from many goroutines, a Session from one at a time. Each session has an interpreter. Sessions of
// a model run side by side and share the weights in the file, but not the weights that XNNPACK repacks.
//
// For throughput, set Options.Sessions to the number of cores, which leaves one thread to each. On 2 cores, two
// sessions of one thread ran 1.9 times as much as one, and 2.6 times (digits, 3 us a Run) or just as much (SSD
// MobileNet, 14 ms) as one session of two threads. Model.Run with two callers reached 0.7 of that on digits, all of it
// on SSD MobileNet. A session costs an interpreter: 0.1 MB for digits, 3 MB for SSD MobileNet.
//
// For the latency of one caller, set Threads to 1 if a Run takes less than a millisecond, as threads wait for each
// other. A Run of digits took 1.4 times as long with two threads. Threads of 0, all cores, is for larger models.
//
// # Cancellation
//
// A Run is interrupted between two operators (LiteRtSetCompiledModelCancellationFunction). All operators that XNNPACK
// took count as one: set Kernels to Builtin if quick interruption matters more than speed. Load is not interrupted.
//
// # Libraries
//
// The library is libLiteRt 2.1.6 or newer (2.2 on Windows), tested with 2.1.6, 2.2.0 and 2.3.0, on amd64 and arm64;
// `anyinfer sdk install litert` installs it. Older ones are refused with ErrVersion. The library does not report its
// version: EngineInfo.Version names the first release that has this library's functions.
package litert
