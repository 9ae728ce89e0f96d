// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

var nan, inf = float32(math.NaN()), float32(math.Inf(1))

func box(x0, y0, x1, y1, score float32, class int) Detection {
	return Detection{Rect: Rect{Point{x0, y0}, Point{x1, y1}}, Score: score, Class: class}
}

func TestNMS(t *testing.T) {
	for name, c := range map[string]struct {
		in      []Detection
		options NMSOptions
		want    []Detection
	}{
		"none": {nil, NMSOptions{}, nil},
		"the better one stays": {
			[]Detection{box(0, 0, 10, 10, 0.5, 1), box(0, 0, 10, 9, 0.9, 1)}, NMSOptions{},
			[]Detection{box(0, 0, 10, 9, 0.9, 1)},
		},
		"of equal scores the first": {
			[]Detection{box(0, 0, 10, 9, 0.5, 1), box(0, 0, 10, 10, 0.5, 1)}, NMSOptions{},
			[]Detection{box(0, 0, 10, 9, 0.5, 1)},
		},
		"other classes stay": {
			[]Detection{box(0, 0, 10, 10, 0.5, 1), box(0, 0, 10, 10, 0.9, 2)}, NMSOptions{},
			[]Detection{box(0, 0, 10, 10, 0.9, 2), box(0, 0, 10, 10, 0.5, 1)},
		},
		"unless all compete": {
			[]Detection{box(0, 0, 10, 10, 0.5, 1), box(0, 0, 10, 10, 0.9, 2)}, NMSOptions{Agnostic: true},
			[]Detection{box(0, 0, 10, 10, 0.9, 2)},
		},
		"an overlap of IoU itself is none": {
			[]Detection{box(0, 0, 10, 10, 0.9, 1), box(0, 0, 10, 5, 0.8, 1)}, NMSOptions{IoU: 0.5},
			[]Detection{box(0, 0, 10, 10, 0.9, 1), box(0, 0, 10, 5, 0.8, 1)},
		},
		"sizes one larger": { // 11*6 / (11*11)
			[]Detection{box(0, 0, 10, 10, 0.9, 1), box(0, 0, 10, 5, 0.8, 1)}, NMSOptions{IoU: 0.5, PlusOne: true},
			[]Detection{box(0, 0, 10, 10, 0.9, 1)},
		},
		"a suppressed one suppresses nothing": {
			[]Detection{box(0, 0, 10, 10, 0.9, 1), box(4, 0, 14, 10, 0.8, 1), box(8, 0, 18, 10, 0.7, 1)}, NMSOptions{IoU: 0.4},
			[]Detection{box(0, 0, 10, 10, 0.9, 1), box(8, 0, 18, 10, 0.7, 1)},
		},
		"at most": {
			[]Detection{box(0, 0, 1, 1, 0.1, 1), box(5, 0, 6, 1, 0.3, 1), box(9, 0, 10, 1, 0.2, 1)}, NMSOptions{Max: 2},
			[]Detection{box(5, 0, 6, 1, 0.3, 1), box(9, 0, 10, 1, 0.2, 1)},
		},
		"done by the model": {
			[]Detection{box(0, 0, 1, 1, 0.1, 1), box(0, 0, 1, 1, 0.3, 1)}, NMSOptions{None: true},
			[]Detection{box(0, 0, 1, 1, 0.3, 1), box(0, 0, 1, 1, 0.1, 1)},
		},
		"weighted": { // (0*0.6+3*0.2)/0.8
			[]Detection{box(3, 0, 13, 10, 0.2, 1), box(0, 0, 10, 10, 0.6, 1), box(50, 0, 60, 10, 0.5, 1)}, NMSOptions{Weighted: true, IoU: 0.3},
			[]Detection{box(0.75, 0, 10.75, 10, 0.6, 1), box(50, 0, 60, 10, 0.5, 1)},
		},
		"no numbers": {
			[]Detection{box(0, 0, 1, 1, nan, 1), box(nan, 0, 1, 1, 1, 1), box(0, 0, inf, 1, 1, 1), box(0, 0, 1, 1, inf, 1), box(0, 0, 1, 1, 0.5, 1)}, NMSOptions{},
			[]Detection{box(0, 0, 1, 1, 0.5, 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := NMS(c.in, c.options)
			require.Equal(t, len(c.want), len(got))
			for i := range got {
				require.InDeltaSlice(t, numbersOf(c.want[i]), numbersOf(got[i]), 1e-5, "%d", i)
			}
		})
	}
	t.Run("weighted points", func(t *testing.T) {
		a, b := box(0, 0, 10, 10, 0.75, 0), box(0, 0, 10, 9, 0.25, 0)
		a.Points, b.Points = []KeyPoint{{Point{4, 8}, 1}}, []KeyPoint{{Point{8, 4}, 1}}
		got := NMS([]Detection{a, b}, NMSOptions{Weighted: true})
		require.Equal(t, []KeyPoint{{Point{5, 7}, 1}}, got[0].Points)
	})
}

func numbersOf(d Detection) []float32 {
	return []float32{d.Rect.Min.X, d.Rect.Min.Y, d.Rect.Max.X, d.Rect.Max.Y, d.Score, float32(d.Class)}
}

func TestHeads(t *testing.T) {
	f := func(data []float32, shape ...int) *common.Tensor { return tensor(t, data, shape...) }
	in := image.Pt(64, 32)
	logit := func(p float64) float32 { return float32(math.Log(p / (1 - p))) }
	for name, c := range map[string]struct {
		head Head
		out  Outputs
		want []Detection
	}{
		"end to end": {
			&YOLO{Form: EndToEnd}, Outputs{Tensors: []*common.Tensor{f([]float32{1, 2, 30, 20, 0.9, 3, 5, 5, 9, 9, 0.1, 2}, 1, 2, 6)}},
			[]Detection{box(1, 2, 30, 20, 0.9, 3)},
		},
		"end to end, normalized": {
			&YOLO{Form: EndToEnd}, Outputs{Tensors: []*common.Tensor{f([]float32{0.25, 0.5, 0.75, 1, 0.9, 3}, 1, 1, 6)}},
			[]Detection{box(16, 16, 48, 32, 0.9, 3)},
		},
		"YOLOv5": {
			&YOLO{Form: YOLOv5}, Outputs{Tensors: []*common.Tensor{f([]float32{20, 10, 8, 4, 0.8, 0.5, 0.75, 20, 10, 8, 4, 0.2, 1, 1}, 1, 2, 7)}},
			[]Detection{box(16, 8, 24, 12, 0.6, 1)},
		},
		"YOLOv8, normalized, uint8": {
			&YOLO{}, Outputs{
				Tensors: []*common.Tensor{tensor(t, transposed(append([]uint8{138, 74, 74, 138, 10, 190}, bytes.Repeat([]byte{20}, 36)...), 7), 1, 6, 7)},
				Quants:  []*common.Quantization{{Scale: []float32{1. / 256}, ZeroPoint: []int64{10}}},
			},
			[]Detection{box(24, 0, 40, 16, 180./256, 1)},
		},
		"no numbers": {
			&YOLO{Form: EndToEnd}, Outputs{Tensors: []*common.Tensor{f([]float32{
				nan, 2, 30, 20, 0.9, 3, 1, 2, inf, 20, 0.9, 3, 1, 2, 30, 20, nan, 3, 1, 2, 30, 20, inf, 3, 1, 2, 30, 20, 0.9, nan, 1, 2, 30, 20, 0.9, -1, 9, 2, 5, 20, 0.9, 3,
			}, 1, 7, 6)}}, nil,
		},
		"YOLOX": { // the second cell of the grid of stride 8, and the first of 16
			&Grids{Form: YOLOX, Strides: []int{8, 16, 32}, Scores: []int{0}, Boxes: []int{0}}, Outputs{Tensors: []*common.Tensor{f(slices.Concat(
				make([]float32, 6), []float32{0.5, 0.25, 0, 0.6931472, 0.8, 0.5}, make([]float32, 6*30), []float32{0, 0, 0, 0, 1, 1}, make([]float32, 6*9)), 1, 42, 6)}},
			[]Detection{box(8, -6, 16, 10, 0.4, 0), box(-8, -8, 8, 8, 1, 0)},
		},
		"YOLOX, decoded": {
			&YOLO{Form: YOLOv5, Units: Pixels}, Outputs{Tensors: []*common.Tensor{f([]float32{10, 12, 4, 8, 0.8, 0.5, 0, 0, 0, 0, 0, 0}, 1, 2, 6)}},
			[]Detection{box(8, 8, 12, 16, 0.4, 0)},
		},
		"RT-DETR of Transformers": {
			&DETR{Boxes: 1}, Outputs{Tensors: []*common.Tensor{f([]float32{logit(0.9), logit(0.5), -9, -9}, 1, 2, 2), f([]float32{0.5, 0.5, 0.25, 0.5, 0.1, 0.1, 0.1, 0.1}, 1, 2, 4)}},
			[]Detection{box(24, 8, 40, 24, 0.9, 0), box(24, 8, 40, 24, 0.5, 1)},
		},
		"DETR": { // 2, 1 and 1 of 4; 1, 1 and 8 of 10
			&DETR{Boxes: 1, Softmax: true}, Outputs{Tensors: []*common.Tensor{f([]float32{0.6931472, 0, 0, 0, 0, 2.0794415}, 1, 2, 3), f([]float32{0.5, 0.5, 0.25, 0.5, 0.1, 0.1, 0.1, 0.1}, 1, 2, 4)}},
			[]Detection{box(24, 8, 40, 24, 0.5, 0)},
		},
		"RT-DETR of Ultralytics, before": {
			&YOLO{Form: RTDETR, Units: Normalized}, Outputs{Tensors: []*common.Tensor{f([]float32{0.5, 0.5, 0.25, 0.5, 0.1, 0.7}, 1, 1, 6)}},
			[]Detection{box(24, 8, 40, 24, 0.7, 1)},
		},
		"RT-DETR of Ultralytics": {
			&Boxes{ScoreColumn: 4, ClassColumn: 5, Count: -1, Units: Normalized}, Outputs{Tensors: []*common.Tensor{f([]float32{0.5, 0.5, 0.25, 0.5, 0.7, 3}, 1, 1, 6)}},
			[]Detection{box(24, 8, 40, 24, 0.7, 3)},
		},
		"RT-DETR": {
			&Boxes{Boxes: 1, Scores: 2, Count: -1, Format: Corners, Units: Pixels},
			Outputs{Tensors: []*common.Tensor{tensor(t, []int64{5, 6}, 1, 2), f([]float32{1, 2, 3, 4, 5, 6, 7, 8}, 1, 2, 4), f([]float32{0.2, 0.8}, 1, 2)}},
			[]Detection{box(5, 6, 7, 8, 0.8, 6)},
		},
		"SSD": { // of three boxes the count tells two
			&Boxes{Classes: 1, Scores: 2, Count: 3, Format: CornersYX, Units: Normalized},
			Outputs{Tensors: []*common.Tensor{f([]float32{0.25, 0.5, 0.5, 0.75, 0, 0, 1, 1, 0, 0, 1, 1}, 1, 3, 4), f([]float32{16, 17, 18}, 1, 3), f([]float32{0.9, 0.3, 0.8}, 1, 3), f([]float32{2}, 1)}},
			[]Detection{box(32, 8, 48, 16, 0.9, 16), box(0, 0, 64, 32, 0.3, 17)},
		},
		"PP-YOLOE, second of two": {
			&Boxes{BoxColumn: 2, ScoreColumn: 1, Count: 1, Format: Corners, Units: Pixels},
			Outputs{Tensors: []*common.Tensor{f([]float32{1, 0.9, 1, 2, 3, 4, 2, 0.8, 5, 6, 7, 8, -1, 0.9, 0, 0, 1, 1}, 3, 6), tensor(t, []int32{1, 2}, 2)}, N: 1},
			[]Detection{box(5, 6, 7, 8, 0.8, 2)},
		},
		"NanoDet": { // the second cell of two
			&Grids{Form: NanoDet, Strides: []int{32}, Scores: []int{0}, Boxes: []int{1}},
			Outputs{Tensors: []*common.Tensor{f([]float32{0, 0, 0.6, 0.3}, 1, 2, 2), f([]float32{0, 0, 0, 0, 0.5, 0.25, 0.5, 0.25}, 1, 2, 4)}},
			[]Detection{box(32, 8, 64, 24, 0.6, 0)},
		},
		"NanoDet-Plus": { // distances are between 0 and 1
			&Grids{Form: NanoDetPlus, Strides: []int{32}, Scores: []int{0}, Boxes: []int{0}, Classes: 1},
			Outputs{Tensors: []*common.Tensor{f([]float32{0, 1, 1, 1, 1, 1, 1, 1, 1, 0.6, 2, 2, 0, 90, 3, 3, 90, 0}, 1, 2, 9)}},
			[]Detection{box(16, -32, 48, 0, 0.6, 0)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.out.Size = in
			got, err := c.head.Decode([]Detection{{Class: 7}}, c.out, 0.25)
			require.NoError(t, err)
			require.Equal(t, 7, got[0].Class, "what dst has stays")
			require.Equal(t, len(c.want), len(got)-1)
			for i := range c.want {
				require.InDeltaSlice(t, numbersOf(c.want[i]), numbersOf(got[i+1]), 1e-4, "%d", i)
			}
			for i := range c.out.Tensors {
				c.out.Tensors[i] = f([]float32{1}, 1)
			}
			_, err = c.head.Decode(nil, c.out, 0.25)
			require.ErrorIs(t, err, common.ErrShape)
			c.out.Tensors = nil
			_, err = c.head.Decode(nil, c.out, 0.25)
			require.ErrorIs(t, err, common.ErrCount)
		})
	}
}

func TestKeyPoints(t *testing.T) {
	for name, c := range map[string]struct {
		head *YOLO
		data []float32
		dims []int
		want []KeyPoint
	}{
		"rows":              {&YOLO{Form: EndToEnd, Points: 1, PointValues: 3}, []float32{1, 2, 30, 20, 0.9, 0, 7, 8, 0.5}, []int{1, 1, 9}, []KeyPoint{{Point{7, 8}, 0.5}}},
		"normalized":        {&YOLO{Form: EndToEnd, Points: 1, PointValues: 2}, []float32{0, 0, 1, 1, 0.9, 0, 0.5, 0.25}, []int{1, 1, 8}, []KeyPoint{{Point{32, 8}, 1}}},
		"after masks":       {&YOLO{Form: EndToEnd, Masks: 1, Protos: 1, Points: 1, PointValues: 2}, []float32{1, 2, 30, 20, 0.9, 0, 5, 7, 8}, []int{1, 1, 9}, []KeyPoint{{Point{7, 8}, 1}}},
		"the second column": {&YOLO{Points: 1, PointValues: 2, Units: Pixels}, transposed(append(make([]float32, 49), 5, 5, 2, 2, 0.9, 7, 8), 8), []int{1, 7, 8}, []KeyPoint{{Point{7, 8}, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			out := Outputs{Tensors: []*common.Tensor{tensor(t, c.data, c.dims...), tensor(t, make([]float32, 4), 1, 1, 2, 2)}, Size: image.Pt(64, 32)}
			found := detect(t, c.head, out, 0.25)
			require.Equal(t, 1, len(found))
			require.NoError(t, c.head.Finish(found, out, Affine{1, 0, 0, 0, 1, 0}, image.Pt(64, 32)))
			require.Equal(t, c.want, found[0].Points)
			found[0].Row = 99
			require.ErrorIs(t, c.head.Finish(found, out, Affine{1, 0, 0, 0, 1, 0}, image.Pt(64, 32)), common.ErrShape)
		})
	}
}

// The outputs of Grids must have the columns that the form reads.
func TestGridsColumns(t *testing.T) {
	out := Outputs{Tensors: []*common.Tensor{tensor(t, make([]float32, 6*2), 1, 2, 6), tensor(t, make([]float32, 3*2), 1, 2, 3)}, Size: image.Pt(64, 32)}
	for name, g := range map[string]*Grids{
		"a box of three numbers": {Form: YOLOX, Scores: []int{0}, Boxes: []int{1}},
		"no classes":             {Form: YOLOX, Scores: []int{1}, Boxes: []int{0}},
		"six distances":          {Scores: []int{1}, Boxes: []int{0}},
		"more classes":           {Scores: []int{0}, Boxes: []int{0}, Classes: 3},
		"SCRFD":                  {Form: SCRFD, Scores: []int{0}, Boxes: []int{1}},
	} {
		g.Strides = []int{32}
		_, err := g.Decode(nil, out, 0)
		require.ErrorIs(t, err, common.ErrShape, name)
	}
	_, err := (&Grids{Strides: []int{8, 16, 32}, Scores: []int{0, 1}, Boxes: []int{0, 1}}).Decode(nil, out, 0)
	require.ErrorIs(t, err, common.ErrOption)
}

// Numbers of other types are converted once a Run, into memory that is used again.
func TestConvertedOutputs(t *testing.T) {
	score := uint8(100)
	quant := &common.Quantization{Scale: []float32{0.005}, ZeroPoint: []int64{0}}
	info := common.TensorInfo{Name: "y", DType: common.Uint8, Shape: common.Shape{1, 1, 6}, Quant: quant}
	sig := common.Signature{Inputs: infos([]int{1, 3, 32, 32}), Outputs: []common.TensorInfo{info}}
	m := fake.NewModel(sig, nil, func(context.Context, common.Tensors) (common.Tensors, error) {
		return common.Tensors{"y": tensor(t, []uint8{0, 0, 200, 200, score, 0}, 1, 1, 6)}, nil
	})
	defer m.Close()
	d := &Detector{Model: m, Head: &YOLO{Form: EndToEnd}}
	for score = range uint8(200) {
		found, err := d.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 32, 32)))
		require.NoError(t, err)
		require.Equal(t, score >= 50, len(found) == 1)
		for _, f := range found {
			require.InDelta(t, float32(score)*0.005, f.Score, 1e-6)
		}
	}
	y := tensor(t, []uint8{0, 0, 200, 200, 180, 0}, 1, 1, 6)
	f := &frame{outputs: []*common.Tensor{y}, quants: []*common.Quantization{quant}, converted: make([][]float32, 1)}
	out := f.of(0)
	first, _, err := out.Floats(0, 2)
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(10, func() { _, _, _ = out.Floats(0, 2) }))
	for _, rank := range []int{-1, 4} {
		_, _, err = out.Floats(0, rank)
		require.ErrorIs(t, err, common.ErrShape)
	}
	out.Quants = []*common.Quantization{{Scale: []float32{1}, ZeroPoint: []int64{0}}}
	other, _, err := out.Floats(0, 2)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 200}, []float32{first[2], other[2]})
	out.Quants, out.Tensors = f.quants, []*common.Tensor{tensor(t, make([]uint8, 6), 1, 1, 6)}
	other, _, err = out.Floats(0, 2)
	require.NoError(t, err)
	require.Equal(t, []float32{1, 0}, []float32{first[2], other[2]})
}

