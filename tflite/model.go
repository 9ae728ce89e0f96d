// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// model is a TfLiteModel, which any number of interpreters read.
type model struct {
	*driver
	options common.Options
	native  Options
	info    common.ModelInfo
	sig     common.Signature
	report  *report
	handle  uintptr
	bytes   []byte // the model: TFLite reads it there
	pin     runtime.Pinner

	mu    sync.Mutex
	spare *interpreter // the one that Load made, until a session takes it
}

func (d *driver) load(src common.Source, o common.Options, n Options) (_ *model, err error) {
	m := &model{driver: d, options: o, native: n, report: newReport()}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if err := m.read(src); err != nil {
		return nil, err
	}
	if m.spare, err = m.newInterpreter(!n.NoXNNPACK); err != nil {
		return nil, err
	}
	unfit := m.spare.allocate(common.ErrModel)
	if m.sig, err = m.spare.signature(); err != nil {
		return nil, err
	}
	if unfit != nil && len(o.Shapes) == 0 && !m.dynamicInputs() { // else the shapes to come may fit
		return nil, unfit
	}
	if len(o.Shapes) > 0 {
		if err := m.reshape(); err != nil {
			return nil, err
		}
	}
	m.info = common.ModelInfo{
		Format: "tflite", Device: device.Name, Threads: threads(o), Sessions: max(o.Sessions, 1), Notes: "XNNPACK",
	}
	if m.spare.delegate == 0 {
		m.info.Notes = "no XNNPACK"
	}
	return m, nil
}

// read makes the TfLiteModel.
func (m *model) read(src common.Source) (err error) {
	if m.bytes, err = tfl.Read(src); err != nil {
		return err
	}
	m.pin.Pin(&m.bytes[0])
	callback, userData := m.report.args()
	m.handle = m.Call(modelCreate, dylib.Slice(m.bytes), dylib.Int(len(m.bytes)), callback, userData)
	if m.handle == 0 {
		return m.report.error(common.ErrModel, 0, "it is not a TFLite model")
	}
	return nil
}

// reshape works Options.Shapes into the signature, on an interpreter without
// XNNPACK, for the reason that session.prove has.
func (m *model) reshape() (err error) {
	ip := m.spare
	if ip.delegate != 0 {
		if ip, err = m.newInterpreter(false); err != nil {
			return err
		}
		defer ip.close()
	}
	freed := false // an input that may have been fixed is dynamic
	for name, r := range m.options.Shapes {
		i := slices.IndexFunc(m.sig.Inputs, func(i common.TensorInfo) bool { return i.Name == name })
		if i < 0 {
			return &common.Error{Err: common.ErrName, Text: fmt.Sprintf("Shapes has %q, which is not an input", name)}
		}
		info := &m.sig.Inputs[i]
		if !tfl.Resizable(info.Shape, r) {
			return &common.Error{Err: common.ErrShape, Text: fmt.Sprintf("Shapes has %v for input %q, whose shape is %v; the rank and a fixed last dimension stay", r, name, info.Shape)}
		}
		if err := ip.resize(i, r.Opt); err != nil {
			return err
		}
		info.Shape = r.Shape()
		freed = freed || info.Shape.Dynamic()
	}
	if err := ip.refit(); err != nil {
		return err
	}
	for i := range m.sig.Outputs {
		out := &m.sig.Outputs[i].Shape
		switch t := ip.output(i); {
		case m.dynamic(t):
			*out = nil
		case !m.dynamicInputs():
			*out = m.shape(t)
		case freed: // which dimensions follow the input, the model does not tell
			*out = slices.Repeat(common.Shape{-1}, len(m.shape(t)))
		}
	}
	return nil
}

func (m *model) dynamicInputs() bool { return common.Signature{Inputs: m.sig.Inputs}.Dynamic() }

func (m *model) Info() common.ModelInfo         { return m.info }
func (m *model) Signatures() []common.Signature { return []common.Signature{m.sig} }

func (m *model) NewSession(int) (common.DriverSession, error) {
	m.mu.Lock()
	ip := m.spare
	m.spare = nil
	m.mu.Unlock()
	if ip == nil {
		var err error
		if ip, err = m.newInterpreter(!m.native.NoXNNPACK); err != nil {
			return nil, err
		}
	}
	return newSession(m, ip), nil
}

func (m *model) Close() error {
	if m.spare != nil {
		m.spare.close()
	}
	if m.handle != 0 {
		m.Call(modelDelete, dylib.Int(m.handle))
	}
	m.report.close()
	m.pin.Unpin()
	return nil
}
