// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/values"
)

// given is what flags say of inputs, by name.
type given struct {
	data   common.Tensors
	shapes map[string]common.Shape // for random data
}

func readGiven(inputs, shapes []string) (g given, err error) {
	if g.shapes, err = readShapes(shapes); err != nil {
		return g, err
	}
	g.data, err = readInputs(inputs)
	return g, err
}

// readShapes reads NAME=1,3,224,224 flags.
func readShapes(flags []string) (map[string]common.Shape, error) {
	shapes := map[string]common.Shape{}
	for _, flag := range flags {
		name, dims, ok := cutLast(flag, "=")
		shape := common.Shape{}
		for d := range strings.SplitSeq(dims, ",") {
			n, err := strconv.Atoi(d)
			shape, ok = append(shape, n), ok && err == nil && n > 0
		}
		if !ok || name == "" {
			return nil, usageError{fmt.Errorf("--shape %s: want NAME=1,3,224,224", flag)}
		}
		shapes[name] = shape
	}
	return shapes, nil
}

// readInputs reads NAME=FILE flags.
func readInputs(flags []string) (common.Tensors, error) {
	in := common.Tensors{}
	for _, flag := range flags {
		name, file, ok := cutLast(flag, "=")
		if !ok || name == "" || file == "" {
			return nil, usageError{fmt.Errorf("--input %s: want NAME=FILE.npy (.txt or .json for strings)", flag)}
		}
		if in[name] != nil {
			return nil, usageError{fmt.Errorf("--input %s is there twice", name)}
		}
		read := npy.ReadFile
		switch strings.ToLower(filepath.Ext(file)) {
		case ".txt":
			read = readLines
		case ".json":
			read = readJSON
		}
		t, err := read(file)
		if err != nil {
			return nil, fmt.Errorf("--input %s: %w", name, err)
		}
		in[name] = t
	}
	return in, nil
}

// cutLast cuts around the last sep: names of tensors may contain it.
func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// newSession makes a session for the signature of that name, or the first.
func newSession(ctx context.Context, m *common.Model, signature string) (*common.Session, error) {
	var names []string
	for _, s := range m.Signatures() {
		names = append(names, s.Name)
	}
	switch {
	case signature == "" || slices.Contains(names, signature):
		return m.NewSession(ctx, signature)
	case len(names) == 1 && names[0] == "":
		return nil, fmt.Errorf("--signature: the model has only one signature, without a name; leave out %q", signature)
	}
	return nil, fmt.Errorf("--signature: the model has no signature %q%s", signature, choices(signature, names))
}

// makeInputs gives each input the tensor that was given for it, or random
// data: the same numbers for the same input in every engine and every run.
func makeInputs(infos []common.TensorInfo, g given) ([]*common.Tensor, error) {
	var names []string
	for _, info := range infos {
		names = append(names, info.Name)
	}
	for name := range g.data {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--input: the model has no input %q%s", name, choices(name, names))
		}
	}
	for name := range g.shapes {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--shape: the model has no input %q%s", name, choices(name, names))
		}
	}
	var in []*common.Tensor
	for i, info := range infos {
		t, err := g.data[info.Name], error(nil)
		if t == nil {
			t, err = random(info, g.shapes[info.Name], uint64(i))
		} else {
			t, err = fit(t, info.Shape)
		}
		if err != nil {
			return nil, err
		}
		in = append(in, t)
	}
	return in, nil
}

// fit is t in a shape that the model takes and that differs from t's only in
// dimensions of length 1, such as [1 1 8 8] and [1 8 8 1]: same numbers, same
// order, another engine's layout.
func fit(t *common.Tensor, want common.Shape) (*common.Tensor, error) {
	have := t.Shape()
	if want.Accepts(have) || !slices.Equal(squeeze(have), squeeze(want)) {
		return t, nil
	}
	if t.DType() == common.String {
		data, err := common.Data[string](t)
		if err != nil {
			return nil, err
		}
		return common.FromSlice(data, append(common.Shape{}, want...)...)
	}
	c, err := common.NewTensor(t.DType(), want...)
	if err != nil {
		return nil, err
	}
	copy(c.Bytes(), t.Bytes())
	return c, nil
}

func squeeze(s common.Shape) common.Shape {
	return slices.DeleteFunc(slices.Clone(s), func(d int) bool { return d == 1 })
}

// random makes data for info: 0 to 1 for floats, 0 to 9 for integers. Without
// a shape, a dynamic dimension gets length 1.
func random(info common.TensorInfo, shape common.Shape, seed uint64) (*common.Tensor, error) {
	if info.DType == common.String {
		return nil, fmt.Errorf("input %q takes strings: give it some with --input %s=FILE.txt, one a line", info.Name, info.Name)
	}
	if shape == nil {
		if info.Shape == nil {
			return nil, fmt.Errorf("input %q takes any shape: say which with --shape %s=1,2,3, or give it data with --input %s=FILE.npy", info.Name, info.Name, info.Name)
		}
		for _, d := range info.Shape {
			shape = append(shape, max(d, 1))
		}
	}
	t, err := common.NewTensor(info.DType, shape...)
	if err != nil {
		return nil, err
	}
	values.Fill(t, seed)
	return t, nil
}

// bind makes in the inputs of s.
func bind(s *common.Session, in []*common.Tensor) error {
	for i, t := range in {
		if err := s.BindInput(i, t); err != nil {
			return err
		}
	}
	return nil
}
