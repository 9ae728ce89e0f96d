// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"fmt"
	"strings"
	"unsafe"
)

// Driver is an open engine, as an engine's package implements it; users hold an
// Engine. The example of Driver is a whole engine.
//
// Package common checks and orders the calls: a driver gets only existing files,
// options with every number in range, tensors whose names, types and shapes fit, the
// calls of a session in the order of DriverSession, and one Close of each, sessions
// before their model and models before their engine. Methods of a Driver and of a
// DriverModel, except Close, are called from many goroutines at the same time.
// Contexts are never nil; a driver may ignore one and implement Canceler.
//
// Later versions add no methods to these interfaces. They add optional interfaces,
// and refuse a new option if a driver does not implement the one that it needs.
type Driver interface {
	Info() EngineInfo
	// Devices returns the processors that Options.Device can name, the default
	// first.
	Devices(ctx context.Context) ([]Device, error)
	// Load reads and prepares a model. The memory of files is valid until the
	// DriverModel is closed, or until the driver calls files.Release. Threads and
	// Sessions are as the user gave them, 0 included. If Shapes has a name that is
	// not an input of the model, the error wraps ErrName; for an unknown Device it
	// is UnknownDevice. NativeOptions checks Native.
	Load(ctx context.Context, files *ModelFiles, o Options) (DriverModel, error)
	Close() error
}

// DriverModel is a loaded model.
type DriverModel interface {
	Info() ModelInfo
	// Signatures returns at least one signature. Inputs that Options.Shapes fixes
	// have these shapes. The slice is not changed afterwards.
	Signatures() []Signature
	NewSession(ctx context.Context, signature int) (DriverSession, error)
	Close() error
}

// DriverSession runs a model, one call at a time, in this order:
//
//	made --Bind--> bound --Run--> bound     a failed Bind: made again
//	                |  ^
//	              Reset, Profile            only when bound, after a Run
//
// Only Cancel is called from another goroutine, and only while Run executes, so
// never beside Bind, Reset, Profile or Close. A driver needs no lock for that.
type DriverSession interface {
	// Bind sets the tensors of the following Runs: a tensor for each input, and a
	// tensor or nil for each output. If the driver knows an output's shape, it
	// keeps a tensor of this shape and else puts a new one into out, as
	// EnsureTensor does. If it does not know the shape yet, it leaves the entry as
	// it is, and Run makes the tensor of a nil entry; package common may set such an
	// entry, and no other, to nil again between Runs.
	//
	// Tensors are in the program's memory, and Padded unless they have no bytes or
	// Registration.UnpaddedTensors is set. No output shares memory with an input or
	// another output. The session may use in and out until the next Bind or Close;
	// it pins memory that C uses after Bind has returned.
	Bind(in, out []*Tensor) error
	// Run reads in and writes out. It replaces an output tensor whose shape is not
	// the result's. It does not return while C may still write.
	Run(ctx context.Context) error
	Close() error
}

// Optional capabilities of drivers.
type (
	// Canceler is a DriverSession whose Run can be stopped from another
	// goroutine. Cancel returns at once, and Run then returns an error soon. While
	// Run executes, Cancel may be called before native code has begun or after it
	// has ended. It must not stop a later Run. It is repeated until Run returns, so
	// an early one may have no effect.
	Canceler interface{ Cancel() }
	// Resetter is a DriverSession that can set the variables that a model keeps
	// from Run to Run back to their initial values. Package common calls it before
	// each Model.Run, unless ModelInfo.State is Stateless. The tensors stay bound,
	// even if Reset fails. Without it, Model.Run makes a new session each time
	// unless the model is Stateless.
	Resetter interface{ Reset() error }
	// Profiler is a DriverSession that reports the time of each layer in the last
	// Run, if the model was loaded with Options.Profile.
	Profiler interface{ Profile() ([]LayerTime, error) }
	// Propertier is a Driver or DriverModel whose settings can be read by the
	// engine's own names for them.
	Propertier interface {
		Property(key string) (string, error)
	}
)

// UnknownDevice returns the error of a Driver whose engine has no device of that
// name, which suggests those that begin like it in upper or lower case: CPU for
// "cpu", "cpu:0" and "CPUExecutionProvider". After it, Load continues with the next
// engine, unlike after the failure of a device.
func UnknownDevice(name string, devices []Device) error {
	var known, similar []string
	for _, d := range devices {
		known = append(known, d.Name)
		word, other := strings.ToLower(name), strings.ToLower(d.Name)
		if word != "" && other != "" && (strings.HasPrefix(word, other) || strings.HasPrefix(other, word)) {
			similar = append(similar, d.Name)
		}
	}
	all := "the devices are: " + strings.Join(known, ", ")
	if similar != nil {
		all = "did you mean " + strings.Join(similar, " or ") + "? (" + all + ")"
	}
	return &Error{Kind: errNoDevice, Message: fmt.Sprintf("there is no device %q; %s", name, all)}
}

// NativeOptions returns the value of Options.Native or Config.Native as a T, the
// type of an engine's own options; a zero T for nil. The error wraps ErrOption if
// the value has another type.
func NativeOptions[T any](native any) (T, error) {
	o, ok := native.(T)
	if ok || native == nil {
		return o, nil
	}
	message := fmt.Sprintf("Native is %T; it takes %T", native, o)
	if _, pointer := native.(*T); pointer {
		message += ", not a pointer"
	}
	return o, &Error{Kind: ErrOption, Message: message}
}

// EnsureTensor returns t if it has this type and shape, else a new tensor.
func EnsureTensor(t *Tensor, dt DType, shape Shape) (*Tensor, error) {
	if t.Is(dt, shape) {
		return t, nil
	}
	return NewTensor(dt, shape...)
}

// TensorIn returns a tensor of zeros whose elements are at the beginning of memory,
// such as memory that processes share. The memory must be aligned to TensorAlign and
// have as many spare bytes behind the elements, and stay mapped while the tensor is
// in use. The error wraps ErrDType, also for String, or ErrShape.
func TensorIn(memory []byte, dt DType, shape ...int) (*Tensor, error) {
	n, err := checkNew(dt, shape)
	if err != nil {
		return nil, err
	}
	size := n * dt.Size()
	switch {
	case dt == String:
		return nil, inputError(ErrDType, "strings are not in one piece of memory")
	case size > len(memory)-TensorAlign || uintptr(unsafe.Pointer(unsafe.SliceData(memory)))%TensorAlign != 0:
		return nil, inputError(ErrShape, "memory of %d bytes is too small or not aligned for %v of the shape %v", len(memory), dt, Shape(shape))
	}
	clear(memory[:size])
	return &Tensor{dtype: dt, shape: append(Shape{}, shape...), bytes: memory[: size : size+TensorAlign]}, nil
}
