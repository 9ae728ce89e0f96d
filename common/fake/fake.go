// SPDX-License-Identifier: Apache-2.0

// Package fake has models and engines that need no SDK, for tests of programs that
// use package common. A model runs a Go function of the test. NewModel makes a
// model; an Engine can be registered, for programs that open engines by name.
package fake

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/anyinfer/anyinfer/common"
)

// Engine describes an engine to register. All of its models have its signatures
// and run its function, independent of their Source.
type Engine struct {
	Name       string
	Formats    []common.Format
	Signatures []common.Signature
	// EmptyTensors is set if Run accepts inputs without elements.
	EmptyTensors bool
	// Run computes out from in, for the signature of that index. Outputs with a
	// fixed shape already have a tensor; Run sets the others. ctx ends when the
	// run is cancelled. Runs of different sessions execute at the same time.
	Run func(ctx context.Context, signature int, in, out []*common.Tensor) error
	// Bind may refuse the shapes of inputs. It may be nil.
	Bind func(signature int, in []*common.Tensor) error
	// Reset resets a session's variables. It is nil if models have none.
	Reset func(signature int) error
	// Load may refuse a model or its Options. It may be nil.
	Load func(files *common.ModelFiles, o common.Options) error

	live atomic.Int64
}

// Register registers e with package common. It panics if it is called twice.
func (e *Engine) Register() {
	common.Register(e.registration())
}

func (e *Engine) registration() common.Registration {
	return common.Registration{
		Name: e.Name, Formats: e.Formats, EmptyTensors: e.EmptyTensors, UnpaddedTensors: true,
		Open: func(common.Config) (common.Driver, error) { return e.Driver(), nil },
	}
}

// Driver opens e, for a Registration that the caller makes.
func (e *Engine) Driver() common.Driver {
	e.live.Add(1)
	return driver{e}
}

// Live returns the number of engines, models and sessions that are not closed.
func (e *Engine) Live() int { return int(e.live.Load()) }

func (e *Engine) closed() error { e.live.Add(-1); return nil }

type driver struct{ engine *Engine }

func (d driver) Info() common.EngineInfo {
	return common.EngineInfo{Name: d.engine.Name, Version: "fake"}
}

func (d driver) Devices(context.Context) ([]common.Device, error) {
	return []common.Device{{Name: "CPU"}}, nil
}

func (d driver) Load(_ context.Context, files *common.ModelFiles, o common.Options) (common.DriverModel, error) {
	if d.engine.Load != nil {
		if err := d.engine.Load(files, o); err != nil {
			return nil, err
		}
	}
	info := common.ModelInfo{
		Format: files.Format(), Device: "CPU", Threads: o.Threads, Sessions: max(o.Sessions, 1), State: common.Stateless,
	}
	if d.engine.Reset != nil {
		info.State = common.Stateful
	}
	d.engine.live.Add(1)
	return model{d.engine, info}, nil
}

func (d driver) Close() error { return d.engine.closed() }

type model struct {
	engine *Engine
	info   common.ModelInfo
}

func (m model) Info() common.ModelInfo         { return m.info }
func (m model) Signatures() []common.Signature { return m.engine.Signatures }
func (m model) Close() error                   { return m.engine.closed() }

func (m model) NewSession(_ context.Context, signature int) (common.DriverSession, error) {
	m.engine.live.Add(1)
	return &session{engine: m.engine, signature: signature, cancel: make(chan struct{}, 1)}, nil
}

type session struct {
	engine    *Engine
	signature int
	in, out   []*common.Tensor
	cancel    chan struct{}
	order     order
}

func (s *session) Bind(in, out []*common.Tensor) (err error) {
	s.order.begin("Bind")
	defer func() { s.order.end("Bind", err) }()
	s.order.disjoint(in, out)
	if s.engine.Bind != nil {
		if err := s.engine.Bind(s.signature, in); err != nil {
			return err
		}
	}
	s.in, s.out = slices.Clone(in), out
	for i, info := range s.engine.Signatures[s.signature].Outputs {
		if info.Shape.Dynamic() {
			continue
		}
		if out[i], err = common.EnsureTensor(out[i], info.DType, info.Shape); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Run(ctx context.Context) (err error) {
	s.order.begin("Run")
	defer func() { s.order.end("Run", err) }()
	select {
	case <-s.cancel: // of an earlier Run
	default:
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // which only Cancel ends
	over := make(chan struct{})
	defer close(over)
	defer cancel()
	go func() {
		select {
		case <-s.cancel:
			cancel()
		case <-over:
		}
	}()
	return s.engine.Run(ctx, s.signature, s.in, s.out)
}

func (s *session) Cancel() {
	s.order.cancel(func() {
		select {
		case s.cancel <- struct{}{}:
		default:
		}
	})
}

func (s *session) Reset() (err error) {
	s.order.begin("Reset")
	defer func() { s.order.end("Reset", err) }()
	return s.engine.Reset(s.signature)
}

func (s *session) Close() error {
	s.order.begin("Close")
	defer s.order.end("Close", nil)
	return s.engine.closed()
}
