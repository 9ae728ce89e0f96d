// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"fmt"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// interpreter is a TfLiteInterpreter with what must outlive it, set to one
// signature: one of the first subgraph by itself, others with a runner.
type interpreter struct {
	*model
	signature int // sig's place among the model's
	sig       *tfl.Signature
	handle    uintptr
	runner    uintptr // TfLiteSignatureRunner; 0 for the first subgraph
	external  uintptr // the delegate of Options, or 0
	xnnpack   uintptr // XNNPACK's, or 0
	report    *report
	questions
}

// newInterpreter makes an interpreter for a signature. An accelerated one has
// the delegate of Options, and XNNPACK where that is wanted and can be had.
func (m *model) newInterpreter(signature int, accelerated bool) (*interpreter, error) {
	ip := &interpreter{model: m, report: newReport()}
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
	if accelerated && !m.native.NoXNNPACK && m.Has(xnnpackCreate) {
		ip.xnnpack = m.newXNNPACK(m.options.ThreadsPerRun())
	}
	ip.interpret()
	if ip.handle == 0 && ip.xnnpack != 0 { // it takes no graphs with some dynamic tensors
		m.log.Debug("model runs without XNNPACK", "reason", ip.report.error(common.ErrModel, 0, "unknown"))
		m.Call(xnnpackDelete, dylib.Int(ip.xnnpack))
		ip.xnnpack = 0
		ip.interpret()
	}
	if ip.handle == 0 {
		return ip.report.error(common.ErrModel, 0, "TFLite cannot interpret the model")
	}
	ip.prepare()
	return ip.use(signature)
}

// interpret makes the TfLiteInterpreter, or leaves handle 0.
func (ip *interpreter) interpret() {
	options := ip.Call(optionsCreate)
	defer ip.Call(optionsDelete, dylib.Int(options)) // the interpreter copies them
	callback, userData := ip.report.args()
	ip.Call(optionsSetErrorReporter, dylib.Int(options), callback, userData)
	ip.Call(optionsSetNumThreads, dylib.Int(options), dylib.Int(ip.options.ThreadsPerRun()))
	ip.Call(optionsEnableCancellation, dylib.Int(options), dylib.Int(1))
	for _, d := range []uintptr{ip.external, ip.xnnpack} { // XNNPACK gets what the other leaves
		if d != 0 {
			ip.Call(optionsAddDelegate, dylib.Int(options), dylib.Int(d))
		}
	}
	ip.handle = ip.Call(interpreterCreate, dylib.Int(ip.model.handle), dylib.Int(options))
}

// use sets the interpreter to another signature.
func (ip *interpreter) use(signature int) error {
	ip.dropRunner()
	ip.signature, ip.sig = signature, &ip.file.Signatures[signature]
	if !ip.Has(tensorRealloc) && slices.ContainsFunc(ip.sig.Inputs, func(i common.TensorInfo) bool { return i.DType == common.String }) {
		return &common.Error{Kind: common.ErrVersion, Message: "this build of TFLite takes no strings", Hint: "use another: anyinfer sdk install " + spec.Engine}
	}
	if ip.sig.Subgraph == 0 {
		return nil
	}
	if !ip.Has(runnerCreate) {
		return &common.Error{Kind: common.ErrVersion, Message: "this TFLite runs no signatures beyond the first subgraph", Hint: "install a newer one: anyinfer sdk install " + spec.Engine}
	}
	if ip.runner = ip.Call(runnerCreate, dylib.Int(ip.handle), dylib.String(ip.sig.Name)); ip.runner == 0 {
		return ip.report.error(common.ErrModel, 0, "TFLite has no signature "+ip.sig.Name)
	}
	for i := range ip.sig.Inputs {
		if ip.input(i) == 0 {
			return ip.report.error(common.ErrModel, 0, fmt.Sprintf("input %d of signature %q is not there", i, ip.sig.Name))
		}
	}
	for i := range ip.sig.Outputs {
		if ip.output(i) == 0 {
			return ip.report.error(common.ErrModel, 0, fmt.Sprintf("output %d of signature %q is not there", i, ip.sig.Name))
		}
	}
	return nil
}