// FuzzHeads decodes outputs of any shape and content with all heads.
func FuzzHeads(f *testing.F) {
	f.Add([]byte{2, 1, 84, 9, 1, 9, 84}, []byte("0123456789abcdef"), uint8(0), float32(0.25))
	f.Add([]byte{3, 1, 9, 6, 1, 9, 4, 1, 32, 8, 8}, []byte{0, 0, 0x80, 0x3f, 0, 0, 0xc0, 0x7f}, uint8(3), float32(0))
	f.Add([]byte{1, 1, 3, 38, 1, 32, 4, 4}, []byte{0, 0, 0x80, 0x3f, 1, 0, 0, 0x3f, 2, 0, 0x80, 0x7f}, uint8(1), float32(0.1))
	all := []Head{
		&YOLO{}, &YOLO{Form: YOLOv5}, &YOLO{Form: EndToEnd}, &YOLO{Form: EndToEnd, Masks: 32, Protos: 1}, &YOLO{Masks: 4, Protos: 1, Points: 2, PointValues: 3},
		&YOLO{Form: 77, Output: -1, Protos: 9}, &YOLO{Masks: -4}, &YOLO{Points: 2, PointValues: -90}, &YOLO{Points: 2, PointValues: 1}, &YOLO{Form: RTDETR},
		&DETR{Boxes: 1}, &DETR{Boxes: 1, Softmax: true}, &DETR{}, &Boxes{Classes: 1, Scores: 2, Count: 3}, &Boxes{BoxColumn: 2, ScoreColumn: 1, Count: 1},
		&Boxes{BoxColumn: -2, ScoreColumn: 100, ClassColumn: -1, Count: -1},
		&Grids{}, &Grids{Scores: []int{0}, Boxes: []int{0}, Classes: 3}, &Grids{Strides: []int{8, 16, 32, 64}, Scores: []int{0}, Boxes: []int{0}, Classes: 3},
		&Grids{Strides: []int{32}, Scores: []int{0}, Boxes: []int{1}}, &Grids{Strides: []int{-1, 0, 32}, Scores: []int{0}, Boxes: []int{0}, Classes: 2},
		&Grids{Form: YOLOX, Strides: []int{8, 16, 32}, Scores: []int{0}, Boxes: []int{0}}, &Grids{Form: YOLOX, Strides: []int{16}, Scores: []int{0}, Boxes: []int{0}},
		&Grids{Form: YOLOX, Strides: []int{-1, 0}, Scores: []int{0}, Boxes: []int{0}}, &Grids{Form: BlazeFace, Strides: []int{32}, Scores: []int{0}, Boxes: []int{0}, Points: []int{0}},
		&Grids{Form: YOLOX, Strides: []int{32}, Scores: []int{0}, Boxes: []int{1}},
		&Grids{Form: RetinaFace, Strides: []int{32}, Scores: []int{0}, Boxes: []int{1}}, &Grids{Form: 77, Strides: []int{16}, Scores: []int{0}, Boxes: []int{0}, Classes: -1},
	}
	f.Fuzz(func(t *testing.T, dims, content []byte, kind uint8, minScore float32) {
		out := Outputs{Size: image.Pt(64, 32), N: int(kind >> 6), Quants: []*common.Quantization{{Scale: []float32{0.1}, ZeroPoint: []int64{3}}}}
		for len(dims) > 0 && len(out.Tensors) < 4 {
			rank := min(int(dims[0])%5, len(dims)-1)
			shape, n := []int{}, 1
			for _, d := range dims[1 : 1+rank] {
				if shape = append(shape, int(d)); n < 1<<20 {
					n *= int(d)
				}
			}
			if dims = dims[1+rank:]; n > 1<<16 {
				return
			}
			made, err := common.NewTensor([]common.DType{common.Float32, common.Float32, common.Float16, common.Uint8, common.Int64, common.Bool}[kind%6], shape...)
			require.NoError(t, err)
			for i, b := 0, made.Bytes(); len(content) > 0 && i < len(b) && made.DType() != common.Bool; i++ {
				b[i] = content[(i+i/97)%len(content)]
			}
			out.Tensors = append(out.Tensors, made)
		}
		for i, h := range all {
			found, err := h.Decode(nil, out, minScore)
			for _, d := range found {
				s := d.Rect.Min.X + d.Rect.Min.Y + d.Rect.Max.X + d.Rect.Max.Y + d.Score
				require.True(t, s-s == 0 && d.Class >= 0, "head %d: %v", i, d)
			}
			found = NMS(found, h.Suppression())
			if y, ok := h.(*YOLO); ok && err == nil {
				found = found[:min(len(found), 3)]
				back := Affine{float32(kind), 0, -3, 0, minScore, 5}
				_ = y.Finish(found, out, back, image.Pt(40, 50))
			}
			NMS(found, NMSOptions{Weighted: true})
		}
	})
}

