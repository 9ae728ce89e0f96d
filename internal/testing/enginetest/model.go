// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// entry is a model of testdata/models.json, or one of its signatures.
type entry struct {
	Name            string
	Engines         []string // that can run it; nil: all that read one of its files
	Files           map[string][]string
	Inputs, Outputs []info
	// Shapes are those that differ in a format, by format and tensor. The elements are the same and in the
	// same order.
	Shapes    map[string]map[string]common.Shape
	Tolerance struct {
		Abs, Rel float64
		Steps    *float64 // for quantized integers
	}
	Quant map[string]map[string]struct {
		Scale     []float32
		ZeroPoint []int64 `json:"zero_point"`
		Axis      int
	}
	Metadata   map[string]map[string]string // by format
	Signatures []*entry
	// Cases have a tensor's elements as an .npy file or a vector of strings.
	Cases []struct{ Inputs, Outputs map[string]any }
	// Stream has the outputs of the cases where one session runs them in a row, in a model that keeps a
	// state.
	Stream []map[string]any
}

type info struct {
	Name   string
	DType  string
	Shape  common.Shape
	NPY    string // dtype in .npy files where they cannot have DType: the bits
	Labels []string
}

// readManifest reads what there is for the engine.
func (s *suite) readManifest(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(s.root, "testdata", "models.json"))
	require.NoError(t, err)
	var manifest struct{ Models []*entry }
	require.NoError(t, json.Unmarshal(text, &manifest))
	for _, e := range manifest.Models {
		s.names = append(s.names, e.Name)
		for format := range e.Files {
			for _, name := range []string{e.Name, format + "/" + e.Name} {
				if reason := s.Without[name]; reason != "" {
					t.Logf("without the model %s: %s", name, reason)
					delete(e.Files, format)
				}
			}
		}
		if e.Engines == nil || slices.Contains(e.Engines, s.Name) {
			s.entries = append(s.entries, e)
		}
	}
	require.NotEmpty(t, s.entries)
}

// named reports whether e has one of the names, or there are none.
func (e *entry) named(names []string) bool { return len(names) == 0 || slices.Contains(names, e.Name) }

// shape is the shape of a tensor in a format.
func (e *entry) shape(format string, i info) common.Shape {
	if s, ok := e.Shapes[format][i.Name]; ok {
		return s
	}
	return i.Shape
}

// model is an entry in one format, with the tensors of its cases.
type model struct {
	*entry
	suite            *suite
	format           string
	in, want, stream []common.Tensors // by case
}

// model is the first of these models that the engine has in one of its formats.
func (s *suite) model(t *testing.T, names ...string) *model {
	require.Subset(t, s.names, names)
	for _, name := range names {
		for _, e := range s.entries {
			for _, format := range s.Formats {
				if e.Name == name && e.Files[format] != nil {
					return s.read(t, e, format)
				}
			}
		}
	}
	t.Skipf("none of %q is in a format of this engine", names)
	return nil
}

func (s *suite) read(t *testing.T, e *entry, format string) *model {
	m := &model{entry: e, suite: s, format: format}
	for _, c := range e.Cases {
		m.in, m.want = append(m.in, m.tensors(t, e.Inputs, c.Inputs)), append(m.want, m.tensors(t, e.Outputs, c.Outputs))
	}
	for _, arrays := range e.Stream {
		m.stream = append(m.stream, m.tensors(t, e.Outputs, arrays))
	}
	return m
}

func (m *model) tensors(t *testing.T, infos []info, arrays map[string]any) common.Tensors {
	all := common.Tensors{}
	for _, i := range infos {
		if words, ok := arrays[i.Name].([]any); ok {
			data := make([]string, len(words))
			for i, w := range words {
				data[i] = w.(string)
			}
			x, err := common.FromSlice(data)
			require.NoError(t, err)
			all[i.Name] = x
			continue
		}
		x, err := npy.ReadFile(filepath.Join(m.suite.root, "testdata", filepath.FromSlash(arrays[i.Name].(string))))
		require.NoError(t, err)
		dt, err := common.ParseDType(i.DType)
		require.NoError(t, err)
		y, err := common.NewTensor(dt, concrete(t, m.shape(m.format, i), i.Shape, x.Shape())...)
		require.NoError(t, err)
		require.Len(t, x.Bytes(), copy(y.Bytes(), x.Bytes()))
		require.Len(t, y.Bytes(), len(x.Bytes()))
		all[i.Name] = y
	}
	return all
}

// concrete is shape with its dynamic dimensions as actual has those of base.
func concrete(t *testing.T, shape, base, actual common.Shape) common.Shape {
	require.True(t, base.Accepts(actual), "%v for %v", actual, base)
	if !shape.Dynamic() && base.Dynamic() {
		return actual // Options.Shapes ask for it
	}
	shape = slices.Clone(shape)
	for i, d := range base {
		if d == -1 {
			j := slices.Index(shape, -1)
			require.GreaterOrEqual(t, j, 0)
			shape[j] = actual[i]
		}
	}
	return shape
}

func (m *model) file() common.Source { return common.File(m.paths()[0]) }

func (m *model) paths() (paths []string) {
	for _, f := range m.Files[m.format] {
		paths = append(paths, filepath.Join(m.suite.root, "testdata", filepath.FromSlash(f)))
	}
	return paths
}

func (m *model) bytes(t *testing.T) (all [][]byte) {
	for _, p := range m.paths() {
		b, err := os.ReadFile(p)
		require.NoError(t, err)
		all = append(all, b)
	}
	return all
}

func (m *model) memory(t *testing.T) common.Source { return common.Bytes(m.bytes(t)...).As(m.format) }

