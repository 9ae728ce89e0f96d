// SPDX-License-Identifier: Apache-2.0

package common

import "context"

// Driver is an open engine. Users hold an Engine; this is what an engine
// implements, and all that it needs to. Its example is a whole engine.
//
// This package does the rest: a driver sees only sources that exist, options
// with every number in range, tensors whose names, types and shapes fit, one
// call at a time for each session, and Close once each: sessions before
// their model, models before their engine. Methods of a Driver and of a
// DriverModel (but Close) are called from many goroutines at once.
type Driver interface {
	Info() EngineInfo
	// Load reads and prepares a model. Options come with Threads and Sessions
	// as the user gave them. Shapes name no input twice; the driver refuses
	// names that the model lacks with ErrName. Native is the user's value:
	// a driver accepts nil and its own type, else ErrOption.
	Load(ctx context.Context, src Source, o Options) (DriverModel, error)
	Close() error
}

// DriverModel is a loaded model.
type DriverModel interface {
	Info() ModelInfo
	// Signatures has at least one entry, with Options.Shapes worked in. The
	// slice is not changed afterwards.
	Signatures() []Signature
	NewSession(signature int) (DriverSession, error)
	Close() error
}

// DriverSession runs a model, one call at a time.
type DriverSession interface {
	// Bind sets the tensors of the following Runs. in has one tensor for each
	// input. The driver fills out, which has one entry for each output: where
	// it knows the shape, out[i] is a tensor into which Run will write
	// (EnsureTensor keeps one that fits); else it may stay nil until Run.
	// in and out belong to the session until the next Bind or Close; memory
	// that C goes on using is pinned by the driver. After an error nothing is
	// bound: the next call is Bind or Close.
	Bind(in, out []*Tensor) error
	// Run reads in, writes out. It may replace entries of out whose shape
	// only running tells. It does not return while C may still write.
	Run() error
	Close() error
}

// Optional capabilities of drivers.
type (
	// Canceler is a DriverSession whose Run can be stopped from another
	// goroutine. Run then returns an error soon. Cancel may come just before
	// or after Run and must not hurt a later one. It comes again and again
	// until Run returns, so one that was too early may be lost.
	Canceler interface{ Cancel() }
	// Resetter is a DriverSession that can put the variables, which a model
	// keeps from Run to Run, back to their initial values. It is called
	// before each Model.Run, so it is quick where there are none.
	Resetter interface{ Reset() error }
	// Profiler is a DriverSession that tells where the last Run's time went,
	// when loaded with Options.Profile.
	Profiler interface{ Profile() ([]LayerTime, error) }
	// Propertier is a Driver or DriverModel whose settings can be read back
	// by the engine's own names for them.
	Propertier interface {
		Property(key string) (string, error)
	}
)

// EnsureTensor is t if it has this type and shape, else a new tensor.
func EnsureTensor(t *Tensor, dt DType, shape Shape) (*Tensor, error) {
	if t.Is(dt, shape) {
		return t, nil
	}
	return NewTensor(dt, shape...)
}
