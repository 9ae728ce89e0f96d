// SPDX-License-Identifier: Apache-2.0

package onnxruntime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

// operatorCase is a model, and Runs of it in Python.
type operatorCase struct {
	Name, Model string
	Others      [2]map[string]string // inputs and outputs of types that package common does not have
	Load, Run   *struct{ Code int }  // the error of Python
	Random      bool                 // later Runs of the same model differ from the first
	Sets        [][2]map[string]stored
}

// stored describes a tensor whose elements lie in a file, or are strings.
type stored struct {
	DType      string
	Shape      []int
	Begin, End int
	Strings    []string
}

// The models of the Python package onnx, and those of operators.py, have the same
// results as with ONNX Runtime's Python API, bit for bit. What that refuses is an
// error with the same code here, and is in testdata/operators.txt.
func TestOperators(t *testing.T) {
	e := enginetest.Open(t, "onnxruntime", &common.Config{Logger: slog.New(slog.DiscardHandler)})
	dir := t.TempDir()
	leftOut := enginetest.Python(t, filepath.Join("testdata", "operators.py"), nil, dir)
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	require.NoError(t, err)
	elements, err := os.ReadFile(filepath.Join(dir, "elements"))
	require.NoError(t, err)
	var python struct {
		Version string // of ONNX Runtime
		Cases   []operatorCase
	}
	require.NoError(t, json.Unmarshal(text, &python))
	if version := e.Info().Version; version != python.Version {
		if os.Getenv("ANYINFER_ONNXRUNTIME_LIBRARY") == "" {
			enginetest.Missing(t, fmt.Sprintf("ONNX Runtime is version %s, in Python %s", version, python.Version))
		}
		t.Skipf("the library is version %s; results are compared with those of %s in Python", version, python.Version)
	}
	t.Run("list", func(t *testing.T) { checkLeftOut(t, leftOut) })
	for _, c := range python.Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.check(t, e, elements)
		})
	}
}

// checkLeftOut compares what is left out with testdata/operators.txt. Some cases
// need a locale, which few systems have.
func checkLeftOut(t *testing.T, leftOut string) {
	text, err := os.ReadFile(filepath.Join("testdata", "operators.txt"))
	require.NoError(t, err)
	got, want := strings.Split(leftOut, "\n"), strings.Split(string(text), "\n")
	if got[0] != want[0] {
		enginetest.Missing(t, fmt.Sprintf("the list is for %s; here are %s", want[0], got[0]))
	}
	want = slices.DeleteFunc(want, func(line string) bool {
		return strings.HasSuffix(line, "the system does not have the locale") && !slices.Contains(got, line)
	})
	require.Equal(t, strings.Join(want, "\n"), strings.Join(got, "\n"), "python operators.py FOLDER >operators.txt makes the list anew")
}

func (c *operatorCase) check(t *testing.T, e *common.Engine, elements []byte) {
	model, err := e.Load(ctx, common.File(c.Model), &common.Options{Threads: 1})
	if c.Load != nil {
		requireCode(t, err, common.ErrModel, c.Load.Code)
		return
	}
	if len(c.Others[0])+len(c.Others[1]) > 0 {
		requireCode(t, err, common.ErrDType, 0)
		for name, kind := range c.others() {
			require.ErrorContains(t, err, strconv.Quote(name)+" is a")
			require.ErrorContains(t, err, strings.ReplaceAll(kind, "_", " "))
		}
		return
	}
	require.NoError(t, err)
	defer model.Close()
	s := enginetest.NewSession(t, model)
	for n := range c.Sets {
		in, want := c.tensors(t, n, 0, elements), c.tensors(t, n, 1, elements)
		got, err := model.Run(ctx, in)
		if c.Run != nil {
			requireCode(t, err, common.ErrRun, c.Run.Code)
			return
		}
		require.NoError(t, err)
		requireSame(t, want, got)
		if !c.Random {
			c.inSession(t, s, in, want)
		}
	}
}

// others are the inputs that are no tensors of a DType, or if there are none, the
// outputs.
func (c *operatorCase) others() map[string]string {
	if len(c.Others[0]) > 0 {
		return c.Others[0]
	}
	return c.Others[1]
}

// tensors are the inputs (0) or outputs (1) of Run n.
func (c *operatorCase) tensors(t *testing.T, n, side int, elements []byte) common.Tensors {
	tensors := common.Tensors{}
	for name, x := range c.Sets[n][side] {
		dt, err := common.ParseDType(x.DType)
		require.NoError(t, err)
		tensors[name], err = common.NewTensor(dt, x.Shape...)
		require.NoError(t, err)
		require.Equal(t, tensors[name].Len()*dt.Size(), copy(tensors[name].Bytes(), elements[x.Begin:x.End]))
		if dt == common.String {
			all, err := common.Data[string](tensors[name])
			require.NoError(t, err)
			require.Equal(t, tensors[name].Len(), copy(all, x.Strings))
		}
	}
	return tensors
}

// inSession runs a session with its own outputs, and twice with the caller's.
func (c *operatorCase) inSession(t *testing.T, s *common.Session, in, want common.Tensors) {
	for i, info := range s.Signature().Inputs {
		require.NoError(t, s.BindInput(i, in[info.Name]))
	}
	require.NoError(t, s.Run(ctx))
	got := common.Tensors{}
	for i, info := range s.Signature().Outputs {
		got[info.Name] = s.Output(i)
	}
	requireSame(t, want, got)
	for i, info := range s.Signature().Outputs {
		own, err := common.NewTensor(want[info.Name].DType(), want[info.Name].Shape()...)
		require.NoError(t, err)
		require.NoError(t, s.BindOutput(i, own))
		got[info.Name] = own
	}
	for range 2 {
		for _, y := range got {
			for i := range y.Bytes() {
				y.Bytes()[i] = 0xa5
			}
		}
		require.NoError(t, s.Run(ctx))
		requireSame(t, want, got)
	}
	for i := range s.Signature().Outputs {
		require.NoError(t, s.BindOutput(i, nil))
	}
}

func requireSame(t *testing.T, want, got common.Tensors) {
	t.Helper()
	require.Len(t, got, len(want))
	for name, w := range want {
		require.Empty(t, enginetest.Differ(w, got[name], func(float64) float64 { return 0 }), "output %q", name)
	}
}

func requireCode(t *testing.T, err, kind error, code int) {
	t.Helper()
	var typed *common.Error
	require.ErrorAs(t, err, &typed)
	require.ErrorIs(t, err, kind)
	require.Equal(t, code, typed.Code, "%v", err)
}
