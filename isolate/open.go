// SPDX-License-Identifier: Apache-2.0

//go:build unix

package isolate

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/module"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

// Open opens an engine in a child process. It is used like the one of common.Open: the same Models, Sessions, errors and
// log, but a crash of native code, or a Run that does not end, is an error that wraps common.ErrCrashed, after which
// another child starts. The engine's package must be imported. Nil cfg and o are their zero values.
func Open(engine string, cfg *common.Config, o *Options) (*common.Engine, error) {
	r, ok := common.Lookup(engine)
	if !ok {
		return common.Open(engine, cfg) // for its error
	}
	var options Options
	if o != nil {
		options = *o
	}
	options.folder, _ = os.Getwd() // children that start later see relative paths as the first does
	inner := r
	// The child refuses what the engine itself does not accept.
	r.UnpaddedTensors = true
	r.Open = func(c common.Config) (common.Driver, error) { return open(inner, c, &options) }
	return common.OpenEngine(r, cfg)
}

// engine is an isolated engine. It implements common.Driver.
type engine struct {
	registration common.Registration
	config       common.Config
	native       json.RawMessage // Config.Native
	options      *Options
	log          nativelog.Log
	stderr       io.Writer // gets what children print; nil: the log
	info         common.EngineInfo

	mu     sync.Mutex
	spare  *process // has opened the engine with rules, and has loaded no model; or nil
	closed bool
	rules  *rules
}

func open(r common.Registration, c common.Config, o *Options) (common.Driver, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	e := &engine{registration: r, config: c, options: o, log: nativelog.New(c, r.Name, false)}
	if c.KeepStderr {
		e.stderr = os.Stderr
	}
	var err error
	if e.native, err = encodeNative("Config.Native", c.Native, r.Config); err != nil {
		return nil, err
	}
	e.rules = e.newRules("", nil)
	if e.spare, e.info, err = e.newChild(context.Background(), e.rules); err != nil {
		return nil, err
	}
	return e, nil
}

// leastMemory is what a child takes without a model.
const leastMemory = 128 << 20

// check returns an error for Options that this system or no system supports.
func (o *Options) check() error {
	switch {
	case runtime.GOOS == "android" || runtime.GOOS == "ios":
		return &common.Error{Kind: common.ErrNotAvailable, Message: "apps cannot start isolated engines on " + runtime.GOOS}
	case o.Children < 0 || o.LoadTime < 0 || o.Grace < 0 || o.Memory < 0 || o.CPUTime < 0:
		return &common.Error{Kind: common.ErrOption, Message: "a number in isolate.Options is negative"}
	case o.Memory > 0 && o.Memory < leastMemory:
		return &common.Error{Kind: common.ErrOption, Message: fmt.Sprintf("isolate.Options.Memory is %d bytes; a child needs %d at the least", o.Memory, leastMemory)}
	case slices.ContainsFunc(o.Env, func(pair string) bool { return pair == "" || pair[0] == '=' }):
		return &common.Error{Kind: common.ErrOption, Message: "an entry of isolate.Options.Env has no name"}
	case o.Sandbox < FullSandbox || o.Sandbox > NoSandbox:
		return &common.Error{Kind: common.ErrOption, Message: fmt.Sprintf("isolate.Options.Sandbox is %d, which is none of the constants", o.Sandbox)}
	case runtime.GOOS != "linux" && (o.Memory > 0 || o.CPUTime > 0):
		return &common.Error{Kind: common.ErrOption, Message: "isolate limits Memory and CPUTime on Linux only"}
	}
	for _, path := range slices.Concat(o.Read, o.Write) {
		if _, err := os.Stat(path); err != nil {
			return &common.Error{Kind: common.ErrOption, Path: path, Message: "isolate.Options.Read or Write has a path that cannot be used", Err: err}
		}
	}
	return o.checkSandbox()
}

// command returns the path and the arguments of the child's program.
func (o *Options) command() (path string, args []string, err error) {
	switch {
	case len(o.Command) > 0:
		args = o.Command
	case hasMain.Load():
		path, err = ownExecutable()
		return path, []string{os.Args[0]}, err
	default:
		args = []string{"anyinfer"}
	}
	path, err = exec.LookPath(args[0])
	if err != nil {
		e := &common.Error{Kind: common.ErrNotAvailable, Message: "there is no program for the child process", Err: err}
		if len(o.Command) == 0 {
			e.Hint = "call isolate.Main in the first line of main, or install the anyinfer command: go install github.com/anyinfer/anyinfer/cmd/anyinfer@latest"
		}
		return "", nil, e
	}
	return path, args, nil
}

