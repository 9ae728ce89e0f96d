// SPDX-License-Identifier: Apache-2.0

package model

import (
	"context"
	"errors"
	"log/slog"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/isolate"
)

// Isolation is what keeps a model that crashes its engine from crashing the command.
type Isolation int

const (
	Probed      Isolation = iota // the model is tried in a child process before it is loaded in this one
	NotIsolated                  // nothing
	Isolated                     // it runs in a child process, in a sandbox
)

// Probe returns an error if the model crashes its engine and i is Probed. Other errors are for the Load that follows.
func (i Isolation) Probe(ctx context.Context, engine string, src common.Source, o common.Options, in Inputs) error {
	if i != Probed {
		return nil
	}
	probe := isolate.ProbeOptions{
		Config:  &common.Config{Logger: slog.New(slog.DiscardHandler)}, // what the engine logs comes again
		Isolate: &isolate.Options{Sandbox: isolate.NoSandbox},          // because the model is loaded here afterwards
	}
	err := in.withShapes(o, func(o *common.Options) error {
		probe.Load = o
		return isolate.Probe(ctx, engine, src, &probe)
	})
	var e *common.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, common.ErrCrashed) && errors.As(err, &e):
		e.Hint = "'anyinfer run', 'bench', 'inspect' and 'see' have --isolate, which loads it in another process only"
		return e
	}
	slog.Debug("the model is loaded without a probe", "engine", engine, "reason", err)
	return nil
}
