// SPDX-License-Identifier: Apache-2.0

// Package tnn runs TNN models with TNN 0.3. Importing it registers the engine
// "tnn":
//
//	import _ "github.com/anyinfer/anyinfer/tnn"
//
// TNN has a C++ API, which Go cannot call directly, so this package has a shim in
// C++. There is no package of TNN: build it from its source, and then
// `TNN_ROOT=... anyinfer shim build tnn` compiles the shim with it. With the build
// tag "tnn" and cgo, the shim and TNN are linked into the program instead.
//
// # Models
//
// A model is a pair of files, as TNN's converter makes them: a .tnnproto, which is
// text, and a .tnnmodel with the weights. File and FS find the second beside the
// first; Files and Bytes get both, in this order. The structure of the files is
// checked before TNN reads them, and whether the shapes of inputs fit the layers
// Convolution, InnerProduct and Pooling, because TNN does not. A damaged parameter can
// still crash TNN, so models of strangers belong in package isolate.
//
// Inputs and outputs are float32 or int32, in NCHW memory. The engine converts from
// and to the types of quantized models and the memory layouts of TNN's devices. A
// model with outputs whose shapes depend on values is refused.
//
// A file has fixed shapes. Options.Shapes makes any dimension of an input dynamic,
// between bounds for which TNN allocates memory. Within a Session, changing the
// batch size (the first dimension) is cheap. Any other change makes a new instance
// of the network, because TNN's own way to resize keeps the padding of pooling
// layers and computes wrong shapes.
//
// # Options
//
// Device is one of Engine.Devices: "X86" or "ARM", "NAIVE", which is plain C++, and
// the GPUs that TNN was built for and has found. Precision is Float32, and on ARM
// and GPUs also the types that these support; "METAL" always computes in Float16. Threads
// needs a TNN that was built with OpenMP. CacheDir, Profile and Native are refused.
//
// # Concurrency and cancellation
//
// Sessions run at the same time. They share the weights of the file; each has its
// own copy in its device's layout. TNN cannot be interrupted: if the context ends,
// Run continues until TNN has finished. With more than one thread, OpenMP keeps a
// pool for each thread of the process that has run a model.
//
// For throughput start with Threads 1 and as many Sessions as cores; for the latency
// of a large model with as many Threads as cores. Neither has been measured on the
// genuine TNN.
package tnn