// inherited are the beginnings of the environment variables that children get.
var inherited = []string{
	"PATH=", "HOME=", "LANG=", "LC_", "TZ=", "LD_", "DYLD_", "ANYINFER_", "XDG_CACHE_HOME=", "GODEBUG=", "GOTRACEBACK=",
	"OMP_", "KMP_", "GOMP_", "MKL_", "TBB_", "OPENVINO_", "OV_", "ORT_", "TF_", "MNN_", "CUDA_", "NVIDIA_", "OCL_",
}

func (o *Options) environment(temp, settings string) []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(o.Env, name) || slices.ContainsFunc(inherited, func(begin string) bool { return strings.HasPrefix(pair, begin) }) {
			env = append(env, pair)
		}
	}
	for _, pair := range o.Env {
		if strings.Contains(pair, "=") {
			env = append(env, pair)
		}
	}
	// The last of several values counts.
	return append(env, variable+"="+settings, "TMPDIR="+temp, fmt.Sprintf("GOMAXPROCS=%d", runtime.GOMAXPROCS(0)))
}

// getenv returns a variable of the children's environment.
func (o *Options) getenv(name string) string {
	for _, pair := range slices.Backward(o.Env) {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return os.Getenv(name)
}

// encodeNative returns the JSON of a value of the same type as like.
func encodeNative(field string, value, like any) (json.RawMessage, error) {
	if value == nil {
		return nil, nil
	}
	if reflect.TypeOf(value) != reflect.TypeOf(like) {
		return nil, &common.Error{Kind: common.ErrOption, Message: fmt.Sprintf("%s is %T; it takes %T", field, value, like)}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, &common.Error{Kind: common.ErrOption, Message: field + " cannot be passed to another process", Err: err}
	}
	return text, nil
}

// newChild starts a child and opens the engine in it.
func (e *engine) newChild(ctx context.Context, r *rules) (*process, common.EngineInfo, error) {
	var info common.EngineInfo
	p, err := start(e.options, r, e.log, e.stderr)
	if err != nil {
		return nil, info, err
	}
	args := openArgs{protocol, module.Version(), e.registration.Name, e.config.Library, e.native, e.logLevel()}
	if err := p.call(ctx, e.options.startTime(), opOpen, args, &info); err != nil {
		p.close()
		return nil, info, explainStart(p, err)
	}
	return p, info, nil
}

// logLevel returns the lowest level that the logger wants now. A child sends no record below it.
func (e *engine) logLevel() slog.Level {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if e.config.Logger.Enabled(context.Background(), level) {
			return level
		}
	}
	return slog.LevelError
}

// explainStart returns the error of a child that has ended before it opened an engine.
func explainStart(p *process, err error) error {
	if !errors.Is(err, common.ErrCrashed) || p.cmd.ProcessState == nil || p.cmd.ProcessState.ExitCode() < 0 || p.words.cause() != "" {
		return err
	}
	e := &common.Error{Kind: common.ErrNotAvailable, Path: p.cmd.Path, Message: cmp.Or(p.words.text(), "it has printed nothing"), Err: errNoChild}
	if !strings.Contains(e.Message, complaint) {
		e.Hint = "the child's program must call isolate.Main in the first line of its main function"
	}
	return e
}

var errNoChild = errors.New("the child process has ended before it opened the engine")

func (e *engine) Info() common.EngineInfo { return e.info }

// Devices asks a child that may use every device file, because the engine looks for hardware.
func (e *engine) Devices(ctx context.Context) (devices []common.Device, err error) {
	r := e.newRules("", nil)
	r.addAllDevices()
	p, _, err := e.newChild(ctx, r)
	if err != nil {
		return nil, err
	}
	defer p.close()
	err = p.call(ctx, e.options.startTime(), opDevices, nil, &devices)
	return devices, err
}

// Property asks a child that has no model.
func (e *engine) Property(key string) (value string, err error) {
	ctx := context.Background()
	p, err := e.child(ctx, e.rules)
	if err != nil {
		return "", err
	}
	err = p.call(ctx, e.options.startTime(), opProperty, propertyArgs{Key: key}, &value)
	e.mu.Lock()
	if e.spare == nil && !e.closed {
		e.spare, p = p, nil
	}
	e.mu.Unlock()
	if p != nil {
		p.close()
	}
	return value, err
}

// child returns a child with these rules that has opened the engine: the spare one, or another.
func (e *engine) child(ctx context.Context, r *rules) (*process, error) {
	e.mu.Lock()
	p := e.spare
	e.spare = nil
	e.mu.Unlock()
	if p != nil && e.rules.equal(r) && !p.dead.Load() {
		return p, nil
	}
	if p != nil {
		p.close()
	}
	p, _, err := e.newChild(ctx, r)
	return p, err
}

func (e *engine) Close() error {
	e.mu.Lock()
	p := e.spare
	e.spare, e.closed = nil, true
	e.mu.Unlock()
	if p != nil {
		p.close()
	}
	return nil
}
