// SPDX-License-Identifier: Apache-2.0

// Package common is the one API over all engines: Tensor, Engine, Model,
// Session and their errors. It is the front desk; engines are thin drivers
// behind it, chosen by name at run time:
//
//	import (
//		"github.com/anyinfer/anyinfer/common"
//		_ "github.com/anyinfer/anyinfer/openvino"
//		_ "github.com/anyinfer/anyinfer/tflite"
//	)
//
//	model, err := common.Load(ctx, common.File("digits.onnx"), nil)
//	if err != nil {
//		return err
//	}
//	defer model.Close()
//	image, err := common.FromSlice(pixels, 1, 1, 8, 8)
//	if err != nil {
//		return err
//	}
//	out, err := model.Run(ctx, common.Tensors{"image": image})
//	if err != nil {
//		return err
//	}
//	scores, err := common.Get[float32](out, "scores")
//
// # Three ways to run
//
// Model.Run is for servers: any number of goroutines call it, tensors come and
// go by name, and the results belong to the caller. Options.Sessions of these
// calls execute at once, one unless it is set; Options.MaxWaiting bounds how many
// wait. Model.RunSignature runs other functions of the model.
//
// Model.AcquireSession is the same without copies: it waits for one of the
// sessions that Run uses, and Session.Close gives it back.
//
// Model.NewSession makes a Session of one's own, for hot loops and streams: its
// tensors stay bound, and Run allocates nothing and copies only what an engine
// cannot use in place. Results land in the caller's memory where BindOutput says
// so. One goroutine at a time uses a Session.
//
// # Copies
//
// Tensors of NewTensor have memory that any engine can use. Where a tensor of
// FromSlice is bound to a Session, an engine that needs alignment has its
// elements copied in each Run: OpenVINO does not, the others do. Model.Run copies
// inputs once, and results of less than a megabyte; larger ones, and those whose
// shape is known only after Run, are handed out as the engine wrote them.
//
// # Lifetime
//
// Close an Engine, Model or Session when done. Close cascades: an Engine's
// closes its Models, a Model's its Sessions. It cancels Runs that execute, waits
// for them, and may be called twice and from anywhere. Later calls return
// ErrClosed. Model.Shutdown lets calls end instead, and a LiveModel replaces a
// model so that no call fails. What nobody closed is closed some time after the
// garbage collector finds it, on a goroutine of its own; results stay valid, for
// every Tensor is Go memory.
//
// Model.Stats counts Runs, failures and waiting. Built with the tag leakprofile,
// a program counts what is open: the profiles "anyinfer.engines",
// "anyinfer.models" and "anyinfer.sessions" of runtime/pprof have the stacks that
// opened it. Sessions that Model.Run keeps are among them. Without the tag this
// costs nothing.
//
// # A model's files
//
// Load reads each file once, into memory that nobody can change: on Linux a
// sealed memory file, elsewhere read-only memory. What is checked there is what
// the engine gets, and stays so while the model is loaded, whoever overwrites,
// cuts, replaces or deletes the files. That memory is not part of Go's heap, but
// counts in a container's limit. Options.MapFiles shares the files' own memory
// instead.
//
// # State
//
// Some models keep variables from Run to Run. A Session goes on with them until
// Session.Reset; each Model.Run begins with their initial values, so that
// nothing of one request shows in another. ModelInfo.State reports which models
// do. Where that is not known, or an engine cannot reset, Model.Run resets or
// takes a new session all the same.
//
// # Cancellation
//
// Where the engine can be interrupted (see its package), a Run whose context
// ends returns soon with the context's error, and its outputs are undefined. The
// engine is asked to stop at once where Runs take more than 5 ms, else within 5 ms,
// and stops at its next operator. Elsewhere Run returns when the engine has
// finished. No Run returns while native code may still write.
//
// # Errors
//
// Errors are *Error, or the context's own. Test their kind with errors.Is: all
// of ErrShape, ErrDType, ErrName and ErrCount also are ErrInput where an input
// does not fit, which a server answers with "bad request"; ErrBusy is "too many
// requests". Those of Data, Get and BindOutput are no ErrInput: they are the
// program's, not a client's. Logged with package log/slog, an *Error is one line.
//
// # Tests without an SDK
//
// Package fake makes a model of a function, in one call.
package common
