// SPDX-License-Identifier: Apache-2.0

// Package isolate runs engines in child processes: a crash of native code, or a Run that does not end, is an error, and
// on Linux a model has neither the network nor other files. Open is used like common.Open, with the same models,
// sessions, errors, logs and options:
//
//	func main() {
//		isolate.Main() // in a child this does not return
//		...
//	}
//
//	engine, err := isolate.Open("openvino", nil, nil)
//	if err != nil {
//		return err
//	}
//	defer engine.Close()
//	model, err := engine.Load(ctx, common.File("model.onnx"), nil)
//
// # Children
//
// A child is the program itself, started again, if the first line of its main function calls Main, else the anyinfer
// command. Init functions and package variables of the program run in each child, before Main. Each model has
// Options.Children processes of its own; the engine's own queries run in another one, which the first model takes over.
//
// A Run whose child ends returns an error that wraps common.ErrCrashed, and has the last lines that the engine has printed
// and, if Go's runtime has seen it, the signal. Other Runs in that child fail alike. Another child is started, which loads
// the model again; calls wait for it. After Options.Restarts of them in a minute, calls return ErrCrashed until the minute
// is over. Variables of a model that keeps a state are then as in a new session.
//
// A child ends with the program, however that ends.
//
// # Costs
//
// A Run takes about 6 us more, and a copy of its inputs and outputs: tensors are in the program's memory, and in memory
// that it shares with the child. It allocates nothing. Opening an engine takes a new process, 20 to 70 ms. The model's
// files are read once and shared with all children, but each loads the model for itself.
//
// # Sandbox
//
// On Linux (amd64, arm64, arm) children confine themselves before they open the engine: landlock lets them read the
// engine's libraries and what these need of the system, the model, and Options.Read; write to a private temporary folder,
// Options.CacheDir of the model and Options.Write; and use device files only if the engine or Options.Device is for
// such a device. Seccomp refuses sockets, other processes, and system calls that engines do not need. No environment
// variables are passed on but those that engines know, and Options.Env. SECURITY.md says what remains.
//
// Other Unix systems have children without a sandbox. On Windows, Android and iOS there are none: Open returns an error
// that wraps common.ErrNotAvailable.
//
// # Probe
//
// Probe finds out whether a model crashes the engine before a program loads it in its own process. It keeps what it has
// found. It proves less than Open: see its documentation.
package isolate
