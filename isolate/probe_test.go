// SPDX-License-Identifier: Apache-2.0

package isolate_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
)

// loaded is the text of the model that this child has loaded.
var loaded string

// The models of the engine "probed" do what their text says, or that of the file whose name follows. Each Load appends a
// line to the file whose path is in ANYINFER_TEST_LOADS.
func init() {
	vector := []common.TensorInfo{{Name: "x", DType: common.Float32, Shape: common.Shape{-1, 2}}}
	(&fake.Engine{
		Name:    "probed",
		Formats: []common.Format{{Name: "probed", Extensions: []string{".probed"}}},
		Signatures: []common.Signature{
			{Name: "first", Inputs: vector, Outputs: vector},
			{Name: "second", Inputs: []common.TensorInfo{{Name: "s", DType: common.String, Shape: nil}}, Outputs: vector},
		},
		Load: func(files *common.ModelFiles, _ common.Options) error {
			text, other, _ := strings.Cut(string(files.Bytes(0)), " ")
			if loaded = text; other != "" {
				data, err := files.Beside(other)
				if err != nil {
					return err
				}
				loaded = string(data)
			}
			if path := os.Getenv("ANYINFER_TEST_LOADS"); path != "" {
				log, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					return err
				}
				defer log.Close()
				fmt.Fprintln(log, loaded)
			}
			switch loaded {
			case "load":
				abort("loading")
			case "killed":
				crash("and is killed")
			case "bad":
				return &common.Error{Kind: common.ErrModel, Message: "it is bad"}
			}
			return nil
		},
		Run: func(ctx context.Context, signature int, in, out []*common.Tensor) (err error) {
			switch {
			case loaded == "run" && signature == 1:
				abort("running")
			case loaded == "hang":
				<-ctx.Done()
				return ctx.Err()
			case loaded == "refuse":
				return &common.Error{Kind: common.ErrInput, Message: fmt.Sprint("not ", in[0].Shape())}
			}
			out[0], err = common.NewTensor(common.Float32, 1, 2)
			return err
		},
	}).Register()
}

func abort(doing string) {
	fmt.Fprintln(os.Stderr, "the SDK asserts", doing)
	syscall.Kill(os.Getpid(), syscall.SIGABRT)
	select {}
}

// prober probes models with verdicts in a folder of its own.
type prober struct {
	options isolate.ProbeOptions
	loads   string
}

func newProber(t *testing.T) *prober {
	p := &prober{isolate.ProbeOptions{CacheDir: filepath.Join(t.TempDir(), "verdicts")}, filepath.Join(t.TempDir(), "loads")}
	require.NoError(t, os.WriteFile(p.loads, nil, 0o600))
	t.Setenv("ANYINFER_TEST_LOADS", p.loads)
	p.options.Isolate = &isolate.Options{Write: []string{p.loads}}
	return p
}

func (p *prober) probe(t *testing.T, model string) error {
	return isolate.Probe(t.Context(), "probed", common.Bytes([]byte(model)).As("probed"), &p.options)
}

// count returns how many models children have loaded since the last call.
func (p *prober) count(t *testing.T) int {
	text, err := os.ReadFile(p.loads)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(p.loads, 0))
	return strings.Count(string(text), "\n")
}

func TestProbe(t *testing.T) {
	p := newProber(t)
	for _, test := range []struct {
		model, want string
		kept        bool
	}{
		{"good", "", true},
		{"refuse", "", true},
		{"load", "probed: probe: model not usable: the engine's process has ended in load: SIGABRT: abort; its last words: the SDK asserts loading; if you need it, run it with isolate.Open", true},
		{"run", "probed: probe: model not usable: the engine's process has ended in run: SIGABRT: abort; its last words: the SDK asserts running; if you need it, run it with isolate.Open", true},
		{"killed", "probed: probe: model not usable: the engine's process has ended in load: signal: killed; its last words: the SDK gives up and is killed; if you need it, run it with isolate.Open", false},
		{"bad", "probed: load: model not usable: it is bad", false},
	} {
		for i := range 2 {
			err := p.probe(t, test.model)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.want)
				require.ErrorIs(t, err, common.ErrModel)
				require.Equal(t, test.model != "bad", isCrash(err))
			}
			loads := 1
			if i == 1 && test.kept {
				loads = 0
			}
			require.Equal(t, loads, p.count(t), "%s, probe %d", test.model, i)
		}
	}
}

