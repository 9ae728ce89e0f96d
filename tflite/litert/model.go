// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// model is a LiteRtModel, of which any number of compiled ones are made.
type model struct {
	lib         *dylib.Library
	driver      *driver
	options     common.Options
	native      Options
	environment *environment
	hardware    uint32
	info        common.ModelInfo
	signatures  []signature
	stateful    bool // it has variables
	handle      uintptr

	mu    sync.Mutex
	spare *compiled // the one that Load made, until a session takes it
}

// signature is one of the file's, with Options.Shapes worked in.
type signature struct {
	common.Signature
	index       int   // by which LiteRT knows it
	lateOutputs bool  // outputs are not simply LiteRT's, or the shape of one is known only after a Run
	places      []int // of Outputs in LiteRT's list of them, where several can be one tensor
	first       []int // for each place, the first one of its tensor; ^i where that is input i
}

func (d *driver) load(files *common.ModelFiles, o common.Options, native Options, environment *environment, hardware uint32) (_ *model, err error) {
	m := &model{lib: d.lib, driver: d, options: o, native: native, environment: environment, hardware: hardware}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if err := m.read(files); err != nil {
		return nil, err
	}
	if m.stateful && native.Kernels == XNNPACK { // which crashes on some uses of variables, and gets others wrong
		m.native.Kernels = Builtin
	}
	if m.spare, err = m.newCompiled(); err != nil {
		return nil, classifyError(err, hardware)
	}
	first := &m.signatures[0]
	shapes, allocateErr := m.spare.allocate(first, common.ErrModel)
	if allocateErr != nil && len(o.Shapes) == 0 && !dynamic(first.Inputs) { // else the shapes to come may fit
		return nil, allocateErr
	}
	for i := range first.Outputs {
		if out := &first.Outputs[i].Shape; allocateErr == nil && len(*out) != len(shapes[first.places[i]]) { // the file lacks it
			*out = shapes[first.places[i]]
		}
	}
	if err := m.reshape(); err != nil {
		return nil, err
	}
	m.info.Format = "tflite"
	m.info.Device, m.info.Details = m.spare.accelerated()
	m.info.Threads, m.info.Sessions = o.ThreadsPerRun(), max(o.Sessions, 1)
	if hardware == gpu {
		m.info.Precision = cmp.Or(o.Precision, common.Float32)
	}
	return m, m.tryLateOutputs()
}

// tryLateOutputs refuses what session.dryRun will, if all inputs are known by
// now.
func (m *model) tryLateOutputs() error {
	first := m.signatures[0]
	if !first.lateOutputs || dynamic(first.Inputs) {
		return nil
	}
	var in []*common.Tensor
	for _, info := range first.Inputs {
		t, err := common.NewTensor(info.DType, info.Shape...)
		if err != nil {
			return err
		}
		in = append(in, t)
	}
	s, err := m.NewSession(context.Background(), 0)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Bind(in, make([]*common.Tensor, len(first.Outputs)))
}

// classifyError makes an error of the device what is one, and not of the model.
func classifyError(err error, hardware uint32) error {
	e, ok := err.(*common.Error)
	switch {
	case !ok || hardware == cpu:
	case e.Code == compilationFailed:
		e.Hint = "set Fallback in litert.Options to have the CPU compute the rest"
	case strings.Contains(e.Message, "environment"): // there is no such device
		e.Kind = common.ErrDevice
	}
	return err
}

// read makes the LiteRtModel and finds its signatures.
func (m *model) read(files *common.ModelFiles) error {
	bytes, err := tfl.Read(files, m.driver.log)
	if err != nil {
		return err
	}
	about, err := tfl.Describe(bytes)
	if err != nil {
		return err
	}
	m.info.Metadata, m.info.State, m.stateful = about.Metadata, about.State(), about.Resources
	create := func(model *uintptr) error {
		r := m.lib.Call(modelFromBuffer, dylib.Int(m.environment.handle), dylib.Slice(bytes), dylib.Int(len(bytes)), dylib.Ptr(model))
		return status(r, common.ErrModel, "LiteRtCreateModelFromBuffer")
	}
	if err := create(&m.handle); err != nil {
		err = m.driver.withStderr(err, func() {
			if model := new(uintptr); create(model) == nil {
				m.lib.Call(modelDestroy, dylib.Int(*model))
			}
		})
		err.(*common.Error).Hint = hintUseTFLite
		return err
	}
	for _, s := range about.Signatures {
		sig, err := m.find(&s)
		if err != nil {
			return err
		}
		m.signatures = append(m.signatures, *sig)
	}
	return nil
}

