// SPDX-License-Identifier: Apache-2.0

// Package tnn runs TNN models with TNN 0.3. Import it for its side effect, and
// the engine "tnn" is there:
//
//	import _ "github.com/anyinfer/anyinfer/tnn"
//
// TNN has a C++ API, which Go cannot call: a shim in C++ leads to it, in this
// package. TNN has no package either: build it, and `TNN_ROOT=... anyinfer shim
// build tnn` builds the shim on it. With the build tag "tnn" and cgo both are
// linked into the program instead.
//
// # Models
//
// Pairs of a .tnnproto, which is text, and a .tnnmodel with the weights, as
// TNN's converter makes them. File and FS find the second beside the first;
// Files and Bytes take both, in this order. They are checked before TNN sees
// them, which crashes on damaged ones. For the layers Convolution,
// InnerProduct, Pooling, Flatten, Softmax, binary arithmetic and common
// activations the check covers shapes, parameters and weights; of models with
// others it knows only the structure behind them, and a damaged one may still
// crash.
//
// Inputs and outputs are float32 or int32. What TNN computes in fewer bits,
// quantized models too, is converted; so are the layouts of its devices: memory
// is NCHW, as in the model. Outputs whose shapes depend on values are refused.
//
// A file has fixed shapes. Options.Shapes makes any dimension of an input
// dynamic, between bounds for which TNN takes memory. Within a Session another
// batch, the first dimension, is cheap. Any other size makes a new instance of
// the network: TNN's own way to resize keeps a pooling's padding from size to
// size, and gets shapes wrong.
//
// # Options
//
// Device is one of Engine.Devices: "X86" or "ARM", "NAIVE", which is plain
// C++, and the GPUs that this TNN was built with and found. Precision is
// Float32, and on ARM and GPUs what they have besides; "METAL" computes in
// Float16 always. Threads is what a Run gets, if TNN was built with OpenMP.
// CacheDir, Profile and Native are refused.
//
// # Concurrency and cancellation
//
// Sessions run side by side. They share the weights as the file has them; each
// has its own copy as its device wants them. TNN cannot be interrupted: where a
// context ends, its Run goes on to its end. With more than one thread OpenMP
// keeps a pool for each thread of the process that has run a model.
//
// Start with Threads 1 and Sessions as many as cores for throughput, with Threads
// as many as cores for the latency of a large model. Neither was measured on a
// genuine TNN.
package tnn
