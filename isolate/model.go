// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/anyinfer/anyinfer/common"
)

// model is a model in children. It implements common.DriverModel.
type model struct {
	engine  *engine
	files   *common.ModelFiles
	args    loadArgs
	rules   *rules
	loaded  loadResult
	slots   []*slot
	closing context.Context
	close   context.CancelFunc
	work    sync.WaitGroup // of the goroutines that start children again
	opening sync.Mutex     // held while files are used
}

// slot is the place of one child of a model: when the child has ended, another one takes it.
type slot struct {
	model *model

	mu       sync.Mutex
	child    *process      // nil while none runs
	changed  chan struct{} // closed and replaced when child or err changes
	err      error         // why no child is being started
	sessions int
}

// Load loads the model in Options.Children children.
func (e *engine) Load(ctx context.Context, files *common.ModelFiles, o common.Options) (common.DriverModel, error) {
	m := &model{engine: e, files: files}
	m.closing, m.close = context.WithCancel(context.Background())
	var err error
	if m.args.Native, err = encodeNative("Native", o.Native, e.registration.Options); err != nil {
		return nil, err
	}
	if o.CacheDir != "" {
		// A child cannot make it where it is to be.
		if o.CacheDir, err = filepath.Abs(o.CacheDir); err == nil {
			err = os.MkdirAll(o.CacheDir, 0o700)
		}
		if err != nil {
			return nil, &common.Error{Kind: common.ErrOption, Path: o.CacheDir, Message: "Options.CacheDir cannot be made", Err: err}
		}
	}
	m.args.Options, m.args.Format = o, files.Format()
	m.args.Options.Native = nil
	if m.args.Names = files.Names(); files.Folder() {
		if m.args.Folder, err = filepath.Abs(files.Name()); err != nil {
			return nil, &common.Error{Kind: common.ErrModel, Err: err}
		}
	}
	m.rules = e.newRules(m.args.Folder, &o)
	errs := make([]error, e.options.children())
	for range errs {
		m.slots = append(m.slots, &slot{model: m, changed: make(chan struct{})})
	}
	start := func(i int) (r loadResult) {
		m.slots[i].child, r, errs[i] = m.start(ctx)
		return r
	}
	// The others begin when the first has succeeded, and may find what it has left in CacheDir.
	if m.loaded = start(0); errs[0] == nil {
		var others sync.WaitGroup
		for i := range errs[1:] {
			others.Go(func() { start(i + 1) })
		}
		others.Wait()
	}
	if err := cmp.Or(errs...); err != nil {
		m.Close()
		return nil, err
	}
	for _, s := range m.slots {
		m.work.Go(s.keep)
	}
	return m, nil
}

// start starts a child and loads the model in it.
func (m *model) start(ctx context.Context) (_ *process, r loadResult, err error) {
	p, err := m.engine.child(ctx, m.rules)
	if err != nil {
		return nil, r, err
	}
	var files []*os.File
	defer func() { closeAll(files) }()
	m.opening.Lock()
	for i := 0; m.args.Folder == "" && i < m.files.Len(); i++ {
		var f *os.File
		if f, err = m.files.OpenFile(i); err != nil {
			break
		}
		files = append(files, f)
	}
	m.opening.Unlock()
	if err != nil {
		p.close()
		return nil, r, err
	}
	if len(files) > maxFiles {
		p.close()
		return nil, r, &common.Error{Kind: common.ErrModel, Message: fmt.Sprintf("the model has %d files; an isolated engine takes %d", len(files), maxFiles)}
	}
	args := m.args
	if args.Names != nil {
		args.Names = args.Names[:len(files)]
	}
	args.Level = m.engine.logLevel()
	p.setFiles(m.beside)
	p.loading.Store(true)
	err = p.call(ctx, m.engine.options.loadTime(), opLoad, args, &r, files...)
	p.loading.Store(false)
	p.setFiles(nil)
	if err == nil {
		err = r.check(m.engine.options)
	}
	if err != nil {
		p.close()
		return nil, r, err
	}
	return p, r, nil
}

// beside opens a file that the model refers to, for a child.
func (m *model) beside(name string) (*os.File, error) {
	m.opening.Lock()
	defer m.opening.Unlock()
	relative, err := filepath.Rel(filepath.Dir(m.files.Name()), name)
	if err == nil {
		_, err = m.files.Beside(filepath.ToSlash(relative))
	}
	if err != nil {
		return nil, err
	}
	for i, n := range m.files.Names() {
		if n == name {
			return m.files.OpenFile(i)
		}
	}
	return nil, os.ErrNotExist
}

// maxTensors is the largest number of a model's signatures and their tensors. Package common compares each with each other.
const maxTensors = 1 << 14

