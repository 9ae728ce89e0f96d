// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"context"
	"regexp"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// session is an OrtIoBinding: inputs and outputs for Runs of the model's OrtSession.
// The fields that Run reads come first.
type session struct {
	run      dylib.Prepared
	canceled atomic.Bool // the OrtRunOptions have the flag that Cancel sets
	fetches  bool        // some outputs are read from tensors that ONNX Runtime makes
	strings  bool        // some inputs are strings, which each Run copies

	fetchesAll bool // because the model has wrong shapes for outputs
	model      *model
	runOptions uintptr
	binding    uintptr
	ins, outs  []slot
	out        []*common.Tensor
	fetcher    fetcher
	terminate  dylib.Prepared
	pin        runtime.Pinner // of what prepared calls have the address of
}

// slot is an input or output.
type slot struct {
	tensor *common.Tensor // in whose memory it is
	pin    runtime.Pinner // of that memory
	value  uintptr        // the OrtValue of a tensor of strings
	fetch  dylib.Prepared // BindOutputToDevice, for an output that ONNX Runtime makes
	name   []byte         // pinned by the session
}

func (m *model) NewSession(ctx context.Context, _ int) (common.DriverSession, error) {
	if m.settings.common.Profile {
		return m.newProfiled(ctx)
	}
	return m.bindingFor(m.session)
}

// bindingFor makes a session for an OrtSession of the model.
func (m *model) bindingFor(ort uintptr) (*session, error) {
	s := &session{model: m, ins: make([]slot, len(m.inputs)), outs: make([]slot, len(m.outputs))}
	if err := s.init(ort); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *session) init(ort uintptr) (err error) {
	d := s.model.driver
	if s.runOptions, err = d.get(common.ErrModel, fnCreateRunOptions); err != nil {
		return err
	}
	// A Run's error says what would also be logged.
	if err := d.call(common.ErrModel, fnRunOptionsSetRunLogSeverityLevel, dylib.Int(s.runOptions), dylib.Int(logFatal)); err != nil {
		return err
	}
	for key, value := range s.model.settings.native.RunConfig {
		if err := d.call(common.ErrOption, fnAddRunConfigEntry, dylib.Int(s.runOptions), dylib.String(key), dylib.String(value)); err != nil {
			return err
		}
	}
	if s.binding, err = d.get(common.ErrModel, fnCreateIoBinding, dylib.Int(ort)); err != nil {
		return err
	}
	s.run = d.api.Prepare(fnRunWithBinding, dylib.Int(ort), dylib.Int(s.runOptions), dylib.Int(s.binding))
	s.terminate = d.api.Prepare(fnRunOptionsSetTerminate, dylib.Int(s.runOptions))
	for i, info := range s.model.outputs {
		isInput := slices.ContainsFunc(s.model.inputs, func(in common.TensorInfo) bool { return in.Name == info.Name })
		if info.Shape.Dynamic() && s.model.places[i] == nil || info.DType == common.String || isInput { // an input is not written to the output that is bound
			s.fetchOutput(i)
		}
		// The binding keeps the outputs in the order in which they are bound first.
		if err := d.call(common.ErrModel, fnBindOutputToDevice, dylib.Int(s.binding), dylib.String(info.Name), dylib.Int(d.memory)); err != nil {
			return err
		}
	}
	if s.model.wrongShapes.Load() {
		s.fetchAll()
	}
	return nil
}

// fetchOutput makes Run fetch output i.
func (s *session) fetchOutput(i int) {
	d, b := s.model.driver, &s.outs[i]
	if b.name != nil {
		return
	}
	b.name = append([]byte(s.model.outputs[i].Name), 0)
	s.pin.Pin(unsafe.SliceData(b.name))
	b.fetch = d.api.Prepare(fnBindOutputToDevice, dylib.Int(s.binding), dylib.Slice(b.name), dylib.Int(d.memory))
	if !s.fetches {
		s.fetches = true
		s.prepareFetch()
	}
}

func (s *session) fetchAll() {
	s.fetchesAll = true
	for i := range s.outs {
		s.fetchOutput(i)
	}
}

// Bind makes tensors of ONNX Runtime's in the memory of in and out. An output whose
// shape is not known yet, strings, and inputs that are outputs are copied by Run.
func (s *session) Bind(in, out []*common.Tensor) (err error) {
	s.out = out
	for i, info := range s.model.outputs {
		shape := s.model.shapeFor(i, in)
		if shape == nil || s.fetchesAll {
			continue
		}
		if out[i], err = common.EnsureTensor(out[i], info.DType, shape); err != nil {
			return err
		}
		if out[i] == s.outs[i].tensor || s.outs[i].name != nil {
			continue
		}
		if err := s.bind(&s.outs[i], fnBindOutput, info.Name, out[i]); err != nil {
			return err
		}
	}
	for i, t := range in {
		if t == s.ins[i].tensor {
			continue
		}
		if err := s.bind(&s.ins[i], fnBindInput, s.model.inputs[i].Name, t); err != nil {
			return err
		}
	}
	return nil
}

