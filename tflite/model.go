// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/nativelog"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// model is a TfLiteModel, shared by any number of interpreters.
type model struct {
	lib      *dylib.Library
	log      nativelog.Log
	options  common.Options
	native   Options
	info     common.ModelInfo
	file     *tfl.Model
	plugin   *plugin // the library of Options.Delegate; or nil
	reporter *errorReporter
	handle   uintptr

	unused atomic.Pointer[interpreter] // made by Load for the first session; or nil
}

func (d *driver) load(files *common.ModelFiles, o common.Options, n Options) (_ *model, err error) {
	m := &model{lib: d.lib, log: d.log, options: o, native: n, reporter: newErrorReporter()}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if n.Delegate != "" {
		if m.plugin, err = openPlugin(n.Delegate); err != nil {
			return nil, err
		}
	}
	if err := m.read(files); err != nil {
		return nil, err
	}
	ip, err := m.newInterpreter(0, true)
	if err != nil {
		return nil, err
	}
	m.unused.Store(ip)
	newReference := func() (tfl.Interpreter, error) { return m.newInterpreter(0, false) }
	if err := m.file.SetShapes(o.Shapes, ip, newReference); err != nil {
		return nil, err
	}
	m.info = common.ModelInfo{
		Format: "tflite", Device: device.Name, Threads: o.ThreadsPerRun(), Sessions: max(o.Sessions, 1),
		State: m.file.State(), Details: m.details(ip), Metadata: m.file.Metadata,
	}
	if len(m.file.Signatures) > 1 { // SetShapes has allocated them all in ip, and a session needs only one
		m.unused.Store(nil)
		ip.Close()
	}
	return m, nil
}

// read makes the TfLiteModel.
func (m *model) read(files *common.ModelFiles) error {
	bytes, err := tfl.Read(files)
	if err != nil {
		return err
	}
	if m.file, err = tfl.Describe(bytes); err != nil {
		return err
	}
	if m.file.ComparesScaleOne {
		return tfl.Errorf(common.ErrModel, "it compares quantized tensors, one with a scale of exactly 1, for which the library ends the process")
	}
	callback, userData := m.reporter.args()
	// TFLite reads constants in place, so bytes must stay at its address until the model is closed.
	m.handle = m.lib.Call(modelCreate, dylib.Slice(bytes), dylib.Int(len(bytes)), callback, userData)
	if m.handle == 0 {
		return m.reporter.error(common.ErrModel, 0, "TFLite cannot read the model")
	}
	return nil
}

// details returns ModelInfo.Details of a model that runs on interpreters like ip.
func (m *model) details(ip *interpreter) map[string]string {
	var delegates []string
	if m.plugin != nil {
		delegates = append(delegates, m.plugin.lib.Path)
	}
	if ip.xnnpack != 0 {
		delegates = append(delegates, "XNNPACK")
	}
	if delegates == nil {
		return nil
	}
	return map[string]string{"delegates": strings.Join(delegates, ", ")}
}

func (m *model) Info() common.ModelInfo { return m.info }

func (m *model) Signatures() []common.Signature { return m.file.CommonSignatures() }

func (m *model) NewSession(_ context.Context, signature int) (common.DriverSession, error) {
	ip := m.unused.Swap(nil)
	if ip == nil {
		var err error
		if ip, err = m.newInterpreter(signature, true); err != nil {
			return nil, err
		}
	}
	s, err := newSession(ip)
	if err != nil {
		ip.Close()
		return nil, err
	}
	return s, nil
}

func (m *model) Close() error {
	if ip := m.unused.Load(); ip != nil {
		ip.Close()
	}
	if m.handle != 0 {
		m.lib.Call(modelDelete, dylib.Int(m.handle))
	}
	m.reporter.close()
	return nil
}
