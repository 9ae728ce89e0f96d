// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/nativelog"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// model is a TfLiteModel, which any number of interpreters read.
type model struct {
	lib     *dylib.Library
	log     nativelog.Log
	options common.Options
	native  Options
	info    common.ModelInfo
	file    *tfl.Model
	plugin  *plugin // the library of Options.Delegate, or nil
	report  *report
	handle  uintptr

	mu    sync.Mutex
	spare *interpreter // the one that Load made, until a session takes it
}

func (d *driver) load(files *common.ModelFiles, o common.Options, n Options) (_ *model, err error) {
	m := &model{lib: d.lib, log: d.log, options: o, native: n, report: newReport()}
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
	if m.spare, err = m.newInterpreter(0, true); err != nil {
		return nil, err
	}
	if err := m.describe(m.spare); err != nil {
		return nil, err
	}
	if err := m.reshape(); err != nil {
		return nil, err
	}
	m.info = common.ModelInfo{
		Format: "tflite", Device: device.Name, Threads: o.ThreadsPerRun(), Sessions: max(o.Sessions, 1), State: m.file.State(),
		Details: m.details(), Metadata: m.file.Metadata,
	}
	if len(m.file.Signatures) > 1 { // it has memory for all of them
		m.spare.close()
		m.spare = nil
	}
	return m, nil
}

// read makes the TfLiteModel.
func (m *model) read(files *common.ModelFiles) error {
	bytes, err := tfl.Read(files, m.log)
	if err != nil {
		return err
	}
	if m.file, err = tfl.Describe(bytes); err != nil {
		return err
	}
	callback, userData := m.report.args()
	m.handle = m.lib.Call(modelCreate, dylib.Slice(bytes), dylib.Int(len(bytes)), callback, userData) // which reads them in place
	if m.handle == 0 {
		return m.report.error(common.ErrModel, 0, "it is not a TFLite model")
	}
	return nil
}

// describe completes the signatures, and returns an error where the model
// cannot run with the shapes that it has.
func (m *model) describe(ip *interpreter) error {
	for i := range m.file.Signatures {
		if err := ip.use(i); err != nil {
			return err
		}
		allocateErr := ip.allocate(common.ErrModel)
		if allocateErr != nil && len(m.options.Shapes) == 0 && !dynamic(ip.sig.Inputs) { // else the shapes to come may fit
			return allocateErr
		}
		ip.describe()
	}
	return nil
}

// reshape works Options.Shapes into the signatures, on an interpreter without
// delegates, for the reason that session.validateShapes has.
func (m *model) reshape() error {
	if len(m.options.Shapes) == 0 {
		return nil
	}
	for name := range m.options.Shapes {
		if !slices.ContainsFunc(m.file.Signatures, func(s tfl.Signature) bool {
			return slices.ContainsFunc(s.Inputs, func(i common.TensorInfo) bool { return i.Name == name })
		}) {
			return &common.Error{Kind: common.ErrName, Message: fmt.Sprintf("Shapes has %q, which is not an input", name)}
		}
	}
	ip, err := m.newInterpreter(0, false)
	if err != nil {
		return err
	}
	defer ip.close()
	for i := range m.file.Signatures {
		if err := ip.use(i); err != nil {
			return err
		}
		if err := ip.reshape(); err != nil {
			return err
		}
	}
	return nil
}

// details are ModelInfo's.
func (m *model) details() map[string]string {
	var delegates []string
	if m.plugin != nil {
		delegates = append(delegates, m.plugin.lib.Path)
	}
	if m.spare.xnnpack != 0 {
		delegates = append(delegates, "XNNPACK")
	}
	if delegates == nil {
		return nil
	}
	return map[string]string{"delegates": strings.Join(delegates, ", ")}
}

func (m *model) Info() common.ModelInfo { return m.info }

func (m *model) Signatures() []common.Signature {
	var all []common.Signature
	for _, s := range m.file.Signatures {
		all = append(all, s.Signature)
	}
	return all
}

func (m *model) NewSession(_ context.Context, signature int) (common.DriverSession, error) {
	m.mu.Lock()
	ip := m.spare
	m.spare = nil
	m.mu.Unlock()
	if ip == nil {
		var err error
		if ip, err = m.newInterpreter(signature, true); err != nil {
			return nil, err
		}
	}
	return newSession(ip), nil
}

func (m *model) Close() error {
	if m.spare != nil {
		m.spare.close()
	}
	if m.handle != 0 {
		m.lib.Call(modelDelete, dylib.Int(m.handle))
	}
	m.report.close()
	return nil
}
