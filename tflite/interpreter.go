// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"fmt"
	"runtime"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// interpreter is a TfLiteInterpreter with what must outlive it.
type interpreter struct {
	*model
	handle   uintptr
	delegate uintptr // XNNPACK's, or 0
	report   *report
}

// newInterpreter makes an interpreter, on XNNPACK where that is wanted and can
// be had.
func (m *model) newInterpreter(xnnpack bool) (*interpreter, error) {
	ip := &interpreter{model: m, report: newReport()}
	if xnnpack && m.Has(xnnpackCreate) {
		ip.delegate = m.newXNNPACK(threads(m.options))
	}
	ip.create()
	if ip.handle == 0 && ip.delegate != 0 { // XNNPACK takes no graphs with some dynamic tensors
		m.log.Debug("model runs without XNNPACK", "reason", ip.report.error(common.ErrModel, 0, "unknown"))
		m.Call(xnnpackDelete, dylib.Int(ip.delegate))
		ip.delegate = 0
		ip.create()
	}
	if ip.handle == 0 {
		err := ip.report.error(common.ErrModel, 0, "TFLite cannot interpret the model")
		ip.close()
		return nil, err
	}
	return ip, nil
}

func (ip *interpreter) create() {
	options := ip.Call(optionsCreate)
	defer ip.Call(optionsDelete, dylib.Int(options)) // the interpreter copies them
	callback, userData := ip.report.args()
	ip.Call(optionsSetErrorReporter, dylib.Int(options), callback, userData)
	ip.Call(optionsSetNumThreads, dylib.Int(options), dylib.Int(threads(ip.options)))
	ip.Call(optionsEnableCancellation, dylib.Int(options), dylib.Int(1))
	if ip.delegate != 0 {
		ip.Call(optionsAddDelegate, dylib.Int(options), dylib.Int(ip.delegate))
	}
	ip.handle = ip.Call(interpreterCreate, dylib.Int(ip.model.handle), dylib.Int(options))
}

// xnnpackOptions is a TfLiteXNNPackDelegateOptions: 64 bytes in 2.17, and room
// for what later releases add. Only its first member is ours.
type xnnpackOptions struct {
	threads int32
	_       int32
	_       [31]uint64
}

// newXNNPACK is a new delegate, or 0.
func (d *driver) newXNNPACK(threads int) uintptr {
	o := new(xnnpackOptions)
	if runtime.GOARCH == "arm64" { // the result's address goes in a register of its own
		var defaults func() xnnpackOptions
		d.Func(xnnpackDefaults, &defaults)
		*o = defaults()
	} else { // it is the first argument
		d.Call(xnnpackDefaults, dylib.Ptr(o))
	}
	if o.threads = 0; threads > 1 { // one needs no pool
		o.threads = int32(threads)
	}
	return d.Call(xnnpackCreate, dylib.Ptr(o))
}

func (ip *interpreter) close() {
	if ip.handle != 0 {
		ip.Call(interpreterDelete, dylib.Int(ip.handle))
	}
	if ip.delegate != 0 {
		ip.Call(xnnpackDelete, dylib.Int(ip.delegate))
	}
	ip.report.close()
}

func (ip *interpreter) resize(input int, shape common.Shape) error {
	dims := make([]int32, len(shape))
	for i, d := range shape {
		if dims[i] = int32(d); int(dims[i]) != d {
			return &common.Error{Err: common.ErrShape, Text: shape.String() + " has dimensions beyond 32 bits"}
		}
	}
	r := ip.Call(interpreterResizeInput, dylib.Int(ip.handle), dylib.Int(input), dylib.Slice(dims), dylib.Int(len(dims)))
	return status(r, ip.report, common.ErrShape, "TfLiteInterpreterResizeInputTensor")
}

// allocate plans memory and prepares operators; an error is of that kind.
func (ip *interpreter) allocate(kind error) error {
	return status(ip.Call(interpreterAllocate, dylib.Int(ip.handle)), ip.report, kind, "TfLiteInterpreterAllocateTensors")
}

// late reports whether only running tells the shape and address of an output,
// and moves other memory while it does: TFLite prepares operators up to the
// first whose output depends on the data, and the rest in Invoke.
func (ip *interpreter) late() bool {
	for i := range ip.count(interpreterOutputCount) {
		t := ip.output(i)
		if ip.dynamic(t) || ip.Call(tensorData, dylib.Int(t)) == 0 && ip.Call(tensorByteSize, dylib.Int(t)) > 0 {
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
	for i := range ip.count(interpreterOutputCount) {
		if shape := ip.shape(ip.output(i)); shape.Elems() < 1 {
			return &common.Error{Err: common.ErrShape, Text: fmt.Sprintf("output %d would have the shape %v", i, shape)}
		}
	}
	return nil
}

func (ip *interpreter) count(what int) int {
	return max(int(int32(ip.Call(what, dylib.Int(ip.handle)))), 0)
}

// signature describes the inputs and outputs before anything was resized.
func (ip *interpreter) signature() (s common.Signature, err error) {
	if s.Inputs, err = ip.infos(interpreterInputCount, interpreterInput); err != nil {
		return s, err
	}
	s.Outputs, err = ip.infos(interpreterOutputCount, interpreterOutput)
	return s, err
}

func (ip *interpreter) infos(count, tensor int) ([]common.TensorInfo, error) {
	n := ip.count(count)
	infos := make([]common.TensorInfo, n)
	for i := range infos {
		t := ip.Call(tensor, dylib.Int(ip.handle), dylib.Int(i))
		if t == 0 {
			return nil, &common.Error{Err: common.ErrModel, Text: fmt.Sprintf("tensor %d of %d is not there", i, n)}
		}
		info := common.TensorInfo{Name: dylib.GoString(ip.Call(tensorName, dylib.Int(t)))}
		var err error
		if info.DType, err = tfl.DType(info.Name, int32(ip.Call(tensorType, dylib.Int(t)))); err != nil {
			return nil, err
		}
		info.Shape = ip.declared(t)
		info.Quant = ip.quantization(t)
		infos[i] = info
	}
	return infos, nil
}