func (ip *interpreter) dropRunner() {
	if ip.runner != 0 {
		ip.Call(runnerDelete, dylib.Int(ip.runner))
	}
	ip.runner = 0
}

func (ip *interpreter) close() {
	ip.dropRunner()
	if ip.handle != 0 {
		ip.Call(interpreterDelete, dylib.Int(ip.handle))
	}
	if ip.xnnpack != 0 {
		ip.Call(xnnpackDelete, dylib.Int(ip.xnnpack))
	}
	if ip.external != 0 {
		ip.plugin.destroy(ip.external)
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
		r = ip.Call(runnerResizeInput, dylib.Int(ip.runner), dylib.String(ip.sig.Inputs[input].Name), dylib.Slice(dims), dylib.Int(len(dims)))
	} else {
		r = ip.Call(interpreterResizeInput, dylib.Int(ip.handle), dylib.Int(ip.sig.In[input]), dylib.Slice(dims), dylib.Int(len(dims)))
	}
	return status(r, ip.report, common.ErrShape, "resizing an input failed")
}

// allocate plans memory and prepares operators; an error is of that kind.
func (ip *interpreter) allocate(kind error) error {
	r := uintptr(0)
	if ip.runner != 0 {
		r = ip.Call(runnerAllocate, dylib.Int(ip.runner))
	} else {
		r = ip.Call(interpreterAllocate, dylib.Int(ip.handle))
	}
	return status(r, ip.report, kind, "allocating tensors failed")
}

// late reports whether only running tells the shape and address of an output,
// and moves other memory while it does: TFLite prepares operators up to the
// first whose output depends on the data, and the rest in Invoke. Strings are
// nowhere before they are made.
func (ip *interpreter) late() bool {
	for i, info := range ip.sig.Outputs {
		t := ip.output(i)
		if info.DType == common.String || ip.dynamic(t) || ip.data(t) == 0 && ip.size(t) > 0 {
			return true
		}
	}
	return false
}

// refit is allocate after a resize. Operators that it leaves with nothing to
// compute would crash.
func (ip *interpreter) refit() error {
	if err := ip.allocate(common.ErrShape); err != nil || ip.late() {
		return err
	}
	for i, info := range ip.sig.Outputs {
		if shape := ip.shape(ip.output(i), nil); shape.Elems() < 1 {
			return &common.Error{Kind: common.ErrShape, Message: fmt.Sprintf("output %q would have the shape %v", info.Name, shape)}
		}
	}
	return nil
}

// describe completes the signature's outputs with what the allocated
// interpreter knows better: shapes that the file left behind.
func (ip *interpreter) describe() {
	for i := range ip.sig.Outputs {
		info := &ip.sig.Outputs[i]
		if info.DType == common.String || info.Shape.Dynamic() {
			continue
		}
		if t := ip.output(i); ip.dynamic(t) {
			info.Shape = nil
		} else {
			info.Shape = ip.shape(t, nil)
		}
	}
}

// reshape works Options.Shapes into the signature.
func (ip *interpreter) reshape() error {
	freed, any := false, false // an input that may have been fixed is dynamic; any changed
	for i := range ip.sig.Inputs {
		info := &ip.sig.Inputs[i]
		r, ok := ip.options.Shapes[info.Name]
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
	if err := ip.refit(); err != nil {
		return err
	}
	for i := range ip.sig.Outputs {
		out := &ip.sig.Outputs[i].Shape
		switch t := ip.output(i); {
		case ip.dynamic(t):
			*out = nil
		case !dynamic(ip.sig.Inputs):
			*out = ip.shape(t, nil)
		case freed: // which dimensions follow the input, the model does not tell
			*out = slices.Repeat(common.Shape{-1}, len(ip.shape(t, nil)))
		}
	}
	return nil
}

func dynamic(inputs []common.TensorInfo) bool { return common.Signature{Inputs: inputs}.Dynamic() }
