// SPDX-License-Identifier: Apache-2.0

// Package tflite runs TensorFlow Lite models with the TFLite C API. Import it
// for its side effect, and the engine "tflite" is there:
//
//	import _ "github.com/anyinfer/anyinfer/tflite"
//
// # Models
//
// .tflite files, float and quantized, from a file or from memory. Quantized
// inputs and outputs keep their integers; TensorInfo.Quant says what they
// mean. Inputs with a dynamic dimension take any size; a fixed one, but for the
// last, becomes resizable with Options.Shapes. String tensors are refused.
//
// # Options
//
// Device is "CPU". Threads is what the interpreter and XNNPACK get; a small
// model is faster with one, as threads wait for each other. Native is Options.
// Precision can only be Float32; CacheDir and Profile are refused.
//
// # XNNPACK
//
// Where the library has the XNNPACK delegate, models run on it, several times
// faster than without; Options.NoXNNPACK turns it off. ModelInfo.Notes tells.
//
// # Concurrency and cancellation
//
// Each session has an interpreter; sessions of a model run side by side and
// share the weights in the file, but not those that XNNPACK repacks.
// A Run is interrupted between two operators. All that XNNPACK took over
// counts as one: where quick interruption matters more than speed, turn it off.
//
// # Libraries
//
// libtensorflowlite_c, tried with 2.17.1; `anyinfer sdk install tflite` brings
// it. Older ones that lack a function are refused with ErrVersion.
package tflite
