// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
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
	Model, Out string   // the file, and the folder of Python's outputs
	Inputs     []string // their files
	name       string
	in         []*common.Tensor
}

// reference compares with the SDK's own Python API: the same tensors into both, from testdata and, for the
// public models, from real photos.
func (s *suite) reference(t *testing.T) {
	if !slices.Contains([]string{"openvino", "onnxruntime", "tflite", "mnn"}, s.Name) {
		t.Skip("reference.py does not know this engine")
	}
	var todo []*comparison
	for _, e := range s.entries {
		plain := !slices.ContainsFunc(slices.Concat(e.Inputs, e.Outputs), func(i info) bool { return i.NPY != "" || i.DType == "string" })
		for _, format := range s.Formats {
			if e.Files[format] == nil || !plain || len(e.Signatures) > 0 {
				continue
			}
			if m := s.read(t, e, format); len(m.in) > 0 {
				c := &comparison{name: format + "/" + m.Name, Model: m.paths()[0]}
				for _, i := range m.Inputs {
					c.in = append(c.in, m.in[len(m.in)-1][i.Name])
				}
				todo = append(todo, c)
			}
		}
	}
	todo = append(todo, s.publicModels(t)...)
	e, version := s.engine(t), s.python(t, todo)
	for _, c := range todo {
		s.parallel(t, c.name, func(t *testing.T) { s.compare(t, e, c, e.Info().Version == version) })
	}
}

// Python runs a script that needs the packages of requirements.txt, and returns what it prints. Where they are
// missing the test skips; in CI that is a failure.
func Python(t testing.TB, script string, stdin io.Reader, args ...string) string {
	t.Helper()
	cmd := exec.Command(cmp.Or(os.Getenv("ANYINFER_TEST_PYTHON"), "python3"), append([]string{script}, args...)...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = stdin, &stderr
	out, err := cmd.Output()
	if strings.Contains(stderr.String(), "ModuleNotFoundError") || errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		Missing(t, fmt.Sprintf("the SDK's Python package is missing: %v\n%s\nset ANYINFER_TEST_PYTHON to an interpreter that has internal/testing/enginetest/requirements.txt", err, &stderr))
	}
	require.NoError(t, err, "%s: %s", script, &stderr)
	return string(out)
}

// python runs all comparisons in one process, and returns the version of the SDK there.
func (s *suite) python(t *testing.T, todo []*comparison) (version string) {
	for _, c := range todo {
		c.Out = t.TempDir()
		for i, x := range c.in {
			c.Inputs = append(c.Inputs, filepath.Join(c.Out, fmt.Sprintf("in%d.npy", i)))
			require.NoError(t, npy.WriteFile(c.Inputs[i], x))
		}
	}
	text, err := json.Marshal(todo)
	require.NoError(t, err)
	return strings.TrimSpace(Python(t, filepath.Join(s.root, "internal", "testing", "enginetest", "reference.py"), bytes.NewReader(text), s.Name))
}

// compare runs a comparison here. With the same library, OpenVINO's and ONNX Runtime's results are the same, too.
func (s *suite) compare(t *testing.T, e *common.Engine, c *comparison, sameLibrary bool) {
	o := s.oneThread()
	session := NewSession(t, Load(t, e, common.File(c.Model), &o))
	for i, x := range c.in {
		require.NoError(t, session.BindInput(i, x))
	}
	require.NoError(t, session.Run(ctx))
	for i, info := range session.Signature().Outputs {
		want, err := npy.ReadFile(filepath.Join(c.Out, fmt.Sprintf("%d.npy", i)))
		require.NoError(t, err)
		limit := func(float64) float64 { return 1 } // a quantization step
		if sameLibrary && (s.Name == "openvino" || s.Name == "onnxruntime") {
			limit = exactly
		} else if dt := want.DType(); dt == common.Float32 || dt == common.Float64 {
			// Another release has other kernels, which add in another order: where a sum cancels out, what is
			// left is as exact as its addends. Half of the last term was measured, on deeplabv3.
			most := 0.0
			for _, x := range values.Float64s(want) {
				most = max(most, math.Abs(x))
			}
			limit = func(ref float64) float64 { return 1e-6 + 1e-5*math.Abs(ref) + 1e-6*most }
		}
		require.Empty(t, Differ(want, session.Output(i), limit), info.Name)
	}
}

