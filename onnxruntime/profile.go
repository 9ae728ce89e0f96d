// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// profiled is a session with an OrtSession of its own that measures its operators.
// ONNX Runtime writes the measurements of all Runs to a file when profiling ends,
// and cannot begin it again, so Profile makes another OrtSession.
type profiled struct {
	model   *model
	ort     uintptr
	session *session // of ort; nil after a failure
	failure error
	dir     string // has the file
	failed  bool   // the last Run has failed, and has no complete profile
	in, out []*common.Tensor
}

func (m *model) newProfiled(ctx context.Context) (*profiled, error) {
	dir, err := os.MkdirTemp("", "anyinfer-")
	if err != nil {
		return nil, &common.Error{Kind: common.ErrOption, Message: "Profile needs a temporary folder", Hint: "set TMPDIR to a folder that can be written", Err: err}
	}
	p := &profiled{model: m, dir: dir}
	if err := p.start(ctx); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *profiled) start(ctx context.Context) (err error) {
	if p.ort, err = p.model.newSession(ctx, fnEnableProfiling, filepath.Join(p.dir, "profile")); err == nil {
		p.session, err = p.model.bindingFor(p.ort)
	}
	return err
}

// stop releases the OrtSession, which writes the file unless that has been done.
func (p *profiled) stop() {
	if p.session != nil {
		p.session.Close()
	}
	p.model.driver.free(fnReleaseSession, p.ort)
	p.session, p.ort = nil, 0
}

func (p *profiled) Bind(in, out []*common.Tensor) error {
	p.in, p.out = in, out
	if p.session == nil {
		return p.failure
	}
	return p.session.Bind(in, out)
}

func (p *profiled) Run(ctx context.Context) error {
	if p.session == nil {
		return p.failure
	}
	err := p.session.Run(ctx)
	p.failed = err != nil
	return err
}

func (p *profiled) Cancel() {
	if p.session != nil {
		p.session.Cancel()
	}
}

// Profile returns the times of the last Run's operators, in the order in which they
// ran.
func (p *profiled) Profile() ([]common.LayerTime, error) {
	if p.session == nil || p.failed {
		return nil, p.failure
	}
	d := p.model.driver
	path, err := d.text(common.ErrRun, fnSessionEndProfiling, dylib.Int(p.ort))
	if err != nil {
		return nil, err
	}
	text, readErr := os.ReadFile(path) // before the next OrtSession, whose file may have the same name
	os.Remove(path)
	p.stop()
	if p.failure = p.start(context.Background()); p.failure == nil {
		p.failure = p.session.Bind(p.in, p.out)
	}
	if p.failure != nil {
		p.stop()
	}
	if readErr != nil {
		return nil, &common.Error{Kind: common.ErrRun, Message: "ONNX Runtime has not written its profile", Err: readErr}
	}
	return lastRun(text)
}

func (p *profiled) Close() error {
	p.stop()
	os.RemoveAll(p.dir)
	return nil
}

// event is an entry of ONNX Runtime's profile. Times are in microseconds.
type event struct {
	Category  string        `json:"cat"`
	Name      string        `json:"name"`
	Start     int64         `json:"ts"`
	Duration  int64         `json:"dur"`
	Arguments eventArgument `json:"args"`
}

type eventArgument struct {
	Operator string `json:"op_name"`
	Provider string `json:"provider"`
}

// maxEvents is the number of events of which ONNX Runtime's profile has room.
const maxEvents = 1_000_000

// lastRun returns the times of operators in the last Run of a profile.
func lastRun(profile []byte) ([]common.LayerTime, error) {
	var events []event
	if err := json.Unmarshal(profile, &events); err != nil {
		return nil, &common.Error{Kind: common.ErrRun, Message: "ONNX Runtime's profile cannot be read", Err: err}
	}
	if len(events) >= maxEvents {
		return nil, fail(common.ErrRun, "ONNX Runtime's profile is full and may lack the last Run; call Profile more often")
	}
	var last event
	for _, e := range events {
		if e.Name == "model_run" {
			last = e
		}
	}
	const suffix = "_kernel_time"
	events = slices.DeleteFunc(events, func(e event) bool {
		return e.Category != "Node" || !strings.HasSuffix(e.Name, suffix) || e.Start < last.Start
	})
	slices.SortStableFunc(events, func(a, b event) int { return int(a.Start - b.Start) })
	var layers []common.LayerTime
	for _, e := range events {
		layers = append(layers, common.LayerTime{
			Name: strings.TrimSuffix(e.Name, suffix), Type: e.Arguments.Operator, Kernel: e.Arguments.Provider, Duration: time.Duration(e.Duration) * time.Microsecond,
		})
	}
	return layers, nil
}
