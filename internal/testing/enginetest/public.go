// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// publicModel is a model that the project does not ship, with the photos to run
// it on.
type publicModel struct {
	file        string
	photos      []string
	refused     map[string]string // by engine, the operator that it lacks
	shape       common.Shape
	dtype       common.DType
	first       bool       // channels first
	letter      bool       // keep the proportions, grey beside
	bgr         bool       // blue, green, red
	mean, scale [3]float32 // what a pixel of 0 to 255 is reduced and divided by
	sane        func(*testing.T, []*common.Tensor)
}

func all(x float32) [3]float32 { return [3]float32{x, x, x} }

var pets = []string{"dog.png", "tiger_cat.jpg"}

var public = []publicModel{
	{
		file: "yolox_nano.onnx", photos: pets, shape: common.Shape{1, 3, 416, 416}, dtype: common.Float32, first: true, letter: true,
		mean: [3]float32{123.675, 116.28, 103.53}, scale: [3]float32{58.395, 57.12, 57.375}, // of a release that normalized so
		sane: func(t *testing.T, out []*common.Tensor) { // boxes of x y w h, objectness, 80 classes
			best, class := float64(0), 0
			for row := range slices.Chunk(values.Float64s(out[0]), 85) {
				if p, c := most(row[5:]); row[4]*p > best {
					best, class = row[4]*p, c
				}
			}
			require.Greater(t, best, 0.6)
			require.Contains(t, []int{15, 16}, class, "a cat or a dog")
		},
	},
	{
		file: "ultraface-rfb-320.onnx", photos: []string{"faces.jpg"}, shape: common.Shape{1, 3, 240, 320}, dtype: common.Float32, first: true,
		mean: all(127), scale: all(128),
		sane: func(t *testing.T, out []*common.Tensor) { // of each box, whether there is no face and whether there is one
			face := 0.0
			for row := range slices.Chunk(values.Float64s(out[0]), 2) {
				face = max(face, row[1])
			}
			require.Greater(t, face, 0.9)
		},
	},
	{
		file: "blazeface_front.tflite", photos: []string{"faces.jpg"}, shape: common.Shape{1, 128, 128, 3}, dtype: common.Float32,
		mean: all(127.5), scale: all(127.5),
		sane: func(t *testing.T, out []*common.Tensor) { require.Len(t, out, 2) },
	},
	{
		file: "deeplabv3_257.tflite", photos: pets, shape: common.Shape{1, 257, 257, 3}, dtype: common.Float32,
		mean: all(127.5), scale: all(127.5),
		sane: func(t *testing.T, out []*common.Tensor) { // a score a pixel for each of 21 classes
			count := make([]int, 21)
			for scores := range slices.Chunk(values.Float64s(out[0]), 21) {
				_, class := most(scores)
				count[class]++
			}
			require.Greater(t, count[8]+count[12], 257*257/8, "a cat or a dog fills much of the photo")
		},
	},
	{
		file: "ssd_mobilenet_v1_quant.tflite", photos: pets, shape: common.Shape{1, 300, 300, 3}, dtype: common.Uint8,
		refused: map[string]string{"openvino": "TFLite_Detection_PostProcess"},
		scale:   all(1),
		sane: func(t *testing.T, out []*common.Tensor) { // boxes, classes, scores, count
			require.Contains(t, []float64{16, 17}, values.Float64s(out[1])[0], "a cat or a dog")
			require.Greater(t, values.Float64s(out[2])[0], 0.5)
		},
	},
	{
		file: "nanodet_m.mnn", photos: pets, shape: common.Shape{1, 3, 320, 320}, dtype: common.Float32, first: true, bgr: true,
		mean: [3]float32{103.53, 116.28, 123.675}, scale: [3]float32{57.375, 57.12, 58.395},
		sane: func(t *testing.T, out []*common.Tensor) { // scores of 80 classes for three strides, then distances
			best, i := most(slices.Concat(values.Float64s(out[0]), values.Float64s(out[1]), values.Float64s(out[2])))
			require.Greater(t, best, 0.5)
			require.Contains(t, []int{15, 16}, i%80, "a cat or a dog")
		},
	},
}

// most is the largest number and its index.
func most(v []float64) (float64, int) {
	p := slices.Max(v)
	return p, slices.Index(v, p)
}

// publicModels are the comparisons of the public models, where they are there.
func (s *suite) publicModels(t *testing.T) (todo []*comparison) {
	dir := os.Getenv("ANYINFER_TEST_MODELS")
	if dir == "" {
		dir = filepath.Join(s.root, "..", "shared", "models")
	}
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
				todo = append(todo, &comparison{name: p.file + "/" + photo, model: path, in: in, sane: p.sane})
			}
		}
	}
	return todo
}

// input is a photo as the model takes it.
func (p publicModel) input(t *testing.T, path string) *common.Tensor {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	photo, _, err := image.Decode(f)
	require.NoError(t, err)
	h, w := p.shape[1], p.shape[2]
	if p.first {
		h, w = p.shape[2], p.shape[3]
	}
	x, err := common.NewTensor(p.dtype, p.shape...)
	require.NoError(t, err)
	size := photo.Bounds().Size()
	across, down := float64(size.X)/float64(w), float64(size.Y)/float64(h)
	if p.letter {
		across = max(across, down)
		down = across
	}
	floats, _ := common.Data[float32](x)
	for i := range h * w * 3 {
		at, c := i/3, i%3
		if p.first {
			at, c = i%(h*w), i/(h*w)
		}
		v := float32(114)
		// The nearest pixel will do.
		if from := image.Pt(int((float64(at%w)+0.5)*across), int((float64(at/w)+0.5)*down)); from.In(image.Rectangle{Max: size}) {
			r, g, b, _ := photo.At(photo.Bounds().Min.X+from.X, photo.Bounds().Min.Y+from.Y).RGBA()
			rgb := [3]uint32{r >> 8, g >> 8, b >> 8}
			if v = float32(rgb[c]); p.bgr {
				v = float32(rgb[2-c])
			}
		}
		if v = (v - p.mean[c]) / p.scale[c]; p.dtype == common.Uint8 {
			x.Bytes()[i] = byte(v)
		} else {
			floats[i] = v
		}
	}
	return x
}
