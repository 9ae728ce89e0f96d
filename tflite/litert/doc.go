// SPDX-License-Identifier: Apache-2.0

// Package litert runs TensorFlow Lite models with LiteRT, Google's successor of
// TFLite, through its C API. Import it for its side effect, and the engine
// "litert" is there:
//
//	import _ "github.com/anyinfer/anyinfer/tflite/litert"
//
// # Models
//
// .tflite files, from a file or from memory, and what is in them is as package
// tflite has it: quantized integers, signatures, labels and metadata. Inputs
// with a dynamic dimension take any size; a fixed one, but for the last, becomes
// resizable with Options.Shapes.
//
// LiteRT lacks some of what the TFLite library has. Load refuses variable tensors
// (resource variables work, in models whose inputs keep their shape), strings,
// more than 8 dimensions, signatures that leave out an output, and an output that
// comes from an operator such as WHERE, whose result's size depends on the data.
// Where another operator makes the output of that, its size may: Run then makes
// more room and repeats itself where the output has outgrown it.
//
// # Devices
//
// The CPU, and what the accelerators are for that lie beside the library: "GPU"
// (WebGPU, or Metal on macOS), "NPU". They are loaded when Engine.Devices or
// Options.Device first asks for them. On Linux, Devices lists a GPU where /dev has
// a file of one; whether it can be used, only Load finds out. A model of which a
// device leaves something is refused, or with Options.Fallback shared with the CPU.
// Runs on a device other than the CPU take turns.
//
// # Options
//
// Threads is what the interpreter and XNNPACK get: see below. Native is Options,
// not a pointer to it: what the CPU computes with, and Fallback. Precision is
// Float32, or on a GPU Float16 where asked for. Profile costs 70 MB a session.
// CacheDir is refused: what could be kept is XNNPACK's packed weights, and LiteRT
// ends the process where writing them fails.
//
// # State
//
// Resource variables keep their content from Run to Run of a Session, until
// Reset, which costs a new interpreter where there are any. Model.Run resets
// before each run. A model that has some runs without XNNPACK, which in LiteRT
// takes them over and crashes on some uses; package tflite has it run the rest.
//
// # Latency, throughput and cancellation
//
// Each session has an interpreter; sessions of a model run side by side and
// share the weights in the file, but not those that XNNPACK repacks. On the CPU
// the rule is that of package tflite.
//
// For throughput set Options.Sessions to the number of cores, which leaves one
// thread to each. On 2 cores, two sessions of one thread ran 1.9 times as much as
// one, and 2.6 times (digits, 3 us a Run) or just as much (SSD MobileNet, 14 ms) as
// one session of two threads. Model.Run with two callers reached 0.7 of that on
// digits, all of it on SSD MobileNet. A session costs an interpreter: 0.1 MB for
// digits, 3 MB for SSD MobileNet.
//
// For the latency of one caller set Threads to 1 where a Run takes less than a
// millisecond: threads wait for each other. A Run of digits took 1.4 times as long
// with two. Threads of 0, all cores, is for larger models.
//
// A Run is interrupted between two operators. All that XNNPACK took over counts as
// one: where quick interruption matters more than speed, set Kernels to Builtin.
//
// # Libraries
//
// libLiteRt 2.1.6 or newer, tried with 2.1.6, 2.2.0 and 2.3.0, on amd64 and
// arm64; `anyinfer sdk install litert` brings it. On Windows it is 2.2 or newer.
// Older ones are refused with ErrVersion. The library does not report its version:
// EngineInfo.Version is the first release that has the functions that it has.
package litert
