// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"image"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// publicModels is the folder of models that the project does not ship.
func publicModels(root string) string {
	if dir := os.Getenv("ANYINFER_TEST_MODELS"); dir != "" {
		return dir
	}
	return filepath.Join(root, "..", "shared", "models")
}

// publicModel is one of them, with the photos to run it on.
type publicModel struct {
	file    string
	photos  []string
	refused map[string]string // by engine, the operator that it lacks
	shape   common.Shape
	dtype   common.DType
	first   bool // channels first
	letter  bool // keep the proportions, grey beside
	pixel   func(rgb [3]float32, c int) float32
	sane    func(*testing.T, []*common.Tensor)
}

func rgb(scale, offset float32) func([3]float32, int) float32 {
	return func(rgb [3]float32, c int) float32 { return rgb[c]*scale + offset }
}

var public = []publicModel{
	{
		file: "yolox_nano.onnx", photos: []string{"dog.png", "tiger_cat.jpg"}, shape: common.Shape{1, 3, 416, 416}, dtype: common.Float32, first: true, letter: true,
		pixel: func(rgb [3]float32, c int) float32 { // this export is of a release that normalized so
			return (rgb[c]/255 - []float32{0.485, 0.456, 0.406}[c]) / []float32{0.229, 0.224, 0.225}[c]
		},
		sane: func(t *testing.T, out []*common.Tensor) { // boxes of x y w h, objectness, 80 classes
			best, class := float64(0), 0
			rows := values.Float64s(out[0])
			for r := 0; r < len(rows); r += 85 {
				for c := range 80 {
					if p := rows[r+4] * rows[r+5+c]; p > best {
						best, class = p, c
					}
				}
			}
			require.Greater(t, best, 0.6)
			require.Contains(t, []int{15, 16}, class, "a cat or a dog")
		},
	},
	{
		file: "ultraface-rfb-320.onnx", photos: []string{"faces.jpg"}, shape: common.Shape{1, 3, 240, 320}, dtype: common.Float32, first: true,
		pixel: rgb(1.0/128, -127.0/128),
		sane:  func(t *testing.T, out []*common.Tensor) { require.Greater(t, most(out[0], 2, 1), 0.9, "a face") },
	},
	{
		file: "blazeface_front.tflite", photos: []string{"faces.jpg"}, shape: common.Shape{1, 128, 128, 3}, dtype: common.Float32,
		pixel: rgb(1/127.5, -1),
		sane:  func(t *testing.T, out []*common.Tensor) { require.Len(t, out, 2) },
	},
	{
		file: "deeplabv3_257.tflite", photos: []string{"dog.png", "tiger_cat.jpg"}, shape: common.Shape{1, 257, 257, 3}, dtype: common.Float32,
		pixel: rgb(1/127.5, -1),
		sane: func(t *testing.T, out []*common.Tensor) { // a score a pixel for each of 21 classes
			scores, count := values.Float64s(out[0]), make([]int, 21)
			for p := 0; p < len(scores); p += 21 {
				best := 0
				for c := range 21 {
					if scores[p+c] > scores[p+best] {
						best = c
					}
				}
				count[best]++
			}
			require.Greater(t, count[8]+count[12], 257*257/8, "a cat or a dog fills much of the photo")
		},
	},
	{
		file: "ssd_mobilenet_v1_quant.tflite", photos: []string{"dog.png", "tiger_cat.jpg"}, shape: common.Shape{1, 300, 300, 3}, dtype: common.Uint8,
		refused: map[string]string{"openvino": "TFLite_Detection_PostProcess"},
		pixel:   rgb(1, 0),
		sane: func(t *testing.T, out []*common.Tensor) { // boxes, classes, scores, count
			require.Contains(t, []float64{16, 17}, values.Float64s(out[1])[0], "a cat or a dog")
			require.Greater(t, values.Float64s(out[2])[0], 0.5)
		},
	},
	{
		file: "nanodet_m.mnn", photos: []string{"dog.png", "tiger_cat.jpg"}, shape: common.Shape{1, 3, 320, 320}, dtype: common.Float32, first: true,
		pixel: func(rgb [3]float32, c int) float32 { // blue, green, red
			return (rgb[2-c] - []float32{103.53, 116.28, 123.675}[c]) / []float32{57.375, 57.12, 58.395}[c]
		},
		sane: func(t *testing.T, out []*common.Tensor) { // scores of 80 classes for three strides, then distances
			best, class := float64(0), 0
			for _, scores := range out[:3] {
				for i, p := range values.Float64s(scores) {
					if p > best {
						best, class = p, i%80
					}
				}
			}
			require.Greater(t, best, 0.5)
			require.Contains(t, []int{15, 16}, class, "a cat or a dog")
		},
	},
}

// most is the largest number in column c of rows of n.
func most(x *common.Tensor, n, c int) (best float64) {
	v := values.Float64s(x)
	for i := c; i < len(v); i += n {
		best = max(best, v[i])
	}
	return best
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
	for r := range h {
		for c := range w {
			colour := [3]float32{114, 114, 114}
			// The nearest pixel will do.
			if at := image.Pt(int((float64(c)+0.5)*across), int((float64(r)+0.5)*down)); at.In(image.Rectangle{Max: size}) {
				r, g, b, _ := photo.At(photo.Bounds().Min.X+at.X, photo.Bounds().Min.Y+at.Y).RGBA()
				colour = [3]float32{float32(r >> 8), float32(g >> 8), float32(b >> 8)}
			}
			for ch := range 3 {
				i := (r*w+c)*3 + ch
				if p.first {
					i = (ch*h+r)*w + c
				}
				v := p.pixel(colour, ch)
				if p.dtype == common.Uint8 {
					x.Bytes()[i] = byte(v)
				} else {
					floats[i] = v
				}
			}
		}
	}
	return x
}
