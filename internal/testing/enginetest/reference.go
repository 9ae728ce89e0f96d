// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// reference compares with the SDK's own Python API: the same tensors into
// both, from testdata and, for the public models, from real photos.
func (s *suite) reference(t *testing.T) {
	if !slices.Contains([]string{"openvino", "tflite", "mnn"}, s.Name) {
		t.Skip("reference.py does not know this engine")
	}
	var todo []comparison
	for _, format := range s.Formats {
		for _, m := range s.models {
			plain := !slices.ContainsFunc(slices.Concat(m.Inputs, m.Outputs), func(i info) bool { return i.NPY != "" || i.DType == "string" })
			if m.Files[format] != nil && plain && len(m.Signatures) == 0 {
				for n := range m.Cases {
					var in []*common.Tensor
					for _, i := range m.Inputs {
						in = append(in, s.in(t, m, format, n)[i.Name])
					}
					todo = append(todo, comparison{name: fmt.Sprintf("%s/%s/%d", format, m.Name, n), model: m.paths(s.root, format)[0], in: in})
				}
			}
		}
	}
	folder := publicModels(s.root)
	for _, p := range public {
		path := filepath.Join(folder, p.file)
		format := common.File(path).Format()
		if !slices.Contains(s.Formats, format) {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			s.run(t, p.file, func(t *testing.T) { t.Skipf("the public models are not there: %v", err) })
			continue
		}
		if p.refused[s.Name] != "" {
			s.run(t, p.file, func(t *testing.T) { s.refuses(t, path, p.refused[s.Name]) })
			continue
		}
		for _, photo := range p.photos {
			x := p.input(t, filepath.Join(folder, photo))
			todo = append(todo, comparison{name: p.file + "/" + photo, model: path, in: []*common.Tensor{x}, sane: p.sane})
		}
	}
	s.compare(t, todo)
}

// comparison is a model with an input for both sides.
type comparison struct {
	name, model string
	in          []*common.Tensor
	sane        func(t *testing.T, out []*common.Tensor) // the result makes sense
}

// python runs all comparisons in one process and says where the outputs of
// each are, and the version of the SDK there.
func (s *suite) python(t *testing.T, todo []comparison) (folders []string, version string) {
	t.Helper()
	python := os.Getenv("ANYINFER_TEST_PYTHON")
	if python == "" {
		python = "python3"
	}
	type job struct {
		Model  string   `json:"model"`
		Inputs []string `json:"inputs"`
		Out    string   `json:"out"`
	}
	var jobs []job
	for _, c := range todo {
		j := job{Model: c.model, Out: t.TempDir()}
		for i, x := range c.in {
			path := filepath.Join(t.TempDir(), fmt.Sprintf("%d.npy", i))
			require.NoError(t, npy.WriteFile(path, x))
			j.Inputs = append(j.Inputs, path)
		}
		jobs, folders = append(jobs, j), append(folders, j.Out)
	}
	text, err := json.Marshal(jobs)
	require.NoError(t, err)
	cmd := exec.Command(python, filepath.Join(s.root, "internal", "enginetest", "reference.py"), s.Name)
	cmd.Stdin = bytes.NewReader(text)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if !strings.Contains(stderr.String(), "ModuleNotFoundError") && !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("reference.py: %v\n%s", err, &stderr)
		}
		missing(t, fmt.Sprintf("the SDK's Python package is missing: %v\n%s\nset ANYINFER_TEST_PYTHON to an interpreter that has internal/testing/enginetest/requirements.txt", err, &stderr))
	}
	return folders, strings.TrimSpace(string(out))
}

func (s *suite) compare(t *testing.T, todo []comparison) {
	folders, version := s.python(t, todo)
	e := s.engine(t)
	t.Logf("the engine is %s, the Python package %s", e.Info().Version, version)
	for n, c := range todo {
		s.run(t, c.name, func(t *testing.T) {
			loaded, err := e.Load(ctx, common.File(c.model), s.oneThread())
			require.NoError(t, err)
			defer loaded.Close()
			session := newSession(t, loaded)
			for i, x := range c.in {
				require.NoError(t, session.BindInput(i, x))
			}
			require.NoError(t, session.Run(ctx))
			var outs []*common.Tensor
			for i, info := range session.Signature().Outputs {
				want, err := npy.ReadFile(filepath.Join(folders[n], fmt.Sprintf("%d.npy", i)))
				require.NoError(t, err)
				got := session.Output(i)
				outs = append(outs, got)
				require.Equal(t, want.DType(), got.DType(), info.Name)
				require.Equal(t, want.Shape(), got.Shape(), info.Name)
				if diff := differ(want, got, func(float64) float64 { return 0 }); diff != "" {
					t.Logf("output %q: not bit for bit: largest difference %.3g, of values to %.3g", info.Name, largest(want, got), magnitude(want))
				}
				require.Empty(t, differ(want, got, s.agreement(want, e.Info().Version, version)), info.Name)
			}
			if c.sane != nil {
				c.sane(t, outs)
			}
		})
	}
}

// agreement is how near the result of the Python package must come.
func (s *suite) agreement(want *common.Tensor, engine, python string) func(ref float64) float64 {
	switch dt := want.DType(); {
	case s.Name == "openvino" && engine == python:
		return func(float64) float64 { return 0 } // the same code: equal
	case dt == common.Float32 || dt == common.Float64:
		// Another release has other kernels, which add in another order: where
		// a sum cancels out, what is left is as exact as its addends. Half of
		// the last term was measured, on deeplabv3.
		most := magnitude(want)
		return func(ref float64) float64 { return 1e-6 + 1e-5*math.Abs(ref) + 1e-6*most }
	}
	return func(float64) float64 { return 1 } // a quantization step
}

func largest(a, b *common.Tensor) (d float64) {
	x, y := values.Float64s(a), values.Float64s(b)
	for i := range x {
		d = max(d, math.Abs(x[i]-y[i]))
	}
	return d
}

func magnitude(a *common.Tensor) (d float64) {
	for _, x := range values.Float64s(a) {
		d = max(d, math.Abs(x))
	}
	return d
}

// refuses: a model that this engine cannot run is a clear error.
func (s *suite) refuses(t *testing.T, path, operator string) {
	_, err := s.engine(t).Load(ctx, common.File(path), nil)
	require.ErrorIs(t, err, common.ErrModel)
	require.True(t, typed(err))
	require.ErrorContains(t, err, operator)
	t.Log(err)
}