var noElements = make([]byte, 1)

// bind sets t as an input or output. The binding uses t's memory until another
// tensor is set, so the memory stays pinned until then.
func (s *session) bind(b *slot, bindFn int, name string, t *common.Tensor) error {
	d := s.model.driver
	dims := make([]int64, len(t.Shape()))
	for i, n := range t.Shape() {
		dims[i] = int64(n)
	}
	var value uintptr
	var err error
	var pin runtime.Pinner
	if t.DType() == common.String {
		s.strings = true
		value, err = d.get(common.ErrInput, fnCreateTensorAsOrtValue, dylib.Int(d.allocator), dylib.Slice(dims), dylib.Int(len(dims)), dylib.Int(codes[common.String]))
	} else {
		memory := t.Bytes()
		if len(memory) == 0 {
			memory = noElements
		}
		pin.Pin(unsafe.SliceData(memory))
		value, err = d.get(common.ErrInput, fnCreateTensorWithDataAsOrtValue, dylib.Int(d.memory), dylib.Slice(memory), dylib.Int(len(t.Bytes())), dylib.Slice(dims), dylib.Int(len(dims)), dylib.Int(codes[t.DType()]))
	}
	if err == nil {
		err = d.call(common.ErrInput, bindFn, dylib.Int(s.binding), dylib.String(name), dylib.Int(value))
	}
	if err != nil || t.DType() != common.String {
		d.free(fnReleaseValue, value) // the binding has a reference of its own
		value = 0
	}
	if err != nil {
		pin.Unpin()
		return err
	}
	b.release(d)
	b.tensor, b.pin, b.value = t, pin, value
	return nil
}

func (b *slot) release(d *driver) {
	b.pin.Unpin()
	d.free(fnReleaseValue, b.value)
	b.value = 0
}

// Run calls RunWithBinding. An early Cancel is lost when it comes before the flag
// of an earlier one is cleared; package common repeats it.
func (s *session) Run(context.Context) error {
	d := s.model.driver
	if s.canceled.Swap(false) {
		if err := d.call(common.ErrRun, fnRunOptionsUnsetTerminate, dylib.Int(s.runOptions)); err != nil {
			return err
		}
	}
	if s.strings {
		if err := s.writeStrings(); err != nil {
			return err
		}
	}
	wrong, err := s.runAndFetch()
	if wrong && !s.fetchesAll {
		if !s.model.wrongShapes.Swap(true) {
			d.log.Warn("the shape of an output is not that in the model's file; outputs are copied from now on", "reason", err)
		}
		s.fetchAll()
		_, err = s.runAndFetch()
	}
	return err
}

// wrongShape matches ONNX Runtime's message where an output does not have the shape
// in the file, and so does not fit the tensor that Bind has made for it. The second
// one is that of older releases.
var wrongShape = regexp.MustCompile("pre-allocated|shape verification failed")

// runAndFetch runs the model. wrong reports that it failed because of a wrong shape.
func (s *session) runAndFetch() (wrong bool, err error) {
	d := s.model.driver
	for i := 0; s.fetches && i < len(s.outs); i++ {
		if b := &s.outs[i]; b.name != nil { // else ONNX Runtime would use the last Run's tensor again
			if err := d.check(common.ErrRun, b.fetch.Do()); err != nil {
				return false, err
			}
		}
	}
	if status := s.run.Do(); status != 0 {
		wrong = wrongShape.MatchString(d.message(status))
		return wrong, d.check(common.ErrRun, status)
	}
	if !s.fetches {
		return false, nil
	}
	return false, s.fetch()
}

// Cancel sets a flag that ONNX Runtime reads between two operators.
func (s *session) Cancel() {
	s.model.driver.check(nil, s.terminate.Do())
	s.canceled.Store(true) // after the flag is set, so that a later Run clears it
}

// Close frees the binding before the memory that it uses.
func (s *session) Close() error {
	d := s.model.driver
	d.free(fnReleaseIoBinding, s.binding)
	d.free(fnReleaseRunOptions, s.runOptions)
	for _, slots := range [][]slot{s.ins, s.outs} {
		for i := range slots {
			slots[i].release(d)
		}
	}
	s.pin.Unpin()
	return nil
}
