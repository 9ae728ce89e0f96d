// SPDX-License-Identifier: Apache-2.0

// Package tflite runs TensorFlow Lite models with the TFLite C API. Import it
// for its side effect, and the engine "tflite" is there:
//
//	import _ "github.com/anyinfer/anyinfer/tflite"
//
// # Models
//
// .tflite files, float and quantized, from a file or from memory. Quantized
// inputs and outputs keep their integers; TensorInfo.Quant has what they
// mean, for each channel where the file does. Inputs with a dynamic dimension
// take any size; a fixed one, but for the last, becomes resizable with
// Options.Shapes. Tensors of strings are slices of Go strings, of any bytes.
//
// TFLite Metadata in a file is in ModelInfo.Metadata, with the version of TFLite
// that the file asks for as "min_runtime_version". TensorInfo.Labels has an
// output's labels from the files that are packed behind the model; labels for
// values are there like those for the last dimension.
//
// # Signatures
//
// A file's signatures have the names that its converter was given, as have their
// inputs and outputs, in the order of the subgraph. Those of the first subgraph
// come first: Model.Run runs what a TFLite program without signatures would,
// Model.RunSignature any. A
// file without any has one called "", with the tensors' names. Signatures of
// other subgraphs copy their inputs and outputs, which the first does not where
// shapes are fixed, and only dimensions that are dynamic can be resized there.
// Options.Shapes has inputs of all signatures.
//
// # State
//
// Variable tensors, as of an RNN, and resource variables keep their content from
// Run to Run of a Session, until Reset, which has nothing to do in models without
// them. It is quick for variable tensors of the first subgraph; other variables
// cost a new interpreter. Model.Run resets before each run. Inputs of another
// shape reset variable tensors, too.
//
// # Options
//
// Device is "CPU". Threads is what the interpreter and XNNPACK get: see below.
// Native is Options, not a pointer to it.
// Precision can only be Float32. Profile is refused, and so is CacheDir: what
// could be kept is XNNPACK's packed weights, and while TFLite 2.17 writes that
// file, it ends the process for many models.
//
// # XNNPACK and other delegates
//
// Where the library has the XNNPACK delegate, models run on it, several times
// faster than without; Options.NoXNNPACK turns it off. Options.Delegate opens
// the shared library of another delegate, which comes before XNNPACK.
// ModelInfo.Details lists what runs as "delegates". A delegate's library is code that runs in the process,
// and like other libraries it stays there.
//
// # Latency, throughput and cancellation
//
// Each session has an interpreter; sessions of a model run side by side and
// share the weights in the file, but not those that XNNPACK repacks.
//
// For throughput set Options.Sessions to the number of cores, which leaves one
// thread to each. On 2 cores, two sessions of one thread ran twice as much as one,
// and 3.5 times (digits, 2 us a Run) or just as much (SSD MobileNet, 14 ms) as one
// session of two threads. Model.Run with two callers reached 0.6 of that on digits,
// all of it on SSD MobileNet. A session costs an interpreter: 0.1 MB for digits,
// 6 MB for SSD MobileNet.
//
// For the latency of one caller set Threads to 1 where a Run takes less than a
// millisecond: threads wait for each other. A Run of digits took 1.8 times as long
// with two, and where other programs used the cores milliseconds. Threads of 0, all
// cores, is for larger models: SSD MobileNet took half the time with two.
//
// A Run is interrupted between two operators. All that XNNPACK took over
// counts as one: where quick interruption matters more than speed, turn it off.
//
// # Libraries
//
// libtensorflowlite_c, tried with 2.17.1; `anyinfer sdk install tflite` brings
// it. Older ones that lack a function are refused with ErrVersion.
package tflite
