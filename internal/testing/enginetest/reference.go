// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"cmp"
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

// comparison is a model with an input for this engine and the Python package.
type comparison struct {
	name, model string
	in          []*common.Tensor
	sane        func(t *testing.T, out []*common.Tensor) // the result makes sense
	out         string                                   // the folder of Python's outputs
}

// reference compares with the SDK's own Python API: the same tensors into
// both, from testdata and, for the public models, from real photos.
func (s *suite) reference(t *testing.T) {
	if !slices.Contains([]string{"openvino", "tflite", "mnn"}, s.Name) {
		t.Skip("reference.py does not know this engine")
	}
	var todo []*comparison
	for _, e := range s.entries {
		plain := !slices.ContainsFunc(slices.Concat(e.Inputs, e.Outputs), func(i info) bool { return i.NPY != "" || i.DType == "string" })
		for _, format := range s.Formats {
			if e.Files[format] == nil || !plain || len(e.Signatures) > 0 {
				continue
			}
			m := s.read(t, e, format)
			for n := range m.in {
				c := &comparison{name: fmt.Sprintf("%s/%s/%d", format, m.Name, n), model: m.paths()[0]}
				for _, i := range m.Inputs {
					c.in = append(c.in, m.in[n][i.Name])
				}
				todo = append(todo, c)
			}
		}
	}
	todo = append(todo, s.publicModels(t)...)
	version := s.python(t, todo)
	e := s.engine(t)
	t.Logf("the engine is %s, the Python package %s", e.Info().Version, version)
	for _, c := range todo {
		s.parallel(t, c.name, func(t *testing.T) { s.compare(t, e, c, e.Info().Version == version) })
	}
}

// python runs all comparisons in one process, and returns the version of the SDK
// there.
func (s *suite) python(t *testing.T, todo []*comparison) (version string) {
	t.Helper()
	type job struct {
		Model  string   `json:"model"`
		Inputs []string `json:"inputs"`
		Out    string   `json:"out"`
	}
	var jobs []job
	for _, c := range todo {
		c.out = t.TempDir()
		j := job{Model: c.model, Out: c.out}
		for i, x := range c.in {
			j.Inputs = append(j.Inputs, filepath.Join(c.out, fmt.Sprintf("in%d.npy", i)))
			require.NoError(t, npy.WriteFile(j.Inputs[i], x))
		}
		jobs = append(jobs, j)
	}
	text, err := json.Marshal(jobs)
	require.NoError(t, err)
	python := cmp.Or(os.Getenv("ANYINFER_TEST_PYTHON"), "python3")
	cmd := exec.Command(python, filepath.Join(s.root, "internal", "testing", "enginetest", "reference.py"), s.Name)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(text), &stderr
	out, err := cmd.Output()
	if strings.Contains(stderr.String(), "ModuleNotFoundError") || errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		missing(t, fmt.Sprintf("the SDK's Python package is missing: %v\n%s\nset ANYINFER_TEST_PYTHON to an interpreter that has internal/testing/enginetest/requirements.txt", err, &stderr))
	}
	require.NoError(t, err, "reference.py: %s", &stderr)
	return strings.TrimSpace(string(out))
}

// compare runs a comparison here. With the same library, OpenVINO's results are
// the same, too.
func (s *suite) compare(t *testing.T, e *common.Engine, c *comparison, sameLibrary bool) {
	o := s.oneThread()
	session := NewSession(t, Load(t, e, common.File(c.model), &o))
	for i, x := range c.in {
		require.NoError(t, session.BindInput(i, x))
	}
	require.NoError(t, session.Run(ctx))
	var outs []*common.Tensor
	for i, info := range session.Signature().Outputs {
		want, err := npy.ReadFile(filepath.Join(c.out, fmt.Sprintf("%d.npy", i)))
		require.NoError(t, err)
		outs = append(outs, session.Output(i))
		limit := func(float64) float64 { return 1 } // a quantization step
		if s.Name == "openvino" && sameLibrary {
			limit = exactly
		} else if dt := want.DType(); dt == common.Float32 || dt == common.Float64 {
			// Another release has other kernels, which add in another order: where
			// a sum cancels out, what is left is as exact as its addends. Half of
			// the last term was measured, on deeplabv3.
			most := 0.0
			for _, x := range values.Float64s(want) {
				most = max(most, math.Abs(x))
			}
			limit = func(ref float64) float64 { return 1e-6 + 1e-5*math.Abs(ref) + 1e-6*most }
		}
		require.Empty(t, differ(want, outs[i], limit), info.Name)
	}
	if c.sane != nil {
		c.sane(t, outs)
	}
}
