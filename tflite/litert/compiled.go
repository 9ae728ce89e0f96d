// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// compiled is a LiteRtCompiledModel, set to one signature. It has one interpreter, so it serves one session.
type compiled struct {
	lib      *dylib.Library
	model    *model
	sig      *signature
	handle   uintptr
	shapes   []common.Shape // by LiteRT's output index, set by Allocate
	canceled *atomic.Uint32 // Run stops if it is not 0
	pin      runtime.Pinner // pins canceled, which LiteRT reads
}

// lockDevice waits until no other call uses a device, unless hardware is only the CPU.
func (m *model) lockDevice(hardware uint32) {
	if hardware != cpu {
		m.environment.deviceMu.Lock()
	}
}

func (m *model) unlockDevice(hardware uint32) {
	if hardware != cpu {
		m.environment.deviceMu.Unlock()
	}
}

// compile compiles the model for hardware, with kernels on the CPU. If that fails, it repeats the call to read the
// reason from stderr.
func (m *model) compile(sig *signature, hardware uint32, kernels Kernels) (c *compiled, err error) {
	m.lockDevice(hardware)
	defer m.unlockDevice(hardware)
	err = m.driver.log.Capture(func() error {
		c, err = m.compileWith(hardware, kernels, bufferMode)
		return err
	})
	if err != nil {
		return nil, m.driver.withStderr(err, func() {
			if c, err := m.compileWith(hardware, kernels, stderrMode); err == nil {
				c.destroy() // Close would wait for the lock that compile holds
			}
		})
	}
	c.sig = sig
	return c, nil
}

// These are values of LiteRtErrorReporterMode: the place to which an interpreter reports errors.
const stderrMode, bufferMode = 1, 2

func (m *model) compileWith(hardware uint32, kernels Kernels, mode int) (*compiled, error) {
	options := new(uintptr)
	if err := status(m.lib.Call(optionsCreate, dylib.Ptr(options)), common.ErrModel, "LiteRtCreateOptions"); err != nil {
		return nil, err
	}
	defer m.lib.Call(optionsDestroy, dylib.Int(*options)) // the compiled model does not keep them
	m.lib.Call(optionsSetHardware, dylib.Int(*options), dylib.Int(hardware))
	cpuOptions := fmt.Sprintf("num_threads=%d\nkernel_mode=%d\n", m.options.ThreadsPerRun(), kernels)
	var pin runtime.Pinner // pins the texts below
	defer pin.Unpin()
	for id, text := range map[string]string{
		"xnnpack":                cpuOptions, // read by releases before 2.3
		"cpu_delegate":           cpuOptions, // read by 2.3 and later
		"gpu_options":            fmt.Sprintf("precision=%d\n", gpuPrecision(m.options)),
		"runtime_options_string": fmt.Sprintf("error_reporter_mode=%d\nenable_profiling=%v\n", mode, m.options.Profile),
	} {
		payload := append([]byte(text), 0)
		pin.Pin(&payload[0])
		opaque := new(uintptr)
		r := m.lib.Call(opaqueCreate, dylib.String(id), dylib.Slice(payload), readByte(m.lib), dylib.Ptr(opaque))
		if int32(r) == 0 {
			r = m.lib.Call(optionsAdd, dylib.Int(*options), dylib.Int(*opaque))
		}
		if err := status(r, common.ErrOption, id); err != nil {
			return nil, err
		}
	}
	c := &compiled{lib: m.lib, model: m, canceled: new(atomic.Uint32)}
	r := m.lib.Call(compiledCreate, dylib.Int(m.environment.handle), dylib.Int(m.handle), dylib.Int(*options),
		dylib.Ptr(&c.handle))
	if err := status(r, common.ErrModel, "LiteRtCreateCompiledModel"); err != nil {
		return nil, err
	}
	c.pin.Pin(c.canceled)
	c.lib.Call(compiledSetCancel, dylib.Int(c.handle), dylib.Ptr(c.canceled), readByte(c.lib))
	return c, nil
}

// gpuPrecision returns the LiteRtDelegatePrecision: float16 only if Options.Precision asks for it, although it is
// LiteRT's default on a GPU.
func gpuPrecision(o common.Options) int {
	if o.Precision == common.Float16 {
		return 1
	}
	return 2
}

// readByte returns a C function that takes a pointer and returns 0 if the byte there is 0, and another number if it is
// 1: strlen, which on a little-endian machine finds the end of 0 and of 1 at the first and the second byte. LiteRT
// calls it before each operator to ask whether Run must stop. It costs some nanoseconds; a callback into Go takes a
// hundred times as long. It also serves as a destructor that does nothing.
func readByte(lib *dylib.Library) dylib.Arg {
	if lib.Has(strlen) {
		return lib.Address(strlen)
	}
	return dylib.Int(readByteInGo())
}

