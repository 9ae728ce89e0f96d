// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"fmt"
	"runtime"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// interpreter is a TfLiteInterpreter with everything that must outlive it, set to one signature. It runs a
// signature of the first subgraph itself; a signature runner runs any other.
type interpreter struct {
	lib       *dylib.Library
	model     *model
	signature int // the index of sig among the model's signatures
	sig       *tfl.Signature
	handle    uintptr
	runner    uintptr // a TfLiteSignatureRunner; 0 for the first subgraph
	external  uintptr // the delegate of Options.Delegate, or 0
	xnnpack   uintptr // the XNNPACK delegate, or 0
	allocated bool    // Allocate was called
	reporter  *errorReporter
	calls     preparedCalls

	inputs, outputs []dylib.Prepared // the calls that return each one's TfLiteTensor
	names           runtime.Pinner   // pins the names that a runner's calls read
}

// newInterpreter makes an interpreter for a signature. An accelerated one has the delegate of Options.Delegate, and
// XNNPACK unless Options.NoXNNPACK is set or the library lacks it.
func (m *model) newInterpreter(signature int, accelerated bool) (*interpreter, error) {
	ip := &interpreter{lib: m.lib, model: m, reporter: newErrorReporter()}
	if err := m.log.Capture(func() error { return ip.create(signature, accelerated) }); err != nil {
		ip.Close()
		return nil, err
	}
	return ip, nil
}

func (ip *interpreter) create(signature int, accelerated bool) (err error) {
	m := ip.model
	if accelerated && m.plugin != nil {
		if ip.external, err = m.plugin.create(m.native.DelegateOptions); err != nil {
			return err
		}
	}
	if accelerated && !m.native.NoXNNPACK && m.lib.Has(xnnpackCreate) {
		ip.xnnpack = newXNNPACK(m.lib, m.options.ThreadsPerRun())
	}
	ip.createHandle()
	if ip.handle == 0 && ip.xnnpack != 0 { // XNNPACK refuses graphs with some dynamic tensors
		m.log.Debug("model runs without XNNPACK", "reason", ip.reporter.error(common.ErrModel, 0, "unknown"))
		m.lib.Call(xnnpackDelete, dylib.Int(ip.xnnpack))
		ip.xnnpack = 0
		ip.createHandle()
	}
	if ip.handle == 0 {
		return ip.reporter.error(common.ErrModel, 0, "TFLite cannot make an interpreter for the model")
	}
	ip.calls = prepareCalls(ip.lib)
	return ip.SetSignature(signature)
}

// createHandle makes the TfLiteInterpreter. handle stays 0 if that fails.
func (ip *interpreter) createHandle() {
	options := ip.lib.Call(optionsCreate)
	defer ip.lib.Call(optionsDelete, dylib.Int(options)) // the interpreter copies them
	callback, userData := ip.reporter.args()
	ip.lib.Call(optionsSetErrorReporter, dylib.Int(options), callback, userData)
	ip.lib.Call(optionsSetNumThreads, dylib.Int(options), dylib.Int(ip.model.options.ThreadsPerRun()))
	ip.lib.Call(optionsEnableCancellation, dylib.Int(options), dylib.Int(1))
	for _, d := range []uintptr{ip.external, ip.xnnpack} { // XNNPACK gets the external delegate's remaining operators
		if d != 0 {
			ip.lib.Call(optionsAddDelegate, dylib.Int(options), dylib.Int(d))
		}
	}
	ip.handle = ip.lib.Call(interpreterCreate, dylib.Int(ip.model.handle), dylib.Int(options))
}

