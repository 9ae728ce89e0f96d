// SPDX-License-Identifier: Apache-2.0

package common

import (
	"log/slog"
	"runtime"
	"slices"
)

// Config says how to open an engine. The zero Config finds the library by
// itself; nil means the same.
type Config struct {
	// Library is the SDK's library file, or the folder that holds it. Empty:
	// look in ANYINFER_<ENGINE>_LIBRARY, in the folder that `anyinfer sdk`
	// fills, then where the system loader looks. Refused with ErrOption in
	// a program that has the engine's library linked in.
	Library string
	// Logger receives what the engine and its SDK log, with the attribute
	// "engine"; nil: slog.Default(). Warnings and errors have these levels,
	// and all that an SDK says of its own set-up is Debug. The handler is
	// called on a goroutine that no call waits for: it may block, and it may
	// use the engine. What it has not handled yet when the program exits is
	// lost.
	//
	// OpenVINO before 2025.4, TFLite, LiteRT and TNN have no log and print on
	// C's stderr. While one of these is opened, loads a model or prepares a
	// session, C's stderr of the whole process goes to Logger (on Linux with
	// glibc; elsewhere it stays where it is): lines that other C code prints
	// meanwhile are logged as that engine's. If the process dies meanwhile,
	// its last lines, such as the text of a failed assertion, are lost.
	Logger *slog.Logger
	// KeepStderr leaves C's stderr alone: nothing is lost when the process
	// dies, and what those SDKs print goes to the standard error instead of
	// Logger.
	KeepStderr bool
	// Native holds the engine's own options, of the type its package documents.
	Native any
}

// Options say how to load a model. The zero Options are good; nil means the
// same. An option that an engine cannot honour is refused with ErrOption,
// never ignored.
type Options struct {
	// Device is one of Engine.Devices, or what else the engine's package
	// says; empty: the engine's default.
	Device string
	// Precision of the arithmetic: Float32, Float16 or BFloat16. 0 keeps the
	// model's own; lower precision is used only when asked for.
	Precision DType
	// CacheDir is a folder where the engine may keep what is slow to make.
	CacheDir string
	// Threads of one Run. 0: GOMAXPROCS, which Go takes from a container's limit
	// where there is one, shared out evenly among Sessions. An engine may use
	// fewer; ModelInfo.Threads has the number.
	Threads int
	// Sessions is how many Model.Run calls execute at once; others wait.
	// 0: one, with all Threads.
	Sessions int
	// MaxWaiting is how many calls of Model.Run and Model.AcquireSession may
	// wait for a session: one more gets ErrBusy at once. 0: any number;
	// negative: none.
	MaxWaiting int
	// Shapes fixes or bounds inputs by name, in place of the model's own
	// shapes. An input without an entry keeps what the model says.
	Shapes map[string]ShapeRange
	// MapFiles maps the model's files instead of reading them, where the system
	// can: Load is quicker, and processes share the memory. In return nobody may
	// write to the files while the model is loaded. A file that is overwritten
	// changes results, one that becomes shorter ends the process (SIGBUS).
	MapFiles bool
	// Profile collects times for Session.Profile, at some cost in speed.
	Profile bool
	// Native holds the engine's own options, of the type its package documents.
	Native any
}

// ThreadsPerRun is Threads or, where that is 0, the share of a Run in the
// processors that Go uses. For engine implementations.
func (o Options) ThreadsPerRun() int {
	if o.Threads > 0 {
		return o.Threads
	}
	return max(1, runtime.GOMAXPROCS(0)/max(o.Sessions, 1))
}

// clone is o for keeping: with Shapes that the caller cannot change.
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
