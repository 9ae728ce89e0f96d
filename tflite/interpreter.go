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

// interpreter is a TfLiteInterpreter with what must outlive it, set to one
// signature: one of the first subgraph by itself, others with a runner.
type interpreter struct {
	lib       *dylib.Library
	model     *model
	signature int // sig's index among the model's
	sig       *tfl.Signature
	handle    uintptr
	runner    uintptr // TfLiteSignatureRunner; 0 for the first subgraph
	external  uintptr // the delegate of Options, or 0
	xnnpack   uintptr // XNNPACK's, or 0
	report    *report
	calls     preparedCalls
	// The tensors of each input and output; names are what a runner's calls read.
	inputs, outputs []dylib.Prepared
	names           runtime.Pinner
}

// newInterpreter makes an interpreter for a signature. An accelerated one has
// the delegate of Options, and XNNPACK where that is wanted and can be had.
func (m *model) newInterpreter(signature int, accelerated bool) (*interpreter, error) {
	ip := &interpreter{lib: m.lib, model: m, report: newReport()}
	if err := m.log.Capture(func() error { return ip.create(signature, accelerated) }); err != nil {
		ip.close()
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
	ip.interpret()
	if ip.handle == 0 && ip.xnnpack != 0 { // XNNPACK takes no graphs with some dynamic tensors
		m.log.Debug("model runs without XNNPACK", "reason", ip.report.error(common.ErrModel, 0, "unknown"))
		m.lib.Call(xnnpackDelete, dylib.Int(ip.xnnpack))
		ip.xnnpack = 0
		ip.interpret()
	}
	if ip.handle == 0 {
		return ip.report.error(common.ErrModel, 0, "TFLite cannot interpret the model")
	}
	ip.calls = prepareCalls(ip.lib)
	return ip.use(signature)
}

// interpret makes the TfLiteInterpreter, or leaves handle 0.
func (ip *interpreter) interpret() {
	options := ip.lib.Call(optionsCreate)
	defer ip.lib.Call(optionsDelete, dylib.Int(options)) // the interpreter copies them
	callback, userData := ip.report.args()
	ip.lib.Call(optionsSetErrorReporter, dylib.Int(options), callback, userData)
	ip.lib.Call(optionsSetNumThreads, dylib.Int(options), dylib.Int(ip.model.options.ThreadsPerRun()))
	ip.lib.Call(optionsEnableCancellation, dylib.Int(options), dylib.Int(1))
	for _, d := range []uintptr{ip.external, ip.xnnpack} { // XNNPACK gets what the external one leaves
		if d != 0 {
			ip.lib.Call(optionsAddDelegate, dylib.Int(options), dylib.Int(d))
		}
	}
	ip.handle = ip.lib.Call(interpreterCreate, dylib.Int(ip.model.handle), dylib.Int(options))
}

// use sets the interpreter to another signature.
func (ip *interpreter) use(signature int) error {
	ip.dropRunner()
	ip.signature, ip.sig = signature, &ip.model.file.Signatures[signature]
	if !ip.lib.Has(tensorRealloc) && slices.ContainsFunc(ip.sig.Inputs, func(i common.TensorInfo) bool { return i.DType == common.String }) {
		return &common.Error{Kind: common.ErrVersion, Message: "this build of TFLite takes no strings", Hint: "use another: anyinfer sdk install " + spec.Engine}
	}
	if ip.sig.Subgraph == 0 {
		ip.prepareTensors()
		return nil
	}
	if !ip.lib.Has(runnerCreate) {
		return &common.Error{Kind: common.ErrVersion, Message: "this TFLite runs no signatures beyond the first subgraph", Hint: "install a newer one: anyinfer sdk install " + spec.Engine}
	}
	if ip.runner = ip.lib.Call(runnerCreate, dylib.Int(ip.handle), dylib.String(ip.sig.Name)); ip.runner == 0 {
		return ip.report.error(common.ErrModel, 0, "TFLite has no signature "+ip.sig.Name)
	}
	ip.prepareTensors()
	for i := range ip.sig.Inputs {
		if ip.input(i) == 0 {
			return ip.report.error(common.ErrModel, 0, fmt.Sprintf("signature %q lacks input %d", ip.sig.Name, i))
		}
	}
	for i := range ip.sig.Outputs {
		if ip.output(i) == 0 {
			return ip.report.error(common.ErrModel, 0, fmt.Sprintf("signature %q lacks output %d", ip.sig.Name, i))
		}
	}
	return nil
}

func (ip *interpreter) dropRunner() {
	if ip.runner != 0 {
		ip.lib.Call(runnerDelete, dylib.Int(ip.runner))
	}
	ip.runner = 0
	ip.names.Unpin()
}

func (ip *interpreter) close() {
	ip.dropRunner()
	if ip.handle != 0 {
		ip.lib.Call(interpreterDelete, dylib.Int(ip.handle))
	}
	if ip.xnnpack != 0 {
		ip.lib.Call(xnnpackDelete, dylib.Int(ip.xnnpack))
	}
	if ip.external != 0 {
		ip.model.plugin.destroy(ip.external)
	}
	ip.report.close()
}

func (ip *interpreter) resize(input int, shape common.Shape) error {
	dims := make([]int32, len(shape))
	for i, d := range shape {
		if dims[i] = int32(d); int(dims[i]) != d {
			return &common.Error{Kind: common.ErrShape, Message: shape.String() + " has dimensions beyond 32 bits"}
		}
	}
	var r uintptr
	if ip.runner != 0 {
		r = ip.lib.Call(runnerResizeInput, dylib.Int(ip.runner), dylib.String(ip.sig.Inputs[input].Name), dylib.Slice(dims), dylib.Int(len(dims)))
	} else {
		r = ip.lib.Call(interpreterResizeInput, dylib.Int(ip.handle), dylib.Int(ip.sig.In[input]), dylib.Slice(dims), dylib.Int(len(dims)))
	}
	return status(r, ip.report, common.ErrShape, "resizing an input")
}

// allocate plans memory and prepares operators; an error is of that kind.
func (ip *interpreter) allocate(kind error) error {
	r := uintptr(0)
	if ip.runner != 0 {
		r = ip.lib.Call(runnerAllocate, dylib.Int(ip.runner))
	} else {
		r = ip.lib.Call(interpreterAllocate, dylib.Int(ip.handle))
	}
	return status(r, ip.report, kind, "allocating tensors")
}

// lateOutputs reports whether some output has its shape and address only after a
// Run, which moves other memory, too: TFLite prepares operators up to the first
// whose output depends on the data, and the rest in Invoke. Strings have no
// memory before they are made.
func (ip *interpreter) lateOutputs() bool {
	for i, info := range ip.sig.Outputs {
		t := ip.output(i)
		if info.DType == common.String || ip.calls.dynamic(t) || ip.calls.data(t) == 0 && ip.calls.size(t) > 0 {
			return true
		}
	}
	return false
}

// reallocate is allocate after a resize. It refuses shapes that leave operators
// with nothing to compute, which would crash.
func (ip *interpreter) reallocate() error {
	if err := ip.allocate(common.ErrShape); err != nil || ip.lateOutputs() {
		return err
	}
	for i, info := range ip.sig.Outputs {
		if shape := ip.calls.shape(ip.output(i), nil); shape.Elems() < 1 {
			return &common.Error{Kind: common.ErrShape, Message: fmt.Sprintf("output %q would have the shape %v", info.Name, shape)}
		}
	}
	return nil
}

// describe completes the signature's outputs with shapes that the allocated
// interpreter has and the file lacks.
func (ip *interpreter) describe() {
	for i := range ip.sig.Outputs {
		info := &ip.sig.Outputs[i]
		if info.DType == common.String || info.Shape.Dynamic() {
			continue
		}
		if t := ip.output(i); ip.calls.dynamic(t) {
			info.Shape = nil
		} else {
			info.Shape = ip.calls.shape(t, nil)
		}
	}
}

// reshape works Options.Shapes into the signature.
func (ip *interpreter) reshape() error {
	freed, any := false, false // an input that may have been fixed is dynamic; any changed
	for i := range ip.sig.Inputs {
		info := &ip.sig.Inputs[i]
		r, ok := ip.model.options.Shapes[info.Name]
		if !ok {
			continue
		}
		if !tfl.Resizable(info.Shape, r) {
			return &common.Error{Kind: common.ErrShape, Message: fmt.Sprintf("Shapes has %v for input %q, whose shape is %v; the rank and a fixed last dimension stay", r, info.Name, info.Shape)}
		}
		if err := ip.resize(i, r.Opt); err != nil {
			return err
		}
		info.Shape = r.Shape()
		freed, any = freed || info.Shape.Dynamic(), true
	}
	if !any {
		return nil
	}
	if err := ip.reallocate(); err != nil {
		return err
	}
	for i := range ip.sig.Outputs {
		out := &ip.sig.Outputs[i].Shape
		switch t := ip.output(i); {
		case ip.calls.dynamic(t):
			*out = nil
		case !dynamic(ip.sig.Inputs):
			*out = ip.calls.shape(t, nil)
		case freed: // the model does not say which dimensions follow the input's
			*out = slices.Repeat(common.Shape{-1}, len(ip.calls.shape(t, nil)))
		}
	}
	return nil
}

func dynamic(inputs []common.TensorInfo) bool { return common.Signature{Inputs: inputs}.Dynamic() }
