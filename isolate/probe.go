// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/cpu"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cachefile"
	"github.com/anyinfer/anyinfer/internal/module"
	"github.com/anyinfer/anyinfer/internal/privdir"
)

// ProbeOptions are the settings of Probe. The zero ProbeOptions and nil are good defaults.
type ProbeOptions struct {
	Config  *common.Config  // opens the engine
	Load    *common.Options // loads the model
	Isolate *Options        // of the child, of which there is one
	// CacheDir is the folder with the verdicts, which other users must not be able to change. If it is empty, that is
	// anyinfer/probe in the user's cache folder, or none if this cannot be used.
	CacheDir string
	// NoCache probes the model even if there is a verdict, and keeps none.
	NoCache bool
}

// Probe loads a model and runs it once in a child process, to find out whether it crashes the engine. Each signature
// runs, with zeros and empty strings as inputs; dynamic dimensions that Options.Shapes does not set are 1. The engine's
// package must be imported, and the program needs Main, as for Open.
//
// If the engine crashes, the error wraps common.ErrModel and common.ErrCrashed, and has the last words of the SDK. Other
// errors are those of Open and Load. A Run that the engine refuses with an error has not crashed, so that Probe returns nil.
//
// Probe keeps its verdict in a file, so that the next Probe of the same model takes no longer than reading the model's
// files and opening the engine. A model is the same if the content of all its files, the engine's library and version,
// the version of this module, the processor and all options are. The end of a child that was killed, by a limit in
// Options or by the system, is an error but no verdict.
//
// A model that passes does not crash when it is loaded, and when it runs on zeros of these shapes. It may crash with
// other values, such as indexes, with other shapes, in a later Run, when several Runs execute at the same time, or when
// the memory is short. A malicious model can behave well in a probe: run a stranger's models with Open only.
func Probe(ctx context.Context, engine string, src common.Source, o *ProbeOptions) error {
	r, ok := common.Lookup(engine)
	if !ok {
		_, err := common.Open(engine, nil)
		return err
	}
	p := prober{registration: r}
	if o != nil {
		p.options = *o
	}
	if p.options.Isolate != nil {
		p.isolate = *p.options.Isolate
	}
	p.isolate.Children, p.isolate.Restarts = 1, -1
	r.UnpaddedTensors = true
	r.Open = func(c common.Config) (common.Driver, error) { return &p, p.open(c) }
	e, err := common.OpenEngine(r, p.options.Config)
	if err != nil {
		return err
	}
	defer e.Close()
	m, err := e.Load(ctx, src, p.options.Load)
	if err == nil {
		err = runOnce(ctx, m)
	}
	var crash *common.Error
	switch {
	case errors.Is(err, errKnown):
	case ctx != nil && ctx.Err() != nil:
		return ctx.Err()
	case p.child != nil && errors.Is(err, common.ErrCrashed) && errors.As(err, &crash):
		p.verdict.Crash = fmt.Sprintf("%v in %s: %s", common.ErrCrashed, crash.Op, crash.Message)
		// How process.crashed begins if nothing in the child has failed.
		if !strings.HasPrefix(crash.Message, "it was killed") && !strings.HasPrefix(crash.Message, "signal: killed") {
			err = p.keep()
		}
	case err != nil:
		return err
	default:
		err = p.keep()
	}
	if p.verdict.Crash != "" {
		return &common.Error{
			Engine: engine, Op: "probe", Path: src.Name(), Kind: common.ErrModel, Message: p.verdict.Crash, Err: common.ErrCrashed,
			Hint: "if you need it, run it with isolate.Open",
		}
	}
	if errors.Is(err, errKnown) {
		return nil
	}
	return err
}

// runOnce runs each signature once, and closes the model.
func runOnce(ctx context.Context, m *common.Model) error {
	defer m.Close()
	for _, signature := range m.Signatures() {
		s, err := m.NewSession(ctx, signature.Name)
		if err != nil {
			return err
		}
		err = runZeros(ctx, s)
		s.Close()
		refused := errors.Is(err, common.ErrRun) || errors.Is(err, common.ErrInput) || errors.Is(err, common.ErrShape)
		if err != nil && !refused {
			return err
		}
	}
	return nil
}

func runZeros(ctx context.Context, s *common.Session) error {
	for i, info := range s.Signature().Inputs {
		if s.Input(i) != nil {
			continue
		}
		shape := common.Shape{1} // of an input without a fixed rank
		if info.Shape != nil {
			shape = nil
		}
		for _, d := range info.Shape {
			if d < 0 {
				d = 1
			}
			shape = append(shape, d)
		}
		t, err := common.NewTensor(info.DType, shape...)
		if err == nil {
			err = s.BindInput(i, t)
		}
		if err != nil {
			return err
		}
	}
	return s.Run(ctx)
}

// prober is an engine in a child that is started when a model has no verdict yet. It implements common.Driver.
type prober struct {
	registration common.Registration
	options      ProbeOptions
	isolate      Options
	config       common.Config
	info         common.EngineInfo
	child        common.Driver  // nil while none is needed
	file         cachefile.File // Path is "" if the verdict is not kept
	verdict      verdict
}

// verdict is what is kept of a probe.
type verdict struct {
	Crash string            `json:",omitempty"` // what happened, with the last words; "": it has not crashed
	Files map[string]string `json:",omitempty"` // digests of the files that the model refers to
}

// errKnown is the error of Load if there is a verdict.
var errKnown = errors.New("the model was probed before")