// publicModel is a model that the project does not ship, with the photos to run it on.
type publicModel struct {
	file    string
	photos  []string
	dtype   common.DType
	shape   common.Shape      // with 3 channels
	refused map[string]string // by engine, the operator that it lacks
}

var pets, faces = []string{"dog.png", "tiger_cat.jpg"}, []string{"faces.jpg"}

var public = []publicModel{
	{file: "yolox_nano.onnx", photos: pets, dtype: common.Float32, shape: common.Shape{1, 3, 416, 416}},
	{file: "ultraface-rfb-320.onnx", photos: faces, dtype: common.Float32, shape: common.Shape{1, 3, 240, 320}},
	{file: "blazeface_front.tflite", photos: faces, dtype: common.Float32, shape: common.Shape{1, 128, 128, 3}},
	{file: "deeplabv3_257.tflite", photos: pets, dtype: common.Float32, shape: common.Shape{1, 257, 257, 3}},
	{file: "ssd_mobilenet_v1_quant.tflite", photos: pets, dtype: common.Uint8, shape: common.Shape{1, 300, 300, 3},
		refused: map[string]string{"openvino": "TFLite_Detection_PostProcess"}},
	{file: "nanodet_m.mnn", photos: pets, dtype: common.Float32, shape: common.Shape{1, 3, 320, 320}},
}

// publicModels are the comparisons of the public models, where they are there.
func (s *suite) publicModels(t *testing.T) (todo []*comparison) {
	dir := cmp.Or(os.Getenv("ANYINFER_TEST_MODELS"), filepath.Join(s.root, "..", "shared", "models"))
	for _, p := range public {
		path := filepath.Join(dir, p.file)
		if !slices.Contains(s.Formats, common.File(path).Format()) {
			continue
		}
		if _, err := os.Stat(path); err != nil {
			s.run(t, p.file, func(t *testing.T) { t.Skipf("the public models are not there: %v", err) })
		} else if operator := p.refused[s.Name]; operator != "" {
			s.run(t, p.file, func(t *testing.T) { // which the error must name
				_, err := s.engine(t).Load(ctx, common.File(path), nil)
				require.ErrorIs(t, err, common.ErrModel)
				require.True(t, typed(err))
				require.ErrorContains(t, err, operator)
			})
		} else {
			for _, photo := range p.photos {
				in := []*common.Tensor{p.input(t, filepath.Join(dir, photo))}
				todo = append(todo, &comparison{name: p.file + "/" + photo, Model: path, in: in})
			}
		}
	}
	return todo
}

// input is a photo in the model's size: bytes, or floats from -1 to 1.
func (p publicModel) input(t *testing.T, path string) *common.Tensor {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	photo, _, err := image.Decode(f)
	require.NoError(t, err)
	x, err := common.NewTensor(p.dtype, p.shape...)
	require.NoError(t, err)
	floats, _ := common.Data[float32](x)
	first := p.shape[1] == 3 // the channels
	h, w := p.shape[1], p.shape[2]
	if first {
		h, w = p.shape[2], p.shape[3]
	}
	size := photo.Bounds().Size()
	for i := range h * w * 3 {
		at, c := i/3, i%3
		if first {
			at, c = i%(h*w), i/(h*w)
		}
		r, g, b, _ := photo.At(at%w*size.X/w, at/w*size.Y/h).RGBA() // the nearest pixel will do
		if v := [3]uint32{r, g, b}[c] >> 8; floats == nil {
			x.Bytes()[i] = byte(v)
		} else {
			floats[i] = float32(v)/127.5 - 1
		}
	}
	return x
}