// check returns an error for what no engine may say of a model: a child can run a stranger's code.
func (r *loadResult) check(o *Options) error {
	if len(r.Signatures) == 0 || r.Info.State > common.Stateful {
		return errModelInfo
	}
	tensors := 0
	for _, s := range r.Signatures {
		if tensors += 1 + len(s.Inputs) + len(s.Outputs); tensors > maxTensors {
			return errModelInfo
		}
		var l layout
		for _, info := range slices.Concat(s.Inputs, s.Outputs) {
			if !info.DType.Valid() || slices.ContainsFunc(info.Shape, func(d int) bool { return d < -1 }) {
				return errModelInfo
			}
			if q := info.Quant; q != nil && (len(q.Scale) == 0 || len(q.ZeroPoint) != len(q.Scale)) {
				return errModelInfo
			}
			if info.Shape.Dynamic() {
				continue
			}
			if _, err := l.add(info.DType, info.Shape); err != nil {
				return errModelInfo
			}
		}
		if err := o.allow(l.size); err != nil {
			return err
		}
	}
	return nil
}

var errModelInfo = &common.Error{Kind: common.ErrModel, Message: "the engine's process describes the model in a way that no model can be"}

// keep starts another child whenever the slot's one has ended, until the model is closed. Calls wait for it, also where it
// crashes while it starts.
func (s *slot) keep() {
	var ends []time.Time // of the last minute
	for p := s.child; ; {
		if p != nil {
			select {
			case <-p.ended:
			case <-s.model.closing.Done():
				return
			}
			s.set(nil, nil)
		}
		const window = time.Minute
		now := time.Now()
		for len(ends) > 0 && now.Sub(ends[0]) > window {
			ends = ends[1:]
		}
		ends = append(ends, now)
		pause := min(time.Duration(len(ends)-1)*100*time.Millisecond, time.Second)
		if limit := s.model.engine.options.restarts(); len(ends) > limit {
			pause = window - now.Sub(ends[0])
			s.set(nil, &common.Error{
				Kind: common.ErrCrashed, Message: fmt.Sprintf("the model's process has ended %d times in a minute and is not started again for %v", len(ends), pause.Round(time.Second)),
				Hint: "Options.Restarts of package isolate is the limit",
			})
			if limit == 0 {
				return
			}
		}
		select {
		case <-time.After(pause):
		case <-s.model.closing.Done():
			return
		}
		s.set(nil, nil)
		var err error
		if p, _, err = s.model.start(s.model.closing); err != nil && s.model.closing.Err() != nil {
			return
		} else if errors.Is(err, common.ErrCrashed) {
			continue
		}
		s.set(p, err)
	}
}

func (s *slot) set(p *process, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.child, s.err = p, err
	close(s.changed)
	s.changed = make(chan struct{})
}

// get returns a child that runs. If there is none, it waits until one is started, or returns the error if that is not
// done any more.
func (s *slot) get(ctx context.Context, interrupt <-chan struct{}) (*process, error) {
	for {
		s.mu.Lock()
		p, err, changed := s.child, s.err, s.changed
		s.mu.Unlock()
		switch {
		case p != nil && !p.dead.Load():
			return p, nil
		case err != nil:
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-interrupt:
			return nil, &common.Error{Kind: common.ErrCrashed, Message: "the Run was cancelled while it waited for another process"}
		case <-s.model.closing.Done():
			return nil, &common.Error{Kind: common.ErrClosed}
		}
	}
}

// running returns the child, or nil if none runs.
func (s *slot) running() *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child == nil || s.child.dead.Load() {
		return nil
	}
	return s.child
}

func (m *model) Info() common.ModelInfo { return m.loaded.Info }

func (m *model) Signatures() []common.Signature { return m.loaded.Signatures }

// Property asks a child that runs.
func (m *model) Property(key string) (value string, err error) {
	for _, s := range m.slots {
		if p := s.running(); p != nil {
			err = p.call(context.Background(), m.engine.options.startTime(), opProperty, propertyArgs{OfModel: true, Key: key}, &value)
			return value, err
		}
	}
	return "", &common.Error{Kind: common.ErrCrashed, Message: "another one is being started"}
}

func (m *model) Close() error {
	m.close()
	m.work.Wait()
	var closed sync.WaitGroup
	for _, s := range m.slots {
		if p := s.child; p != nil {
			closed.Go(p.close)
		}
	}
	closed.Wait()
	return nil
}

// NewSession makes a session in the child with the fewest.
func (m *model) NewSession(ctx context.Context, signature int) (common.DriverSession, error) {
	least := m.slots[0]
	for _, s := range m.slots[1:] {
		if s.load() < least.load() {
			least = s
		}
	}
	s := &session{slot: least, signature: m.loaded.Signatures[signature], index: signature, limits: m.engine.options, interrupt: make(chan struct{}, 1), shape: make(common.Shape, maxRank)}
	control, file, err := newShared(controlSize(len(s.signature.Outputs)))
	if err != nil {
		return nil, err
	}
	s.control, s.controlFile = control, file
	least.add(1)
	if err := s.open(ctx); err != nil {
		s.Close()
		return nil, err
	}
	if s.can.Resets {
		return &resettable{s}, nil
	}
	return s, nil
}

func (s *slot) load() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions
}

func (s *slot) add(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions += n
}