func isCrash(err error) bool {
	e, ok := err.(*common.Error)
	return ok && e.Err == common.ErrCrashed
}

// TestProbeOther: a verdict holds for the same model, the same options and one folder.
func TestProbeOther(t *testing.T) {
	p := newProber(t)
	require.NoError(t, p.probe(t, "good"))
	require.Equal(t, 1, p.count(t))
	for name, change := range map[string]func(){
		"load":    func() { p.options.Load = &common.Options{Threads: 3} },
		"isolate": func() { p.options.Isolate.Sandbox = isolate.NoSandbox },
		"folder":  func() { p.options.CacheDir = filepath.Join(t.TempDir(), "others") },
	} {
		change()
		require.NoError(t, p.probe(t, "good"))
		require.Equal(t, 1, p.count(t), name)
		require.NoError(t, p.probe(t, "good"))
		require.Equal(t, 0, p.count(t), name)
	}
	require.NoError(t, p.probe(t, "better"))
	require.Equal(t, 1, p.count(t))
	p.options.NoCache = true
	require.NoError(t, p.probe(t, "good"))
	require.Equal(t, 1, p.count(t))
	require.Error(t, p.probe(t, "load"))
	p.options.NoCache = false
	p.count(t)
	require.Error(t, p.probe(t, "load"))
	require.Equal(t, 1, p.count(t), "NoCache has kept nothing")
	require.NoError(t, os.WriteFile(p.loads+".file", nil, 0o600))
	p.options.CacheDir = p.loads + ".file"
	require.ErrorIs(t, p.probe(t, "good"), common.ErrOption)
}

// TestProbeDamagedVerdict: the model is probed again.
func TestProbeDamagedVerdict(t *testing.T) {
	p := newProber(t)
	require.Error(t, p.probe(t, "load"))
	verdicts, err := filepath.Glob(filepath.Join(p.options.CacheDir, "*"))
	require.NoError(t, err)
	require.Len(t, verdicts, 1)
	text, err := os.ReadFile(verdicts[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(verdicts[0], append([]byte("{}"), text...), 0o600))
	p.count(t)
	require.Error(t, p.probe(t, "load"))
	require.Equal(t, 1, p.count(t))
	require.Error(t, p.probe(t, "load"))
	require.Equal(t, 0, p.count(t))
}

// TestProbeFiles: the files that a model refers to are parts of it.
func TestProbeFiles(t *testing.T) {
	p := newProber(t)
	fsys := fstest.MapFS{"m/a.probed": {Data: []byte("ref weights")}, "m/weights": {Data: []byte("good")}}
	probe := func() error {
		return isolate.Probe(t.Context(), "probed", common.FS(fsys, "m/a.probed"), &p.options)
	}
	require.NoError(t, probe())
	require.Equal(t, 1, p.count(t))
	require.NoError(t, probe())
	require.Equal(t, 0, p.count(t))
	fsys["m/weights"] = &fstest.MapFile{Data: []byte("load")}
	require.ErrorIs(t, probe(), common.ErrCrashed)
	require.Equal(t, 1, p.count(t))
	require.ErrorIs(t, probe(), common.ErrCrashed)
	require.Equal(t, 0, p.count(t))
}

func TestProbesAtOnce(t *testing.T) {
	p := newProber(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 3 {
				if err := p.probe(t, "load"); !isCrash(err) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	files, err := os.ReadDir(p.options.CacheDir)
	require.NoError(t, err)
	require.Len(t, files, 1)
}

func TestProbeEnds(t *testing.T) {
	p := newProber(t)
	p.options.Isolate.Grace = 10 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := isolate.Probe(ctx, "probed", common.Bytes([]byte("hang")).As("probed"), &p.options)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	files, err := os.ReadDir(p.options.CacheDir)
	require.NoError(t, err)
	require.Empty(t, files)
	require.ErrorIs(t, isolate.Probe(t.Context(), "none", common.Bytes([]byte("x")), nil), common.ErrNotAvailable)
}