// writeFiles writes files to dir under the names of paths.
func writeFiles(t *testing.T, dir string, paths []string, files [][]byte) (written []string) {
	for i, data := range files {
		written = append(written, filepath.Join(dir, filepath.Base(paths[i])))
		require.NoError(t, os.WriteFile(written[i], data, 0o600))
	}
	return written
}

// options are o with the shapes of all cases, for inputs that are dynamic but not in this format, whose files
// have no dynamic dimensions, or not for this engine.
func (m *model) options(o common.Options) *common.Options {
	for _, info := range m.Inputs {
		if !info.Shape.Dynamic() || m.shape(m.format, info).Dynamic() && !m.suite.Bounded {
			continue
		}
		var r common.ShapeRange
		for n, in := range m.in {
			shape := in[info.Name].Shape()
			if n == 0 {
				r = common.ShapeRange{Min: slices.Clone(shape), Opt: shape, Max: slices.Clone(shape)}
			}
			for i, d := range shape {
				r.Min[i], r.Max[i] = min(r.Min[i], d), max(r.Max[i], d)
			}
		}
		if o.Shapes == nil {
			o.Shapes = map[string]common.ShapeRange{}
		}
		o.Shapes[info.Name] = r
	}
	return &o
}

// load loads the model until the test ends.
func (m *model) load(t *testing.T, e *common.Engine, o common.Options) *common.Model {
	return Load(t, e, m.file(), m.options(o))
}

// run runs case n with the model.
func (m *model) run(t *testing.T, loaded *common.Model, n int) common.Tensors {
	out, err := loaded.Run(ctx, m.in[n])
	require.NoError(t, err)
	m.check(t, n, out)
	return out
}

// runSession binds case n and runs it.
func (m *model) runSession(t *testing.T, session *common.Session, n int) {
	for i, info := range m.Inputs {
		require.NoError(t, session.BindInput(i, m.in[n][info.Name]))
	}
	require.NoError(t, session.Run(ctx))
	m.check(t, n, outputs(session))
}

// outputs are the outputs of the session's last Run by name.
func outputs(s *common.Session) common.Tensors {
	out := common.Tensors{}
	for i, info := range s.Signature().Outputs {
		out[info.Name] = s.Output(i)
	}
	return out
}

// check fails where got are not the outputs of case n within the tolerance.
func (m *model) check(t *testing.T, n int, got common.Tensors, note ...any) {
	if diff := m.differ(m.want[n], got); diff != "" {
		t.Fatalf("case %d: %s %v", n, diff, note)
	}
}

// Differ is how got differs from want; "" where it does not.
func (m *model) differ(want, got common.Tensors) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d outputs, not %d", len(got), len(want))
	}
	limit := func(ref float64) float64 { return m.Tolerance.Abs + m.Tolerance.Rel*math.Abs(ref) }
	if m.Tolerance.Steps != nil {
		limit = func(float64) float64 { return *m.Tolerance.Steps }
	}
	for name, w := range want {
		if diff := Differ(w, got[name], limit); diff != "" {
			return fmt.Sprintf("output %q: %s", name, diff)
		}
	}
	return ""
}

// Differ is how got differs from want: in type, shape, or an element by more than limit(want); "" where it
// does not.
func Differ(want, got *common.Tensor, limit func(float64) float64) string {
	if !got.Is(want.DType(), want.Shape()) {
		return fmt.Sprintf("it is %v%v, not %v%v", got.DType(), got.Shape(), want.DType(), want.Shape())
	}
	if want.DType() == common.String {
		w, _ := common.Data[string](want)
		g, _ := common.Data[string](got)
		if !slices.Equal(w, g) {
			return fmt.Sprintf("it is %q, not %q", g, w)
		}
		return ""
	}
	if bytes.Equal(want.Bytes(), got.Bytes()) {
		return ""
	}
	worst, at := 0.0, -1
	w, g := values.Float64s(want), values.Float64s(got)
	for i := range w {
		// The comparison is so that a NaN counts as a difference.
		if d := math.Abs(g[i] - w[i]); !(d <= limit(w[i])) && !(d <= worst) {
			worst, at = d, i
		}
	}
	switch {
	case at >= 0:
		return fmt.Sprintf("element %d is %v, not %v", at, g[at], w[at])
	case limit(1) == 0:
		return "the bits differ" // -0 or a wide integer
	}
	return ""
}

func exactly(float64) float64 { return 0 }

// assign copies the elements of src, which has dst's type and shape.
func assign(dst, src *common.Tensor) {
	copy(dst.Bytes(), src.Bytes())
	to, _ := common.Data[string](dst)
	from, _ := common.Data[string](src)
	copy(to, from)
}

// unaligned is a copy of x one element away from an aligned address.
func unaligned(x *common.Tensor) *common.Tensor {
	shift := map[common.DType]func(*common.Tensor) *common.Tensor{
		common.Bool: shift[bool], common.Float16: shift[common.Half], common.BFloat16: shift[common.BHalf],
		common.Float32: shift[float32], common.Float64: shift[float64],
		common.Int8: shift[int8], common.Int16: shift[int16], common.Int32: shift[int32], common.Int64: shift[int64],
		common.Uint8: shift[uint8], common.Uint16: shift[uint16], common.Uint32: shift[uint32], common.Uint64: shift[uint64],
	}[x.DType()]
	if shift == nil {
		return x.Clone() // strings have no address
	}
	return shift(x)
}

func shift[T common.Elem](x *common.Tensor) *common.Tensor {
	data, _ := common.Data[T](x) // the type was just looked at
	aligned, _ := common.NewTensor(x.DType(), len(data)+1)
	buffer, _ := common.Data[T](aligned)
	copy(buffer[1:], data)
	y, _ := common.FromSlice(buffer[1:], x.Shape()...)
	return y
}