// SetSignature and the other exported methods implement tfl.Interpreter.
func (ip *interpreter) SetSignature(signature int) error {
	ip.deleteRunner()
	ip.signature, ip.sig = signature, &ip.model.file.Signatures[signature]
	isString := func(i common.TensorInfo) bool { return i.DType == common.String }
	if !ip.lib.Has(tensorRealloc) && slices.ContainsFunc(ip.sig.Inputs, isString) {
		return &common.Error{Kind: common.ErrVersion,
			Message: "this build of TFLite lacks TfLiteTensorRealloc, which inputs of strings need",
			Hint:    "install a build that has it: anyinfer sdk install " + spec.Engine}
	}
	if ip.sig.Subgraph == 0 {
		ip.prepareTensors()
		return nil
	}
	if !ip.lib.Has(runnerCreate) {
		return &common.Error{Kind: common.ErrVersion,
			Message: "this release of TFLite runs no signatures beyond the first subgraph",
			Hint:    "install a newer one: anyinfer sdk install " + spec.Engine}
	}
	if ip.runner = ip.lib.Call(runnerCreate, dylib.Int(ip.handle), dylib.String(ip.sig.Name)); ip.runner == 0 {
		return ip.reporter.error(common.ErrModel, 0, fmt.Sprintf("TFLite has no signature %q", ip.sig.Name))
	}
	ip.prepareTensors()
	for i := range ip.sig.Inputs {
		if ip.input(i) == 0 {
			return ip.reporter.error(common.ErrModel, 0,
				fmt.Sprintf("TFLite has no input %q in signature %q", ip.sig.Inputs[i].Name, ip.sig.Name))
		}
	}
	for i := range ip.sig.Outputs {
		if ip.output(i) == 0 {
			return ip.reporter.error(common.ErrModel, 0,
				fmt.Sprintf("TFLite has no output %q in signature %q", ip.sig.Outputs[i].Name, ip.sig.Name))
		}
	}
	return nil
}

func (ip *interpreter) deleteRunner() {
	if ip.runner != 0 {
		ip.lib.Call(runnerDelete, dylib.Int(ip.runner))
	}
	ip.runner = 0
	ip.names.Unpin()
}

func (ip *interpreter) Close() {
	ip.deleteRunner()
	if ip.handle != 0 {
		ip.lib.Call(interpreterDelete, dylib.Int(ip.handle))
	}
	if ip.xnnpack != 0 {
		ip.lib.Call(xnnpackDelete, dylib.Int(ip.xnnpack))
	}
	if ip.external != 0 {
		ip.model.plugin.destroy(ip.external)
	}
	ip.reporter.close()
}

func (ip *interpreter) InputShape(i int) (common.Shape, error) {
	return ip.calls.shape(ip.input(i), nil), nil
}

func (ip *interpreter) Resize(input int, dims []int32) error {
	var r uintptr
	if ip.runner != 0 {
		r = ip.lib.Call(runnerResizeInput, dylib.Int(ip.runner), dylib.String(ip.sig.Inputs[input].Name),
			dylib.Slice(dims), dylib.Int(len(dims)))
	} else {
		r = ip.lib.Call(interpreterResizeInput, dylib.Int(ip.handle), dylib.Int(ip.sig.In[input]),
			dylib.Slice(dims), dylib.Int(len(dims)))
	}
	return status(r, ip.reporter, common.ErrShape, "resizing an input")
}

// Allocate reports dynamic outputs if any output gets its shape or address only in a Run. Such a Run moves other
// memory, too: AllocateTensors prepares operators up to the first one whose output depends on the data, and Invoke
// prepares the rest. Strings have no memory before the Run.
func (ip *interpreter) Allocate(kind error) (outputs []common.Shape, dynamic bool, err error) {
	if err := ip.allocate(kind); err != nil {
		return nil, false, err
	}
	outputs = make([]common.Shape, len(ip.sig.Outputs))
	for i, info := range ip.sig.Outputs {
		t := ip.output(i)
		if ip.calls.dynamic(t) {
			dynamic = true
			continue
		}
		outputs[i] = ip.calls.shape(t, nil)
		dynamic = dynamic || info.DType == common.String || ip.calls.data(t) == 0 && ip.calls.size(t) > 0
	}
	return outputs, dynamic, nil
}

func (ip *interpreter) allocate(kind error) error {
	ip.allocated = true
	r := uintptr(0)
	if ip.runner != 0 {
		r = ip.lib.Call(runnerAllocate, dylib.Int(ip.runner))
	} else {
		r = ip.lib.Call(interpreterAllocate, dylib.Int(ip.handle))
	}
	return status(r, ip.reporter, kind, "allocating tensors")
}
