// SPDX-License-Identifier: Apache-2.0

package common

import (
	"context"
	"fmt"
	"strings"
)

// Driver is an open engine. Users hold an Engine; this is what an engine
// implements, and all that it needs to. Its example is a whole engine.
//
// This package does the rest: a driver sees only files that exist, options
// with every number in range, tensors whose names, types and shapes fit, the
// calls of a session in the order below, and Close once each: sessions before
// their model, models before their engine. Methods of a Driver and of a
// DriverModel (but Close) are called from many goroutines at once. Contexts are
// never nil; a driver may ignore one and be a Canceler.
//
// Later versions add no methods to these interfaces, but optional ones, and
// refuse a new option where a driver lacks what it needs.
type Driver interface {
	Info() EngineInfo
	// Devices are what Options.Device can name, the default first.
	Devices(ctx context.Context) ([]Device, error)
	// Load reads and prepares a model. What files has is valid until the
	// DriverModel was closed, or until the driver calls files.Release. Options
	// come with Threads and Sessions as the user gave them. Shapes name no
	// input twice; the driver refuses names that the model lacks with ErrName,
	// and devices that it lacks with UnknownDevice. Native is the user's value:
	// a driver accepts nil and its own type, else ErrOption.
	Load(ctx context.Context, files *ModelFiles, o Options) (DriverModel, error)
	Close() error
}

// DriverModel is a loaded model.
type DriverModel interface {
	Info() ModelInfo
	// Signatures has at least one entry, with Options.Shapes worked in. The
	// slice is not changed afterwards.
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
// Cancel is the exception: it comes from another goroutine, but only while Run
// executes, so never beside Bind, Reset, Profile or Close. A driver needs no
// lock of its own for that.
type DriverSession interface {
	// Bind sets the tensors of the following Runs: one for each input, and one or
	// nil for each output. The driver keeps an output that has the result's shape
	// or whose shape it does not know yet, replaces one of another shape, and
	// makes one for a nil where it knows the shape (EnsureTensor does all three).
	// Entries that are still nil then are Run's to make; package common may set
	// these, and only these, to nil again between Runs.
	//
	// Tensors are in the program's memory. They are Padded, but for those without
	// bytes, unless Registration.UnpaddedTensors. No output shares memory with an
	// input or another output. in and out belong to the session until the next
	// Bind or Close; memory that C goes on using is pinned by the driver.
	Bind(in, out []*Tensor) error
	// Run reads in, writes out. It replaces an output whose shape came out
	// another than that of the tensor there. It does not return while C may still
	// write.
	Run(ctx context.Context) error
	Close() error
}

// Optional capabilities of drivers.
type (
	// Canceler is a DriverSession whose Run can be stopped from another
	// goroutine. Run then returns an error soon. Cancel returns at once. It may
	// come before native code has begun or after it has ended, while Run
	// executes; it must not stop a later Run, and is repeated until Run
	// returns, so one that was too early may be lost.
	Canceler interface{ Cancel() }
	// Resetter is a DriverSession that can put the variables, which a model
	// keeps from Run to Run, back to their initial values. It is called before
	// a Model.Run unless ModelInfo.State is Stateless. The tensors stay
	// bound, also where Reset fails. Without it, Model.Run has a new session
	// each time for models that are not Stateless.
	Resetter interface{ Reset() error }
	// Profiler is a DriverSession that reports where the last Run's time went,
	// when loaded with Options.Profile.
	Profiler interface{ Profile() ([]LayerTime, error) }
	// Propertier is a Driver or DriverModel whose settings can be read back
	// by the engine's own names for them.
	Propertier interface {
		Property(key string) (string, error)
	}
)

// UnknownDevice is the error of a Driver whose engine has no device of that
// name. Load goes on to the next engine then, as it does not where a device
// fails.
func UnknownDevice(name string, devices []Device) error {
	var known []string
	for _, d := range devices {
		known = append(known, d.Name)
	}
	return &Error{Kind: errNoDevice, Message: fmt.Sprintf("there is no device %q; there are: %s", name, strings.Join(known, ", "))}
}

// NativeOptions is the value of Options.Native for an engine whose own options
// are a T: a zero T for nil. The error wraps ErrOption where it has another type.
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

// EnsureTensor is t if it has this type and shape, else a new tensor.
func EnsureTensor(t *Tensor, dt DType, shape Shape) (*Tensor, error) {
	if t.Is(dt, shape) {
		return t, nil
	}
	return NewTensor(dt, shape...)
}