// open opens the engine in this process, for its version, if verdicts are kept.
func (p *prober) open(c common.Config) error {
	p.config = c
	if p.options.NoCache {
		return p.start()
	}
	d, err := p.registration.Open(c)
	if err != nil {
		return err
	}
	p.info = d.Info()
	return d.Close()
}

// start starts the child if there is none.
func (p *prober) start() (err error) {
	if p.child == nil {
		if p.child, err = open(p.registration, p.config, &p.isolate); err == nil {
			p.info = p.child.Info()
		}
	}
	return err
}

func (p *prober) Info() common.EngineInfo { return p.info }

func (p *prober) Devices(ctx context.Context) ([]common.Device, error) {
	if err := p.start(); err != nil {
		return nil, err
	}
	return p.child.Devices(ctx)
}

// Load returns errKnown if there is a verdict, and else loads the model in the child.
func (p *prober) Load(ctx context.Context, files *common.ModelFiles, o common.Options) (common.DriverModel, error) {
	if err := p.find(ctx, files, o); err != nil {
		return nil, err
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	m, err := p.child.Load(ctx, files, o)
	for i, name := range files.Names() {
		if i >= files.Len() && !files.Folder() {
			if name, err := beside(files, name); err == nil {
				p.verdict.Files[name] = digest(files.Bytes(i))
			}
		}
	}
	return m, err
}

// find looks for the verdict on a model. The error is errKnown if there is one.
func (p *prober) find(ctx context.Context, files *common.ModelFiles, o common.Options) error {
	p.verdict.Files = map[string]string{}
	if o.Sessions = max(o.Sessions, 1); len(o.Shapes) == 0 { // as if they were not set
		o.Shapes = nil
	}
	if p.options.NoCache {
		return nil
	}
	dir, err := p.folder()
	if dir == "" || err != nil {
		return err
	}
	key := probeKey{
		Module: module.Version(), Protocol: protocol, Processor: fmt.Sprint(runtime.GOARCH, cpu.X86, cpu.ARM64, cpu.ARM),
		Engine: p.registration.Name, Info: p.info, Library: p.config.Library, Config: p.config.Native, Format: files.Format(), Load: o, Isolate: p.isolate,
	}
	if info, err := os.Stat(p.info.Library); err == nil { // another one of the same version
		key.Size, key.Time = info.Size(), info.ModTime()
	}
	names := make([]string, files.Len())
	if files.Folder() {
		if _, err := files.LinkFolder(); err != nil {
			return err
		}
		names = files.Names()
	}
	for i, name := range names {
		if name != "" {
			name, _ = filepath.Rel(files.Name(), name)
		}
		key.Files = append(key.Files, [2]string{name, digest(files.Bytes(i))})
	}
	if p.file, err = cachefile.New(dir, ".json", key); err != nil {
		return &common.Error{Kind: common.ErrOption, Message: "the options cannot be passed to another process", Err: err}
	}
	content, err := p.file.Read(ctx)
	if err != nil {
		return nil // it is probed again
	}
	defer content.Files.Release()
	var known verdict
	if err := json.Unmarshal(content.Data, &known); err != nil {
		return nil
	}
	for name, sum := range known.Files {
		if data, err := files.Beside(name); err != nil || digest(data) != sum {
			return nil
		}
	}
	p.verdict = known
	return errKnown
}

// probeKey is all that a verdict depends on.
type probeKey struct {
	Module    string
	Protocol  int
	Processor string
	Engine    string
	Info      common.EngineInfo
	Size      int64 // of the engine's library
	Time      time.Time
	Library   string
	Config    any
	Format    string
	Files     [][2]string // names in a folder, and digests
	Load      common.Options
	Isolate   Options
}

// folder returns the folder with the verdicts; "" if it is not set and there can be none.
func (p *prober) folder() (string, error) {
	dir := p.options.CacheDir
	if dir == "" {
		cache, err := os.UserCacheDir()
		if dir = filepath.Join(cache, "anyinfer", "probe"); err != nil || privdir.Make(dir) != nil {
			return "", nil
		}
		return dir, nil
	}
	if err := privdir.Make(dir); err != nil {
		return "", &common.Error{Kind: common.ErrOption, Path: dir, Message: "ProbeOptions.CacheDir cannot be used", Err: err}
	}
	return dir, nil
}

// keep writes the verdict. Other probes of the model write the same to other files, of which the last one stays.
func (p *prober) keep() error {
	if p.file.Path == "" {
		return nil
	}
	text, err := json.Marshal(p.verdict)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(p.file.Path), "probe-")
	if err == nil {
		_, err = temp.Write(text)
		if err = errors.Join(err, temp.Close()); err == nil {
			err = p.file.Replace(temp.Name(), "")
		}
		if err != nil {
			os.Remove(temp.Name())
		}
	}
	if err != nil && p.options.CacheDir != "" {
		return &common.Error{Kind: common.ErrOption, Path: p.options.CacheDir, Message: "ProbeOptions.CacheDir cannot be used", Err: err}
	}
	return nil
}

func (p *prober) Close() error {
	if p.child == nil {
		return nil
	}
	return p.child.Close()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// beside returns the name of a file relative to the model's first file, as ModelFiles.Beside takes it.
func beside(files *common.ModelFiles, name string) (string, error) {
	relative, err := filepath.Rel(filepath.Dir(files.Name()), name)
	return filepath.ToSlash(relative), err
}
