// SPDX-License-Identifier: Apache-2.0

// Package tflite runs TensorFlow Lite models with the TFLite C API. Importing it registers the engine "tflite" with
// package common:
//
//	import _ "github.com/anyinfer/anyinfer/tflite"
//
// # Models
//
// The engine loads .tflite files, float and quantized, from a file or from memory. Quantized inputs and outputs keep
// their integers; TensorInfo.Quant has their scales and zero points, per channel if the file has them per channel. The
// structure of a file is checked first, and no more: a damaged operator can crash TFLite, so models of strangers belong
// in package isolate.
//
// Shapes are the file's, mostly batch, height, width, channels (NHWC). A dimension of -1 is dynamic and takes any
// length. Options.Shapes makes other dimensions resizable, except the last one, along which weights lie. Tensors of
// strings are slices of Go strings, which may contain any bytes.
//
// ModelInfo.Metadata has the file's TFLite Metadata, and as "min_runtime_version" the release of TFLite that the file
// needs. TensorInfo.Labels has an output's labels, from the label files that are appended to the model. Both also come
// from the metadata that Ultralytics appends.
//
// # Signatures
//
// Signatures, their inputs and their outputs have the names that the converter was given. Inputs and outputs are in the
// order of the subgraph. Signatures of the first subgraph come first, because Model.Run runs the first one;
// Model.RunSignature runs any. A file without signatures has one called "", with the tensors' names.
//
// A TfLiteSignatureRunner runs the signatures of other subgraphs. Only their dynamic dimensions can be resized.
// Options.Shapes can name inputs of all signatures.
//
// # Copies
//
// If all shapes are fixed and the signature belongs to the first subgraph, TFLite works in the memory of the bound
// tensors (TfLiteInterpreterSetCustomAllocationForTensor), and Run copies nothing. Otherwise each Run copies inputs and
// outputs once. In both cases Run allocates nothing, except for strings and for outputs whose shape changes. Tensors
// that are not Padded, such as those of FromSlice, are copied by package common in each Run.
//
// # State
//
// Variable tensors, such as an RNN's, and resource variables keep their content from Run to Run of a Session until
// Session.Reset. Model.Run resets before each run. Reset is quick for variable tensors of the first subgraph
// (TfLiteInterpreterResetVariableTensors); other variables need a new interpreter. Binding an input of another shape
// resets variable tensors, too.
//
// # Options
//
//   - Device is "CPU" or empty.
//   - Threads is the number of threads that the interpreter (TfLiteInterpreterOptionsSetNumThreads) and XNNPACK use.
//   - Precision is 0 or Float32.
//   - Shapes: see above (TfLiteInterpreterResizeInputTensor).
//   - Native is [Options], not a pointer to it.
//   - Profile and CacheDir are refused: the C API has no profiler, and TFLite 2.17 ends the process for many models
//     while it writes XNNPACK's packed weights to a file.
//
// # XNNPACK and other delegates
//
// If the library has the XNNPACK delegate, models run on it, several times faster than without; Options.NoXNNPACK turns
// it off. Options.Delegate opens the shared library of another delegate, which gets the model before XNNPACK.
// ModelInfo.Details lists both as "delegates". A delegate's library is code that runs in the process. It stays loaded
// until the process ends, as every library does.
//
// # Errors
//
// Errors are of type *common.Error. They have TFLite's own text if it reports one, and its TfLiteStatus as Code. A
// model that TFLite cannot run is an ErrModel of Load, a shape that it cannot take an ErrShape of Load or Run. XNNPACK
// accepts impossible shapes and crashes in Run, so TFLite's own kernels try new shapes first: the first Run after an
// input's shape has changed takes longer.
//
// # Goroutines, latency and throughput
//
// A Model can be used from many goroutines, a Session from one at a time. Each session has an interpreter. Sessions of
// a model run side by side and share the weights in the file, but not the weights that XNNPACK repacks.
//
// For throughput, set Options.Sessions to the number of cores, which leaves one thread to each. On 2 cores, two
// sessions of one thread ran twice as much as one, and 3.5 times (digits, 2 us a Run) or just as much (SSD MobileNet,
// 14 ms) as one session of two threads. Model.Run with two callers reached 0.6 of that on digits, all of it on SSD
// MobileNet. A session costs an interpreter: 0.1 MB for digits, 6 MB for SSD MobileNet.
//
// For the latency of one caller, set Threads to 1 if a Run takes less than a millisecond, as threads wait for each
// other. A Run of digits took 1.8 times as long with two threads, and milliseconds if other programs used the cores.
// Threads of 0, all cores, is for larger models: SSD MobileNet took half the time with two threads.
//
// # Cancellation
//
// A Run is interrupted between two operators (TfLiteInterpreterCancel). All operators that XNNPACK took count as one:
// turn it off if quick interruption matters more than speed. Load is not interrupted.
//
// # Libraries
//
// The library is libtensorflowlite_c, tested with 2.17.1; `anyinfer sdk install tflite` installs it. Older ones that
// lack a function are refused with ErrVersion.
package tflite
