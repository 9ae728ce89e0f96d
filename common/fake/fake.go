// SPDX-License-Identifier: Apache-2.0

// Package fake is an engine without an SDK, for tests of programs that use
// package common. It computes whatever a test says.
package fake

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/anyinfer/anyinfer/common"
)

// Engine describes the engine to register. Its models, whatever the Source,
// have its signatures and run its function.
type Engine struct {
	Name       string
	Formats    []string
	Signatures []common.Signature
	// Run computes out from in for the signature of that index. Outputs whose
	// shape the signature fixes are given; Run sets the others. ctx ends when
	// the run is cancelled. Runs of different sessions go on side by side.
	Run func(ctx context.Context, signature int, in, out []*common.Tensor) error
	// Reset, where set, puts a session's variables back.
	Reset func(signature int) error
	// Load, where set, may refuse a model or what its Options ask.
	Load func(src common.Source, o common.Options) error

	live atomic.Int64
}

// Register makes e known to package common.
func (e *Engine) Register() {
	common.Register(common.Registration{
		Name: e.Name, Formats: e.Formats,
		Open: func(common.Config) (common.Driver, error) { e.live.Add(1); return driver{e}, nil },
	})
}

// Live is the number of engines, models and sessions that are not closed yet.
func (e *Engine) Live() int { return int(e.live.Load()) }

func (e *Engine) closed() error { e.live.Add(-1); return nil }

type driver struct{ *Engine }

func (d driver) Info() common.EngineInfo {
	return common.EngineInfo{Name: d.Name, Version: "fake", Devices: []common.Device{{Name: "CPU"}}}
}

func (d driver) Load(_ context.Context, src common.Source, o common.Options) (common.DriverModel, error) {
	if d.Engine.Load != nil {
		if err := d.Engine.Load(src, o); err != nil {
			return nil, err
		}
	}
	d.live.Add(1)
	return model{d.Engine, common.ModelInfo{Format: src.Format(), Device: "CPU", Threads: o.Threads, Sessions: max(o.Sessions, 1)}}, nil
}

func (d driver) Close() error { return d.closed() }

type model struct {
	*Engine
	info common.ModelInfo
}

func (m model) Info() common.ModelInfo         { return m.info }
func (m model) Signatures() []common.Signature { return m.Engine.Signatures }
func (m model) Close() error                   { return m.closed() }

func (m model) NewSession(signature int) (common.DriverSession, error) {
	m.live.Add(1)
	return &session{Engine: m.Engine, signature: signature, cancel: make(chan struct{}, 1)}, nil
}

type session struct {
	*Engine
	signature int
	in, out   []*common.Tensor
	cancel    chan struct{}
}

func (s *session) Bind(in, out []*common.Tensor) (err error) {
	s.in, s.out = slices.Clone(in), out
	for i, info := range s.Signatures[s.signature].Outputs {
		if info.Shape.Dynamic() {
			continue
		}
		if out[i], err = common.EnsureTensor(out[i], info.DType, info.Shape); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Run() error {
	select {
	case <-s.cancel: // it was meant for an earlier Run
	default:
	}
	ctx, cancel := context.WithCancel(context.Background())
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
	return s.Engine.Run(ctx, s.signature, s.in, s.out)
}

func (s *session) Cancel() {
	select {
	case s.cancel <- struct{}{}:
	default:
	}
}

func (s *session) Reset() error {
	if s.Engine.Reset == nil {
		return nil
	}
	return s.Engine.Reset(s.signature)
}

func (s *session) Close() error { return s.closed() }