func infos(shapes ...any) (all []common.TensorInfo) {
	for i, s := range shapes {
		switch s := s.(type) {
		case string:
			all[len(all)-1].Name = s
		case []int:
			all = append(all, common.TensorInfo{Name: fmt.Sprint("t", i), DType: common.Float32, Shape: s})
		}
	}
	return all
}

func recognizeHead(sig common.Signature, metadata map[string]string) *Detector {
	task, _ := recognizeDetector(newModelInfo(sig, metadata))
	d, _ := task.(*Detector)
	return d
}

func TestRecognizeHeads(t *testing.T) {
	ultralytics := func(task, names string, more ...string) map[string]string {
		m := map[string]string{"task": task, "names": names, "stride": "32", "imgsz": "[320, 320]", "end2end": "False", "description": "Ultralytics YOLO11n model"}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	const two, pose = "{0: 'cat', 1: 'dog'}", "{0: 'person'}"
	picture := infos([]int{1, 3, 320, 320})
	dynamic := infos([]int{-1, 3, -1, -1})
	for name, c := range map[string]struct {
		inputs, outputs []common.TensorInfo
		metadata        map[string]string
		want            Head // nil: not recognized
		labels          []string
	}{
		"YOLO11":                            {picture, infos([]int{1, 6, 2100}), ultralytics("detect", two), &YOLO{}, []string{"cat", "dog"}},
		"YOLO11, dynamic":                   {dynamic, infos([]int{-1, -1, -1}), ultralytics("detect", two), &YOLO{}, []string{"cat", "dog"}},
		"YOLO11, of other classes":          {picture, infos([]int{1, 7, 2100}), ultralytics("detect", two), nil, nil},
		"YOLO11-seg":                        {picture, infos([]int{1, 38, 2100}, []int{1, 32, 80, 80}), ultralytics("segment", two), &YOLO{Masks: 32, Protos: 1}, []string{"cat", "dog"}},
		"YOLO11-seg, TFLite":                {infos([]int{1, 320, 320, 3}), infos([]int{1, 80, 80, 32}, []int{1, 38, 2100}), ultralytics("segment", two), &YOLO{Masks: 32, Output: 1}, []string{"cat", "dog"}},
		"YOLO11-pose":                       {picture, infos([]int{1, 56, 2100}), ultralytics("pose", pose, "kpt_shape", "[17, 3]"), &YOLO{Points: 17, PointValues: 3}, []string{"person"}},
		"YOLO26":                            {picture, infos([]int{1, 300, 6}), ultralytics("detect", two, "end2end", "True"), &YOLO{Form: EndToEnd}, []string{"cat", "dog"}},
		"YOLO26-seg":                        {picture, infos([]int{1, 300, 38}, []int{1, 32, 80, 80}), ultralytics("segment", two, "end2end", "True"), &YOLO{Form: EndToEnd, Masks: 32, Protos: 1}, []string{"cat", "dog"}},
		"YOLO26-pose":                       {picture, infos([]int{1, 300, 57}), ultralytics("pose", pose, "kpt_shape", "[17, 3]", "end2end", "True"), &YOLO{Form: EndToEnd, Points: 17, PointValues: 3}, []string{"person"}},
		"YOLOv10, which does not tell":      {picture, infos([]int{1, 300, 6}), ultralytics("detect", two, "end2end", ""), &YOLO{Form: EndToEnd}, []string{"cat", "dog"}},
		"YOLO11, NMS inside, dynamic":       {dynamic, infos([]int{-1, -1, -1}), ultralytics("detect", two, "args", "{'batch': 1, 'nms': True}"), &YOLO{Form: EndToEnd}, []string{"cat", "dog"}},
		"YOLOv10 of 296 classes":            {picture, infos([]int{1, 300, 6}), ultralytics("detect", "["+strings.Repeat("'', ", 296)+"]", "end2end", ""), &YOLO{Form: EndToEnd}, make([]string, 296)},
		"turned boxes":                      {picture, infos([]int{1, 7, 2100}), ultralytics("obb", two), nil, nil},
		"a classifier":                      {picture, infos([]int{1, 2}), ultralytics("classify", two), nil, nil},
		"[1,300,6] without metadata":        {picture, infos([]int{1, 300, 6}), nil, nil, nil},
		"YOLOv8 without metadata":           {picture, infos([]int{1, 84, 2100}), nil, &YOLO{}, COCO()},
		"YOLOv8 dynamic without metadata":   {dynamic, infos([]int{-1, 84, -1}), nil, &YOLO{}, COCO()},
		"a pose or 52 classes":              {picture, infos([]int{1, 56, 2100}), nil, nil, nil},
		"YOLOv5":                            {picture, infos([]int{1, 6300, 85}), nil, &YOLO{Form: YOLOv5}, COCO()},
		"YOLOv5's own metadata":             {picture, infos([]int{1, 6300, 7}), map[string]string{"stride": "32", "names": two}, &YOLO{Form: YOLOv5}, []string{"cat", "dog"}},
		"YOLOv5 with three more":            {picture, infos([]int{1, 6300, 85}, []int{1, 3, 40, 40, 85}, []int{1, 3, 20, 20, 85}, []int{1, 3, 10, 10, 85}), nil, &YOLO{Form: YOLOv5}, COCO()},
		"faces of YOLOv5":                   {picture, infos([]int{1, 6300, 16}), nil, nil, nil},
		"YOLOv5 or YOLOX, dynamic":          {dynamic, infos([]int{-1, -1, 85}), nil, nil, nil},
		"YOLOX":                             {infos([]int{1, 3, 320, 320}, "images"), infos([]int{1, 2100, 85}, "output"), nil, &Grids{Form: YOLOX, Strides: []int{8, 16, 32}, Scores: []int{0}, Boxes: []int{0}}, COCO()},
		"YOLOX or decoded boxes":            {picture, infos([]int{1, 2100, 85}), nil, nil, nil},
		"boxes or turned boxes":             {picture, infos([]int{1, 6, 2100}), nil, nil, nil},
		"boxes or plates":                   {picture, infos([]int{1, 6300, 14}), nil, nil, nil},
		"boxes and another picture":         {picture, infos([]int{1, 84, 2100}, []int{1, 1, 80, 80}), nil, nil, nil},
		"YOLOX of another size":             {picture, infos([]int{1, 2101, 85}), nil, nil, nil},
		"RT-DETR of Ultralytics":            {picture, infos([]int{1, 300, 6}), ultralytics("detect", pose, "head", "RTDETRDecoder"), &Boxes{ScoreColumn: 4, ClassColumn: 5, Count: -1, Units: Normalized}, []string{"person"}},
		"RT-DETR of Ultralytics, before":    {picture, infos([]int{1, 300, 5}), ultralytics("detect", pose, "description", "Ultralytics rtdetr-l model"), &YOLO{Form: RTDETR, Units: Normalized}, []string{"person"}},
		"RT-DETR of Ultralytics, ambiguous": {picture, infos([]int{1, 300, 6}), ultralytics("detect", two, "head", "RTDETRDecoder"), nil, nil},
		"RF-DETR of 3 classes":              {infos([]int{1, 3, 560, 560}, "input"), infos([]int{1, 300, 4}, "labels", []int{1, 300, 4}, "dets"), nil, &DETR{Boxes: 1}, nil},
		"two [1,300,4]":                     {infos([]int{1, 3, 560, 560}, "input"), infos([]int{1, 300, 4}, []int{1, 300, 4}), nil, nil, nil},
		"RT-DETR of Transformers":           {infos([]int{-1, 3, -1, -1}, "pixel_values"), infos([]int{-1, 300, 80}, "logits", []int{-1, 300, 4}, "pred_boxes"), nil, &DETR{Boxes: 1}, COCO()},
		"DETR":                              {infos([]int{-1, 3, -1, -1}, "pixel_values"), infos([]int{-1, 100, 92}, "logits", []int{-1, 100, 4}, "pred_boxes"), nil, &DETR{Boxes: 1, Softmax: true}, COCO91()},
		"Deformable DETR":                   {infos([]int{-1, 3, -1, -1}, "pixel_values"), infos([]int{-1, 300, 91}, "logits", []int{-1, 300, 4}, "pred_boxes"), nil, nil, nil},
		"RT-DETR": {
			infos([]int{-1, 3, 640, 640}, "images", []int{-1, 2}, "orig_target_sizes"), infos([]int{-1, 300}, "labels", []int{-1, 300, 4}, "boxes", []int{-1, 300}, "scores"), nil,
			&Boxes{Boxes: 1, Scores: 2, Count: -1, Format: Corners, Units: Pixels}, nil,
		},
		"PP-YOLOE": {
			infos([]int{-1, 3, 640, 640}, "image", []int{-1, 2}, "scale_factor"), infos([]int{-1, 6}, "multiclass_nms3_0.tmp_0", []int{-1}, "multiclass_nms3_0.tmp_2"), nil,
			&Boxes{BoxColumn: 2, ScoreColumn: 1, Count: 1, Format: Corners, Units: Pixels}, nil,
		},
		"SSD": {
			infos([]int{1, 300, 300, 3}), infos([]int{1, 10, 4}, "TFLite_Detection_PostProcess", []int{1, 10}, "TFLite_Detection_PostProcess:1", []int{1, 10}, "TFLite_Detection_PostProcess:2", []int{1}, "TFLite_Detection_PostProcess:3"), nil,
			&Boxes{Classes: 1, Scores: 2, Count: 3, Format: CornersYX, Units: Normalized}, nil,
		},
		"EfficientDet with labels": {
			infos([]int{1, 320, 320, 3}), append(infos([]int{1}, []int{1, 25}, []int{1, 25, 4}), common.TensorInfo{Name: "a", Shape: common.Shape{1, 25}, Labels: []string{"cat"}}), nil,
			&Boxes{Boxes: 2, Classes: 3, Scores: 1, Format: CornersYX, Units: Normalized}, []string{"cat"},
		},
		"EfficientDet without": {infos([]int{1, 320, 320, 3}), infos([]int{1}, []int{1, 25}, []int{1, 25, 4}, []int{1, 25}), nil, nil, nil},
		"PicoDet": {
			infos([]int{1, 3, 800, 608}, "image"), infos([]int{1, 7600, 10}, []int{1, 1900, 10}, []int{1, 475, 10}, []int{1, 130, 10}, []int{1, 7600, 32}, []int{1, 1900, 32}, []int{1, 475, 32}, []int{1, 130, 32}),
			map[string]string{"character": "text\ntitle"}, &Grids{Strides: []int{8, 16, 32, 64}, Scores: []int{0, 1, 2, 3}, Boxes: []int{4, 5, 6, 7}}, []string{"text", "title"},
		},
		"NanoDet": {
			picture, infos([]int{1, 400, 80}, "cls_pred_stride_16", []int{1, 100, 80}, "cls_pred_stride_32", []int{1, 1600, 80}, "cls_pred_stride_8", []int{1, 400, 4}, "dis_pred_stride_16", []int{1, 100, 4}, "dis_pred_stride_32", []int{1, 1600, 4}, "dis_pred_stride_8"),
			nil, &Grids{Form: NanoDet, Strides: []int{8, 16, 32}, Scores: []int{2, 0, 1}, Boxes: []int{5, 3, 4}}, COCO(),
		},
		"NanoDet-Plus":          {infos([]int{1, 3, 320, 320}, "data"), infos([]int{1, 2125, 112}, "output"), nil, &Grids{Form: NanoDetPlus, Strides: []int{8, 16, 32, 64}, Scores: []int{0}, Boxes: []int{0}, Classes: 80}, COCO()},
		"NanoDet-Plus or YOLOX": {infos([]int{1, 3, 320, 320}), infos([]int{1, 2125, 112}), nil, nil, nil},
		"an image net":          {infos([]int{1, 3, 224, 224}), infos([]int{1, 1000}), nil, nil, nil},
		"any rank":              {picture, []common.TensorInfo{{}}, ultralytics("detect", two), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			recognized := 0
			m := newModelInfo(common.Signature{Inputs: c.inputs, Outputs: c.outputs}, c.metadata)
			for _, recognize := range heads {
				d := recognize(m)
				if d == nil {
					continue
				}
				recognized++
				require.Equal(t, c.want, d.Head)
				require.Equal(t, c.labels, d.Labels)
				require.Equal(t, name == "PicoDet", d.MinScore == 0.5)                     // of which PaddleDetection's program and rapid-layout take 0.5
				if c.inputs[0].Shape[2] < 0 && name != "YOLOv8 dynamic without metadata" { // which needs Input.Size
					require.Positive(t, d.Input.Size.X*d.Input.Size.Y, "a size is needed")
				}
			}
			require.Equal(t, c.want != nil, recognized == 1, "%d", recognized)
			require.Equal(t, c.want != nil, recognizeHead(common.Signature{Inputs: c.inputs, Outputs: c.outputs}, c.metadata) != nil)
		})
	}
}

