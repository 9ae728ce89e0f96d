// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// model is a LiteRtModel, the source of any number of compiled models.
type model struct {
	lib         *dylib.Library
	driver      *driver
	options     common.Options
	native      Options
	environment *environment
	hardware    uint32
	info        common.ModelInfo
	file        *tfl.Model
	signatures  []signature // the file's, as LiteRT has them
	stateful    bool        // the model has resource variables
	handle      uintptr

	unused atomic.Pointer[compiled] // made by Load for the first session; or nil
}

// signature is one of the file's signatures with LiteRT's data about it.
type signature struct {
	file        *tfl.Signature // file.Out has the index of each output in LiteRT's list
	index       int            // its index in LiteRT's list of signatures
	dynamic     bool           // the shape of an output is known only after a Run
	copyOutputs bool           // dynamic, or LiteRT's list of outputs differs from the file's or repeats one
	aliasOf     []int          // for each entry of LiteRT's list, the first one with the same tensor; ^i if it is input i
}

func (d *driver) load(
	files *common.ModelFiles, o common.Options, native Options, environment *environment, hardware uint32,
) (_ *model, err error) {
	m := &model{lib: d.lib, driver: d, options: o, native: native, environment: environment, hardware: hardware}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if err := m.read(files); err != nil {
		return nil, err
	}
	if m.stateful && native.Kernels == XNNPACK { // XNNPACK crashes on some uses of variables, and computes others wrongly
		m.native.Kernels = Builtin
	}
	c, err := m.newCompiled(&m.signatures[0])
	if err != nil {
		return nil, classifyError(err, hardware)
	}
	m.unused.Store(c)
	newReference := func() (tfl.Interpreter, error) { return m.compile(&m.signatures[0], cpu, Builtin) }
	if err := m.file.SetShapes(o.Shapes, c, newReference); err != nil {
		return nil, err
	}
	m.info.Format = "tflite"
	m.info.Device, m.info.Details = c.describe()
	m.info.Threads, m.info.Sessions = o.ThreadsPerRun(), max(o.Sessions, 1)
	if hardware == gpu {
		m.info.Precision = cmp.Or(o.Precision, common.Float32)
	}
	if len(m.signatures) > 1 { // SetShapes has allocated them all in c, and a session needs only one
		m.unused.Store(nil)
		c.Close()
	}
	return m, m.checkDynamicOutputs()
}