var readByteInGo = sync.OnceValue(func() uintptr {
	return dylib.Callback(func(p uintptr) uintptr {
		b := make([]byte, 1)
		dylib.CopyOut(b, p)
		return uintptr(b[0])
	})
})

// Close and the other exported methods implement tfl.Interpreter.
func (c *compiled) Close() {
	c.model.lockDevice(c.model.hardware)
	defer c.model.unlockDevice(c.model.hardware)
	c.destroy()
}

func (c *compiled) destroy() {
	c.lib.Call(compiledDestroy, dylib.Int(c.handle))
	c.pin.Unpin()
}

func (c *compiled) SetSignature(index int) error {
	c.sig = &c.model.signatures[index]
	return nil
}

// Resize refuses another shape if the model has variables: LiteRT reads past the end of a variable whose value has
// become smaller.
func (c *compiled) Resize(input int, dims []int32) error {
	l, err := c.inputLayout(input)
	if err != nil || slices.Equal(l.dims[:l.rank()], dims) {
		return err
	}
	if c.model.stateful {
		err := tfl.Errorf(common.ErrShape, "LiteRT cannot resize inputs of a model with variables")
		err.Hint = hintUseTFLite
		return err
	}
	r := c.lib.Call(compiledResize, dylib.Int(c.handle), dylib.Int(c.sig.index), dylib.Int(input),
		dylib.Slice(dims), dylib.Int(len(dims)))
	return c.fail(r, common.ErrShape, "LiteRtCompiledModelResizeInputTensorNonStrict")
}

func (c *compiled) Allocate(kind error) (outputs []common.Shape, dynamic bool, err error) {
	layouts := newLayouts(len(c.sig.aliasOf))
	r := c.lib.Call(compiledOutputLayouts, dylib.Int(c.handle), dylib.Int(c.sig.index), dylib.Int(len(layouts)),
		dylib.Slice(layouts), dylib.Int(1))
	if err := c.fail(r, kind, "LiteRtGetCompiledModelOutputTensorLayouts"); err != nil {
		return nil, false, err
	}
	c.shapes = make([]common.Shape, len(layouts))
	for i := range layouts {
		if c.shapes[i] = layouts[i].shape(common.Shape{}); c.shapes[i] == nil {
			return nil, false, tfl.Errorf(kind, "output %d has more than %d dimensions, which LiteRT cannot hold", i, maxRank)
		}
	}
	outputs = make([]common.Shape, len(c.sig.file.Outputs))
	for i, info := range c.sig.file.Outputs {
		if !c.sig.dynamic || !info.Shape.Dynamic() {
			outputs[i] = c.shapes[c.sig.file.Out[i]]
		}
	}
	return outputs, c.sig.dynamic, nil
}

func tooManyDims(info common.TensorInfo) error {
	err := tfl.Errorf(common.ErrModel, "%q has more than %d dimensions, which LiteRT cannot hold", info.Name, maxRank)
	err.Hint = hintUseTFLite
	return err
}

func (c *compiled) InputShape(i int) (common.Shape, error) {
	l, err := c.inputLayout(i)
	return l.shape(common.Shape{}), err
}

func (c *compiled) inputLayout(i int) (layout, error) {
	layouts := newLayouts(1)
	r := c.lib.Call(compiledInputLayout, dylib.Int(c.handle), dylib.Int(c.sig.index), dylib.Int(i), dylib.Slice(layouts))
	err := c.fail(r, common.ErrModel, "LiteRtGetCompiledModelInputTensorLayout")
	if err == nil && layouts[0].rank() > maxRank {
		err = tooManyDims(c.sig.file.Inputs[i])
	}
	return layouts[0], err
}

// describe returns ModelInfo.Device and ModelInfo.Details: which devices and kernels run the model.
func (c *compiled) describe() (device string, details map[string]string) {
	all := func(fn int) bool {
		yes := new(bool)
		r := c.lib.Call(fn, dylib.Int(c.handle), dylib.Ptr(yes))
		return int32(r) == 0 && *yes
	}
	device = deviceNames[c.model.hardware]
	onCPU := c.model.hardware == cpu
	if !onCPU && c.model.native.Fallback && !(c.lib.Has(compiledNotOnCPU) && all(compiledNotOnCPU)) {
		device += "," + deviceNames[cpu]
		onCPU = true
	}
	switch {
	case onCPU && c.model.native.Kernels == XNNPACK:
		details = map[string]string{"delegates": "XNNPACK"}
	case onCPU:
		details = map[string]string{"kernels": []string{Builtin: "builtin", Reference: "reference"}[c.model.native.Kernels]}
	}
	return device, details
}