// FuzzRecognizeHeads asks all families of heads about tensors of any shapes and names.
func FuzzRecognizeHeads(f *testing.F) {
	f.Add([]byte{4, 1, 3, 64, 64, 3, 1, 84, 84}, "detect", "{0: 'a'}", uint8(1))
	f.Add([]byte{4, 1, 3, 64, 64, 3, 1, 30, 6, 4, 1, 32, 16, 16}, "segment", "['a', 'b']", uint8(2))
	f.Add([]byte{4, 1, 30, 30, 3, 3, 1, 10, 4, 2, 1, 10, 2, 1, 10, 1, 1}, "", "", uint8(0))
	f.Add([]byte{0, 0, 0}, "pose", "[3, 2]", uint8(1))
	f.Fuzz(func(t *testing.T, dims []byte, task, text string, kind uint8) {
		names := []string{"logits", "pred_boxes", "labels", "dets", "boxes", "scores", "TFLite_Detection_PostProcess", "cls_pred_stride_8"}
		var all []common.TensorInfo
		for len(dims) > 0 {
			rank := min(int(dims[0])%6, len(dims)-1)
			info := common.TensorInfo{Name: names[int(dims[0]/6)%len(names)], DType: common.Uint8, Quant: &common.Quantization{}}
			for _, d := range dims[1 : 1+rank] {
				info.Shape = append(info.Shape, int(int8(d))) // negative: dynamic
			}
			all, dims = append(all, info), dims[1+rank:]
		}
		n := min(1+int(kind%2), len(all))
		sig := common.Signature{Inputs: all[:n], Outputs: all[n:]}
		metadata := map[string]string{"task": task, "names": text, "kpt_shape": text, "imgsz": text, "head": task, "character": text}
		if m := newModelInfo(sig, metadata); m.image.Shape != nil {
			for _, recognize := range heads {
				d := recognize(m)
				require.True(t, d == nil || d.Head != nil && d.Input.Size.X >= 0 && d.Input.Size.Y >= 0)
			}
		}
	})
}
