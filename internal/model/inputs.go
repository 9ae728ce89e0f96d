// SPDX-License-Identifier: Apache-2.0

package model

import (
	"errors"
	"fmt"
	"image"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/see"
	"github.com/anyinfer/anyinfer/internal/suggest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/anyinfer/anyinfer/vision"
)

// Inputs has the user's tensors and shapes for a model's inputs, by name. Other
// inputs get random data.
type Inputs struct {
	Tensors  common.Tensors
	Shapes   map[string]common.Shape // of random data
	Pictures map[string]image.Image
}

// ReadInputs reads the files of tensors: .npy, or .txt and .json for strings; or
// pictures.
func ReadInputs(files map[string]string, shapes map[string]common.Shape) (Inputs, error) {
	in := Inputs{common.Tensors{}, shapes, map[string]image.Image{}}
	for name, file := range files {
		read := npy.ReadFile
		extension := strings.ToLower(filepath.Ext(file))
		if slices.Contains(see.Extensions, extension) {
			img, err := see.ReadFile(file)
			if err != nil {
				return Inputs{}, fmt.Errorf("--input %s: %w", name, err)
			}
			in.Pictures[name] = img
			continue
		}
		switch extension {
		case ".txt":
			read = readLines
		case ".json":
			read = readJSON
		}
		t, err := read(file)
		if err != nil {
			return Inputs{}, fmt.Errorf("--input %s: %w", name, err)
		}
		in.Tensors[name] = t
	}
	return in, nil
}

// Make returns a tensor for each of infos, inputs of m: the one in in, or random data,
// which is the same for an input in every engine and every run. A picture becomes an
// input as package vision knows the model, or else stretched, with values of 0 to 1.
func (in Inputs) Make(m *common.Model, infos []common.TensorInfo) ([]*common.Tensor, error) {
	var names []string
	for _, info := range infos {
		names = append(names, info.Name)
	}
	given := slices.AppendSeq(slices.Collect(maps.Keys(in.Tensors)), maps.Keys(in.Pictures))
	for _, name := range given {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--input: the model has no input %q%s", name, suggest.Choices(name, names))
		}
	}
	for name := range in.Shapes {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("--shape: the model has no input %q%s", name, suggest.Choices(name, names))
		}
	}
	var tensors []*common.Tensor
	for i, info := range infos {
		t, err := in.Tensors[info.Name], error(nil)
		if img := in.Pictures[info.Name]; img != nil {
			t, err = picture(m, info, img)
		} else if t == nil {
			t, err = random(info, in.Shapes[info.Name], uint64(i))
		} else {
			t, err = reshape(t, info.Shape)
		}
		if err != nil {
			return nil, err
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

func picture(m *common.Model, info common.TensorInfo, img image.Image) (*common.Tensor, error) {
	in := vision.Input{Std: [3]float32{255, 255, 255}}
	if task, err := vision.New(m); err == nil {
		in = *vision.InputOf(task)
	} else if info.DType == common.Uint8 {
		in.Std = [3]float32{}
	}
	return in.Tensor(info, img)
}

// reshape returns t in the shape want if the two shapes differ only in dimensions
// of length 1, such as [1 1 8 8] and [1 8 8 1], the layouts of two engines with
// the same numbers in the same order.
func reshape(t *common.Tensor, want common.Shape) (*common.Tensor, error) {
	shape := t.Shape()
	if want.Accepts(shape) || !slices.Equal(Squeeze(shape), Squeeze(want)) {
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

// Squeeze returns s without its dimensions of length 1.
func Squeeze(s common.Shape) common.Shape {
	return slices.DeleteFunc(slices.Clone(s), func(d int) bool { return d == 1 })
}

// random makes data for info: 0 to 1 for floats, 0 to 9 for integers. Without a
// shape, a dynamic dimension gets length 1.
func random(info common.TensorInfo, shape common.Shape, seed uint64) (*common.Tensor, error) {
	if info.DType == common.String {
		return nil, fmt.Errorf("input %q takes strings: name a file with a string per line, --input %s=FILE.txt", info.Name, info.Name)
	}
	if shape == nil {
		if info.Shape == nil {
			return nil, fmt.Errorf("input %q has no fixed rank: set a shape with --shape %s=1,2,3, or data with --input %s=FILE.npy", info.Name, info.Name, info.Name)
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

// Explain adds to the error of a Run that dynamic dimensions had length 1, if the user
// has not set them: not every model can compute with that.
func (in Inputs) Explain(err error, infos []common.TensorInfo) error {
	if !errors.Is(err, common.ErrRun) && !errors.Is(err, common.ErrInput) {
		return err
	}
	var flags []string
	for _, info := range infos {
		if info.Shape.Dynamic() && in.Tensors[info.Name] == nil && in.Shapes[info.Name] == nil {
			flags = append(flags, "--shape "+info.Name+"=...")
		}
	}
	if flags == nil {
		return err
	}
	return fmt.Errorf("%w\n  fix: dynamic dimensions had length 1; set them with %s", err, strings.Join(flags, " "))
}

// Bind binds in to the inputs of s.
func Bind(s *common.Session, in []*common.Tensor) error {
	for i, t := range in {
		if err := s.BindInput(i, t); err != nil {
			return err
		}
	}
	return nil
}
