// SPDX-License-Identifier: Apache-2.0

// Package common is the one API over all engines: Tensor, Engine, Model, Session
// and their errors. An engine is a package that registers itself when it is
// imported; a program chooses one by name at run time, or lets Load choose:
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
// Model.Run is for servers. Any number of goroutines may call it, inputs and
// outputs are maps by name, and the results belong to the caller. Options.Sessions
// calls execute at the same time, one unless that is set; Options.MaxWaiting
// limits how many wait. Model.RunSignature runs other functions of the model.
//
// Model.AcquireSession avoids the copies: it waits for one of the sessions that
// Run uses, and Session.Close returns it.
//
// Model.NewSession makes a Session for one goroutine, for hot loops and streams.
// Its tensors stay bound, and Run allocates nothing and copies only tensors that
// an engine cannot use in place. With BindOutput, Run writes results to the
// caller's memory.
//
// # Copies
//
// Every engine can use the memory of NewTensor in place. If a tensor of FromSlice
// is bound to a Session, its elements are copied in each Run, except with OpenVINO
// and ONNX Runtime, which need no alignment. Model.Run copies inputs once, and
// results of less than a megabyte; larger results, and those whose shape is known
// only after Run, are the tensors that the engine wrote to.
//
// # Lifetime
//
// A program closes an Engine, Model or Session when it no longer needs it. Closing
// an Engine closes its Models, and closing a Model closes its Sessions. Close
// cancels Runs that execute and waits for them; it may be called twice and from
// any goroutine, and later calls of other methods return ErrClosed. Model.Shutdown
// lets Runs finish instead, and a LiveModel replaces a model without failing a
// call. If a program forgets to close, the garbage collector's cleanup does so, on
// a goroutine of its own. Results stay valid, because every Tensor is Go memory.
//
// Model.Stats counts Runs, failures and waiting. A program built with the tag
// leakprofile also has the profiles "anyinfer.engines", "anyinfer.models" and
// "anyinfer.sessions" of runtime/pprof, with the stacks that opened each, including
// the sessions that Model.Run keeps. Without the tag this costs nothing.
//
// # A model's files
//
// Load reads each file once, into memory that nobody can change: on Linux a sealed
// memory file, elsewhere read-only memory. The engine gets the same bytes that were
// checked, and the model does not change if the files are overwritten, shortened,
// replaced or deleted. This memory is not part of Go's heap, but counts towards a
// container's limit. Options.MapFiles uses the files' own pages instead.
//
// # State
//
// Some models keep variables from Run to Run. A Session keeps them until
// Session.Reset. Each Model.Run starts with their initial values, so that no data
// of one request is visible in another. ModelInfo.State shows whether a model has
// variables. If that is unknown, Model.Run treats the model as if it had some; if
// an engine cannot reset, Model.Run makes a new session.
//
// # Cancellation
//
// If the engine can be interrupted (see its package), a Run whose context ends
// returns soon with the context's error, and its outputs are undefined. The engine
// is asked to stop at once if the Run has taken more than 5 ms, else within 5 ms,
// and stops at its next operator. If the engine cannot be interrupted, Run returns
// when it has finished. No Run returns while native code may still write.
//
// # Errors
//
// Errors are *Error, or the context's own. Test their kind with errors.Is. If an
// input does not fit, ErrShape, ErrDType, ErrName and ErrCount also wrap ErrInput,
// which a server answers with "bad request"; ErrBusy is "too many requests". Errors
// of Data, Get and BindOutput do not wrap ErrInput, because the program has made
// the mistake and not a client. Package log/slog logs an *Error as one line.
//
// # Tests without an SDK
//
// Package fake makes a model from a Go function.
package common