// checkDynamicOutputs returns the error that session.dryRun would, so that Load fails and another engine can load the
// model. It does nothing if an input's shape is dynamic.
func (m *model) checkDynamicOutputs() error {
	first := m.signatures[0]
	if !first.copyOutputs || dynamic(first.file.Inputs) {
		return nil
	}
	var in []*common.Tensor
	for _, info := range first.file.Inputs {
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
	return s.Bind(in, make([]*common.Tensor, len(first.file.Outputs)))
}

// classifyError changes the kind of compile's error to ErrDevice if the device caused it.
func classifyError(err error, hardware uint32) error {
	e, ok := err.(*common.Error)
	switch {
	case !ok || hardware == cpu:
	case e.Code == compilationFailed:
		e.Hint = "set Fallback in litert.Options to run the other operators on the CPU"
	case strings.Contains(e.Message, "environment"): // LiteRT could not open the device
		e.Kind = common.ErrDevice
	}
	return err
}

// read makes the LiteRtModel and finds its signatures.
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
	m.info.Metadata, m.info.State, m.stateful = m.file.Metadata, m.file.State(), m.file.Resources
	create := func(model *uintptr) error {
		r := m.lib.Call(modelFromBuffer, dylib.Int(m.environment.handle), dylib.Slice(bytes), dylib.Int(len(bytes)),
			dylib.Ptr(model))
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
	for i := range m.file.Signatures {
		sig, err := m.findSignature(&m.file.Signatures[i])
		if err != nil {
			return err
		}
		m.signatures = append(m.signatures, *sig)
	}
	return nil
}

// findSignature finds the file's signature s in LiteRT's lists. It refuses signatures with unnamed tensors or
// duplicate names, on which LiteRT crashes.
func (m *model) findSignature(s *tfl.Signature) (*signature, error) {
	refuse := func(format string, args ...any) (*signature, error) {
		err := tfl.Errorf(common.ErrModel, format, args...)
		err.Hint = hintUseTFLite
		return nil, err
	}
	for _, info := range slices.Concat(s.Inputs, s.Outputs) {
		if info.DType == common.String {
			return refuse("tensor %q holds strings, which this engine cannot run", info.Name)
		}
		if len(info.Shape) > maxRank {
			return nil, tooManyDims(info)
		}
	}
	sig := &signature{file: s, index: -1, dynamic: dynamic(s.Outputs) && !dynamic(s.Inputs)}
	var ins, outs []uintptr
	n, handle, key := new(uintptr), new(uintptr), new(uintptr)
	m.lib.Call(signatureCount, dylib.Int(m.handle), dylib.Ptr(n))
	for i := range int(min(*n, maxCount)) {
		m.lib.Call(signatureAt, dylib.Int(m.handle), dylib.Int(i), dylib.Ptr(handle))
		m.lib.Call(signatureKey, dylib.Int(*handle), dylib.Ptr(key))
		if name := dylib.GoString(*key); name != s.Name && !(s.Name == "" && name == "<placeholder signature>") {
			continue
		}
		if sig.index >= 0 {
			return refuse("the file has two signatures with the name %q", s.Name)
		}
		sig.index = i
		ins = m.tensors(*handle, signatureInputs, signatureInput)
		outs = m.tensors(*handle, signatureOutputs, signatureOutput)
	}
	complete := sig.index >= 0 && slices.Equal(s.In, indices(len(ins)))
	for i, t := range outs {
		first := slices.Index(outs, t)
		complete = complete && slices.Contains(s.Out, first)
		if in := slices.Index(ins, t); in >= 0 {
			first = ^in
		}
		sig.aliasOf = append(sig.aliasOf, first)
		sig.copyOutputs = sig.copyOutputs || first != i
	}
	if !complete || !unique(s.Inputs) || !unique(s.Outputs) {
		return refuse("signature %q does not name each input and output of its subgraph exactly once, as LiteRT needs",
			s.Name)
	}
	sig.copyOutputs = sig.copyOutputs || sig.dynamic || !slices.Equal(s.Out, indices(len(outs)))
	return sig, nil
}

const maxCount = 1 << 16 // a sanity limit for the numbers of signatures and tensors that LiteRT reports

// hintUseTFLite is the Hint for a model that LiteRT cannot run.
const hintUseTFLite = `use engine "tflite"`

// tensors returns the handles in a list of the LiteRtSignature at handle. length and at are the list's functions.
func (m *model) tensors(handle uintptr, length, at int) []uintptr {
	n := new(uintptr)
	m.lib.Call(length, dylib.Int(handle), dylib.Ptr(n))
	all := make([]uintptr, min(*n, maxCount))
	for i := range all {
		m.lib.Call(at, dylib.Int(handle), dylib.Int(i), dylib.Ptr(&all[i]))
	}
	return all
}

// indices returns 0, 1, ... n-1.
func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// unique reports whether each name occurs once.
func unique(infos []common.TensorInfo) bool {
	names := map[string]bool{}
	for _, info := range infos {
		names[info.Name] = true
	}
	return len(names) == len(infos)
}

func dynamic(infos []common.TensorInfo) bool { return common.Signature{Inputs: infos}.Dynamic() }

func (m *model) Info() common.ModelInfo { return m.info }

func (m *model) Signatures() []common.Signature { return m.file.CommonSignatures() }

func (m *model) NewSession(_ context.Context, i int) (common.DriverSession, error) {
	c := m.unused.Swap(nil)
	if c == nil {
		var err error
		if c, err = m.newCompiled(&m.signatures[i]); err != nil {
			return nil, err
		}
	}
	return newSession(c)
}

// newCompiled compiles the model with its options and sets it to sig.
func (m *model) newCompiled(sig *signature) (*compiled, error) {
	hardware := m.hardware
	if m.native.Fallback {
		hardware |= cpu
	}
	return m.compile(sig, hardware, m.native.Kernels)
}

func (m *model) Close() error {
	if c := m.unused.Load(); c != nil {
		c.Close()
	}
	if m.handle != 0 {
		m.lib.Call(modelDestroy, dylib.Int(m.handle))
	}
	return nil
}