// find is a signature of the file as LiteRT has it. LiteRT crashes where a
// tensor in its lists has no name, or two have one.
func (m *model) find(s *tfl.Signature) (*signature, error) {
	refuse := func(format string, args ...any) (*signature, error) {
		return nil, &common.Error{Kind: common.ErrModel, Message: fmt.Sprintf(format, args...), Hint: hintUseTFLite}
	}
	for _, info := range slices.Concat(s.Inputs, s.Outputs) {
		if info.DType == common.String {
			return refuse("tensor %q holds strings, which this engine cannot run", info.Name)
		}
		if len(info.Shape) > maxRank {
			return nil, tooManyDims(info)
		}
	}
	sig := &signature{Signature: s.Signature, index: -1, places: s.Out}
	var ins, outs []uintptr
	n, handle, key := new(uintptr), new(uintptr), new(uintptr)
	m.lib.Call(signatureCount, dylib.Int(m.handle), dylib.Ptr(n))
	for i := range int(min(*n, most)) {
		m.lib.Call(signatureAt, dylib.Int(m.handle), dylib.Int(i), dylib.Ptr(handle))
		m.lib.Call(signatureKey, dylib.Int(*handle), dylib.Ptr(key))
		if name := dylib.GoString(*key); name != s.Name && !(s.Name == "" && name == "<placeholder signature>") {
			continue
		}
		if sig.index >= 0 {
			return refuse("two signatures are called %q", s.Name)
		}
		sig.index = i
		ins = m.tensors(*handle, signatureInputs, signatureInput)
		outs = m.tensors(*handle, signatureOutputs, signatureOutput)
	}
	named := sig.index >= 0 && slices.Equal(s.In, indices(len(ins)))
	for i, t := range outs {
		first := slices.Index(outs, t)
		named = named && slices.Contains(s.Out, first)
		if in := slices.Index(ins, t); in >= 0 {
			first = ^in
		}
		sig.first = append(sig.first, first)
		sig.lateOutputs = sig.lateOutputs || first != i
	}
	if !named || !unique(s.Inputs) || !unique(s.Outputs) {
		return refuse("signature %q does not name each input and output of its subgraph, once", s.Name)
	}
	sig.lateOutputs = sig.lateOutputs || !slices.Equal(s.Out, indices(len(outs))) || dynamic(s.Outputs) && !dynamic(s.Inputs)
	return sig, nil
}

const most = 1 << 16 // signatures or tensors, a sanity limit

// hintUseTFLite is what to do about a model that LiteRT cannot run.
const hintUseTFLite = `use engine "tflite"`

// tensors are the handles in one of the lists of a LiteRtSignature.
func (m *model) tensors(handle uintptr, length, at int) []uintptr {
	n := new(uintptr)
	m.lib.Call(length, dylib.Int(handle), dylib.Ptr(n))
	all := make([]uintptr, min(*n, most))
	for i := range all {
		m.lib.Call(at, dylib.Int(handle), dylib.Int(i), dylib.Ptr(&all[i]))
	}
	return all
}

// indices are 0, 1, ... n-1.
func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// unique reports whether no two have the same name.
func unique(infos []common.TensorInfo) bool {
	names := map[string]bool{}
	for _, info := range infos {
		names[info.Name] = true
	}
	return len(names) == len(infos)
}

// reshape works Options.Shapes into the signatures, on TFLite's own kernels,
// for the reason that session.validateShapes has.
func (m *model) reshape() error {
	for name := range m.options.Shapes {
		if !slices.ContainsFunc(m.signatures, func(s signature) bool { return input(s.Inputs, name) >= 0 }) {
			return &common.Error{Kind: common.ErrName, Message: fmt.Sprintf("Shapes has %q, which is not an input", name)}
		}
	}
	if len(m.options.Shapes) == 0 {
		return nil
	}
	c, err := m.compile(cpu, Builtin)
	if err != nil {
		return err
	}
	defer c.close()
	for i := range m.signatures {
		if err := c.reshape(&m.signatures[i]); err != nil {
			return err
		}
	}
	return nil
}

func input(infos []common.TensorInfo, name string) int {
	return slices.IndexFunc(infos, func(i common.TensorInfo) bool { return i.Name == name })
}

func (c *compiled) reshape(s *signature) error {
	resized, freed := false, false // freed: an input that may have been fixed is dynamic
	for name, r := range c.model.options.Shapes {
		i := input(s.Inputs, name)
		if i < 0 {
			continue
		}
		info := &s.Inputs[i]
		if !tfl.Resizable(info.Shape, r) {
			return &common.Error{Kind: common.ErrShape, Message: fmt.Sprintf("Shapes has %v for input %q, whose shape is %v; the rank and a fixed last dimension stay", r, name, info.Shape)}
		}
		if err := c.resize(s, i, r.Opt); err != nil {
			return err
		}
		info.Shape = r.Shape()
		resized, freed = true, freed || info.Shape.Dynamic()
	}
	if !resized {
		return nil
	}
	shapes, err := c.reallocate(s, s.lateOutputs)
	if err != nil {
		return err
	}
	for i := range s.Outputs {
		out := &s.Outputs[i].Shape
		switch {
		case s.lateOutputs:
		case !dynamic(s.Inputs):
			*out = shapes[s.places[i]]
		case freed: // the model does not say which dimensions follow the input's
			*out = slices.Repeat(common.Shape{-1}, len(shapes[s.places[i]]))
		}
	}
	return nil
}

func dynamic(infos []common.TensorInfo) bool { return common.Signature{Inputs: infos}.Dynamic() }

func (m *model) Info() common.ModelInfo { return m.info }

func (m *model) Signatures() (all []common.Signature) {
	for _, s := range m.signatures {
		all = append(all, s.Signature)
	}
	return all
}

func (m *model) NewSession(_ context.Context, i int) (common.DriverSession, error) {
	m.mu.Lock()
	c := m.spare
	m.spare = nil
	m.mu.Unlock()
	if c == nil {
		var err error
		if c, err = m.newCompiled(); err != nil {
			return nil, err
		}
	}
	return newSession(c, &m.signatures[i])
}

// newCompiled compiles the model as the options say.
func (m *model) newCompiled() (*compiled, error) {
	hardware := m.hardware
	if m.native.Fallback {
		hardware |= cpu
	}
	return m.compile(hardware, m.native.Kernels)
}

func (m *model) Close() error {
	if m.spare != nil {
		m.spare.close()
	}
	if m.handle != 0 {
		m.lib.Call(modelDestroy, dylib.Int(m.handle))
	}
	return nil
}
