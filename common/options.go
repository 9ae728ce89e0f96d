// SPDX-License-Identifier: Apache-2.0

package common

import (
	"log/slog"
	"runtime"
	"slices"
)

// Config has the settings for opening an engine. The zero Config and nil find the
// library in the usual places.
type Config struct {
	// Library is the path of the SDK's library, or of the folder that has it. If
	// it is empty, the library is searched in ANYINFER_<ENGINE>_LIBRARY, in the
	// folder that `anyinfer sdk` fills, then where the system's loader searches. It
	// is refused with ErrOption in a program that has the engine's library linked.
	Library string
	// Logger receives the log of the engine and its SDK, with the attribute
	// "engine"; nil: slog.Default(). Warnings and errors have these levels;
	// messages about the SDK's own set-up are Debug. The handler is called on a
	// goroutine that no call waits for, so it may block, and may use the engine.
	// Records that it has not handled when the program exits are lost.
	//
	// OpenVINO before 2025.4, TFLite, LiteRT and TNN have no log interface and
	// print to C's stderr. While one of these is opened, loads a model or prepares
	// a session, the C stderr of the whole process goes to Logger (on Linux with
	// glibc only): lines that other C code prints meanwhile are logged as that
	// engine's. If the process dies meanwhile, its last lines, such as the text of
	// a failed assertion, are lost.
	Logger *slog.Logger
	// KeepStderr turns that redirection off: these SDKs print to the standard
	// error, and nothing is lost if the process dies.
	KeepStderr bool
	// Native holds the engine's own options, of the type its package documents.
	Native any
}

// Options have the settings for loading a model. The zero Options and nil are
// good defaults. An option that an engine does not support is refused with
// ErrOption, never ignored.
type Options struct {
	// Device is the Name of one of Engine.Devices, or another name that the
	// engine's package documents; empty: the engine's default.
	Device string
	// Precision of the arithmetic: Float32, Float16 or BFloat16. 0 keeps the
	// precision of the model, even if the engine would choose a lower one.
	Precision DType
	// CacheDir is a folder in which the engine may store compiled models, so that
	// the next Load is faster; empty: none.
	CacheDir string
	// Threads that one Run uses. 0: GOMAXPROCS, which obeys a container's CPU
	// limit, divided by Sessions. An engine may use fewer; ModelInfo.Threads has
	// the number.
	Threads int
	// Sessions is the number of Model.Run calls that execute at the same time;
	// further calls wait. 0: one, with all Threads.
	Sessions int
	// MaxWaiting is the number of calls of Model.Run and Model.AcquireSession that
	// may wait for a session; a further call returns ErrBusy at once. 0: any
	// number; negative: none.
	MaxWaiting int
	// Shapes fixes or bounds the shapes of inputs by name. An input without an
	// entry keeps the shape in the model.
	Shapes map[string]ShapeRange
	// MapFiles maps the model's files into memory instead of reading them, if the
	// system can: Load is faster, and processes share the memory. Nobody may write
	// to the files while the model is loaded: overwriting one changes results, and
	// shortening one ends the process with SIGBUS.
	MapFiles bool
	// Profile measures the times that Session.Profile returns; Run is slower.
	Profile bool
	// Native holds the engine's own options, of the type its package documents.
	Native any
}

// ThreadsPerRun returns Threads or, if that is 0, GOMAXPROCS divided by Sessions,
// at least 1. It is for engine implementations.
func (o Options) ThreadsPerRun() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return max(1, runtime.GOMAXPROCS(0)/max(o.Sessions, 1))
}

// clone returns a copy of o whose Shapes the caller cannot change.
func (o Options) clone() Options {
	shapes := o.Shapes
	if o.Shapes = nil; shapes != nil {
		o.Shapes = make(map[string]ShapeRange, len(shapes))
	}
	for name, r := range shapes {
		o.Shapes[name] = ShapeRange{slices.Clone(r.Min), slices.Clone(r.Opt), slices.Clone(r.Max)}
	}
	return o
}
