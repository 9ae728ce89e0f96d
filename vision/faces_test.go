// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// spread returns n numbers from 0 to 1 that look random, as testdata/gen_faces.py does.
func spread(seed, n int, of func(float64) float64) []float32 {
	all := make([]float32, n)
	for i := range all {
		x := uint32(uint64(i+1)*2654435761 + uint64(seed)*40503)
		x ^= x >> 15
		x *= 2246822519
		x ^= x >> 13
		all[i] = float32(of(float64(x) / (1 << 32)))
	}
	return all
}

func tensorOf(t testing.TB, data []float32, shape ...int) *common.Tensor {
	x, err := common.FromSlice(data, shape...)
	require.NoError(t, err)
	return x
}

// infoOf describes a tensor for a signature.
func infoOf(name string, shape ...int) common.TensorInfo {
	return common.TensorInfo{Name: name, DType: common.Float32, Shape: shape}
}

// signatureOf is that of a model with these outputs.
func signatureOf(input common.TensorInfo, outputs ...*common.Tensor) common.Signature {
	s := common.Signature{Inputs: []common.TensorInfo{input}}
	for i, o := range outputs {
		s.Outputs = append(s.Outputs, infoOf(fmt.Sprint(i), o.Shape()...))
	}
	return s
}

// expectedFace is a face in faces.json.
type expectedFace struct {
	Box    [4]float32
	Score  float32
	Points []float32
}

// goldenFaces has what testdata/gen_faces.py writes.
var goldenFaces = func() (g struct {
	BlazeFace, SCRFD map[string][]expectedFace
	RetinaFace       []expectedFace
	ArcFace          []struct {
		Side           int
		Points, Matrix []float32
	}
}) {
	data, err := os.ReadFile("testdata/faces/faces.json")
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		panic(err)
	}
	return g
}()

// goldenImage returns the pixels of a picture of testdata.
func goldenImage(t testing.TB, name string) image.Image {
	f, err := os.Open(filepath.Join("testdata", "faces", name))
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	return img
}

// facesOf are what a head finds with its usual options.
func facesOf(t testing.TB, h Head, out Outputs, minScore float32, o NMSOptions) []Detection {
	found, err := h.Decode(nil, out, minScore)
	require.NoError(t, err)
	found = NMS(found, o)
	if f, ok := h.(Finisher); ok {
		require.NoError(t, f.Finish(found, out, Affine{1, 0, 0, 0, 1, 0}, out.Size))
	}
	return found
}

func requireFaces(t testing.TB, want []expectedFace, got []Detection) {
	require.NotEmpty(t, want)
	require.Len(t, got, len(want))
	const pixels = 1.5e-3 // the golden file is rounded to a thousandth
	for i, w := range want {
		g := got[i]
		require.InDelta(t, w.Score, g.Score, 1e-5)
		require.InDeltaSlice(t, w.Box[:], []float32{g.Rect.Min.X, g.Rect.Min.Y, g.Rect.Max.X, g.Rect.Max.Y}, pixels, i)
		require.Len(t, g.Points, len(w.Points)/2)
		for j, p := range g.Points {
			require.InDeltaSlice(t, w.Points[2*j:2*j+2], []float32{p.X, p.Y}, pixels, "face %d, point %d", i, j)
			require.EqualValues(t, 1, p.Score)
		}
	}
}

// blazeTensors are outputs that gen_faces.py makes too; parts are the grids of those
// models that give each on its own.
func blazeTensors(t testing.TB, seed int, parts ...int) (scores, boxes []*common.Tensor) {
	n := 0
	for _, p := range parts {
		n += p
	}
	box := spread(seed, n*16, func(u float64) float64 { return u*60 - 20 })
	score := spread(seed+1, n, func(u float64) float64 { return u*40 - 36 })
	for _, p := range parts {
		scores, boxes = append(scores, tensorOf(t, score[:p], 1, p, 1)), append(boxes, tensorOf(t, box[:p*16], 1, p, 16))
		score, box = score[p:], box[p*16:]
	}
	return scores, boxes
}

func TestBlazeFace(t *testing.T) {
	for _, c := range []struct {
		side, seed int
		parts      []int
	}{{128, 1, []int{896}}, {128, 1, []int{512, 384}}, {192, 3, []int{2304}}, {256, 5, []int{896}}, {256, 5, []int{512, 384}}} {
		scores, boxes := blazeTensors(t, c.seed, c.parts...)
		out := Outputs{Tensors: append(boxes, scores...), Size: image.Pt(c.side, c.side)}
		d := recognizeHead(signatureOf(infoOf("input", 1, c.side, c.side, 3), out.Tensors...), nil)
		require.NotNil(t, d)
		require.Equal(t, Input{Size: out.Size, Fit: Letterbox, Filter: LinearWarp, Mean: same(127.5), Std: same(127.5)}, d.Input)
		require.Equal(t, face, d.Labels)
		require.Equal(t, map[bool]float32{true: 0.6, false: 0.5}[c.side == 192], d.MinScore)
		h := d.Head
		requireFaces(t, goldenFaces.BlazeFace[fmt.Sprint(c.side)], facesOf(t, h, out, 0.5, d.NMS))

		_, err := h.Decode(nil, Outputs{Tensors: out.Tensors, Size: image.Pt(64, c.side)}, 0.5)
		require.ErrorIs(t, err, common.ErrShape)
		require.ErrorContains(t, err, "anchors")
		_, err = h.Decode(nil, Outputs{Tensors: out.Tensors[:1], Size: out.Size}, 0.5)
		require.ErrorIs(t, err, common.ErrCount)
	}
	require.Nil(t, recognizeHead(common.Signature{Inputs: []common.TensorInfo{infoOf("input", 1, 128, 128, 3)},
		Outputs: []common.TensorInfo{infoOf("a", 1, 896, 16), infoOf("b", 1, 895, 1)}}, nil))
	_, err := (&Grids{Form: BlazeFace, Strides: []int{8}}).Decode(nil, Outputs{}, 0.5)
	require.ErrorIs(t, err, common.ErrOption)
}

// scrfdTensors are outputs that gen_faces.py makes too.
func scrfdTensors(t testing.TB, seed int, size image.Point, strides []int, anchors int, batch ...int) (all []*common.Tensor) {
	for _, columns := range []int{1, 4, 10} {
		of := map[int]func(float64) float64{
			1: func(u float64) float64 { return u * 0.515 }, 4: func(u float64) float64 { return u * 4 }, 10: func(u float64) float64 { return u*4 - 2 },
		}[columns]
		for _, s := range strides {
			n := size.X / s * (size.Y / s) * anchors
			all = append(all, tensorOf(t, spread(seed+len(all), n*columns, of), append(batch, n, columns)...))
		}
	}
	return all
}

func TestSCRFD(t *testing.T) {
	for _, batch := range [][]int{nil, {1}} {
		for name, c := range map[string]struct {
			seed    int
			size    image.Point
			strides []int
			anchors int
		}{"9": {10, image.Pt(256, 128), []int{8, 16, 32}, 2}, "15": {30, image.Pt(384, 256), []int{8, 16, 32, 64, 128}, 1}} {
			out := Outputs{Tensors: scrfdTensors(t, c.seed, c.size, c.strides, c.anchors, batch...), Size: c.size}
			sig := signatureOf(infoOf("input.1", 1, 3, c.size.Y, c.size.X), out.Tensors...)
			d := recognizeHead(sig, nil)
			require.NotNil(t, d)
			require.Equal(t, Input{Size: c.size, Fit: LetterboxByHeight, Mean: same(127.5), Std: same(128)}, d.Input)
			require.Equal(t, float32(0.5), d.MinScore)
			requireFaces(t, goldenFaces.SCRFD[name], facesOf(t, d.Head, out, 0.5, d.NMS))

			sig.Outputs[0].Shape[len(sig.Outputs[0].Shape)-2]--
			require.Nil(t, recognizeHead(sig, nil))
			out.Size.X -= 32
			_, err := d.Head.Decode(nil, out, 0.5)
			require.ErrorIs(t, err, common.ErrShape)
		}
	}
	// All of it, with a picture whose height is truncated when it is scaled.
	tensors := scrfdTensors(t, 10, image.Pt(256, 128), []int{8, 16, 32}, 2)
	sig := signatureOf(infoOf("input.1", 1, 3, 128, 256), tensors...)
	m := fake.NewModel(sig, nil, func(context.Context, common.Tensors) (common.Tensors, error) {
		out := common.Tensors{}
		for i, o := range sig.Outputs {
			out[o.Name] = tensors[i]
		}
		return out, nil
	})
	defer m.Close()
	d, err := NewDetector(m)
	require.NoError(t, err)
	found, err := d.Detect(context.Background(), image.NewGray(image.Rect(0, 0, 201, 76)))
	require.NoError(t, err)
	want := goldenFaces.SCRFD["scaled"]
	for i := range want { // this package cuts boxes off at the edges of the picture
		w := want[i].Box[:]
		copy(w, []float32{max(w[0], 0), max(w[1], 0), min(w[2], 201), min(w[3], 76)})
	}
	requireFaces(t, want, found)

	// Shapes that depend on the picture, outputs in another order, without points.
	dynamic := common.Signature{Inputs: []common.TensorInfo{infoOf("input.1", 1, 3, -1, -1)}}
	for _, s := range []int{8, 16, 32} {
		dynamic.Outputs = append(dynamic.Outputs, infoOf(fmt.Sprint("score_", s), -1, 1), infoOf(fmt.Sprint("bbox_", s), -1, 4))
	}
	d = recognizeHead(dynamic, nil)
	require.NotNil(t, d)
	require.Equal(t, image.Pt(640, 640), d.Input.Size)
	require.Equal(t, &Grids{Form: SCRFD, Strides: []int{8, 16, 32}, Anchors: squareAnchors, Scores: []int{0, 2, 4}, Boxes: []int{1, 3, 5}}, d.Head)
}

var squareAnchors = [][]float32{{16, 32}, {64, 128}, {256, 512}}

func TestRetinaFace(t *testing.T) {
	size := image.Pt(160, 96)
	centered := func(u float64) float64 { return u*4 - 2 }
	n := (20*12 + 10*6 + 5*3) * 2
	out := Outputs{Size: size, Tensors: []*common.Tensor{
		tensorOf(t, spread(50, n*4, centered), 1, n, 4),
		tensorOf(t, spread(52, n*2, func(u float64) float64 { return u }), 1, n, 2),
		tensorOf(t, spread(51, n*10, centered), 1, n, 10),
	}}
	d := recognizeHead(signatureOf(infoOf("input0", 1, 3, 96, 160), out.Tensors...), nil)
	require.NotNil(t, d)
	require.Equal(t, Input{Size: size, BGR: true, Mean: [3]float32{123, 117, 104}}, d.Input)
	require.Equal(t, float32(0.6), d.MinScore)
	found, err := d.Head.Decode(nil, out, 0.95)
	require.NoError(t, err)
	requireFaces(t, goldenFaces.RetinaFace, found)
	require.Equal(t, NMSOptions{IoU: 0.4, PlusOne: true}, d.NMS)

	require.Nil(t, recognizeHead(signatureOf(infoOf("input0", 1, 3, 96, 192), out.Tensors...), nil))
	short := Outputs{Size: size, Tensors: append(out.Tensors[:2:2], tensorOf(t, make([]float32, 10), 1, 1, 10))}
	_, err = d.Head.Decode(nil, short, 0.95)
	require.ErrorIs(t, err, common.ErrShape)
	out.Size.X = 192
	_, err = d.Head.Decode(nil, out, 0.95)
	require.ErrorIs(t, err, common.ErrShape)
}

func TestUltraFace(t *testing.T) {
	const n = 4420
	scores, boxes := make([]float32, 2*n), make([]float32, 4*n)
	copy(scores[2*7:], []float32{0.1, 0.9})
	copy(boxes[4*7:], []float32{0.25, 0.5, 0.75, 1})
	copy(scores[2*9:], []float32{0.9, 0.1})
	copy(boxes[4*9:], []float32{0, 0, 1, 1})
	out := Outputs{Tensors: []*common.Tensor{tensorOf(t, scores, 1, n, 2), tensorOf(t, boxes, 1, n, 4)}, Size: image.Pt(320, 240)}
	d := recognizeHead(signatureOf(infoOf("input", 1, 3, 240, 320), out.Tensors...), nil)
	require.NotNil(t, d)
	require.Equal(t, Input{Mean: same(127), Std: same(128)}, d.Input)
	require.Equal(t, NMSOptions{IoU: 0.5}, d.NMS)
	require.Equal(t, float32(0.7), d.MinScore)
	require.Equal(t, []Detection{{Rect: Rect{Point{80, 120}, Point{240, 240}}, Score: 0.9, Row: 7}}, facesOf(t, d.Head, out, 0.7, d.NMS))
	require.Nil(t, recognizeHead(signatureOf(infoOf("input", 1, 3, 240, 240), out.Tensors...), nil))
	out.Tensors[1] = tensorOf(t, boxes[:4], 1, 1, 4)
	_, err := d.Head.Decode(nil, out, 0.7)
	require.ErrorIs(t, err, common.ErrShape)
}

// FuzzFaceHeads decodes tensors of any numbers and shapes.
func FuzzFaceHeads(f *testing.F) {
	f.Add(uint8(0), int16(128), int16(128), uint16(896), int32(1), float32(0.5))
	f.Add(uint8(1), int16(256), int16(128), uint16(1024), int32(2), float32(0))
	f.Add(uint8(2), int16(160), int16(96), uint16(630), int32(3), float32(-1))
	f.Add(uint8(2), int16(0), int16(4), uint16(0), int32(3), float32(0))
	f.Add(uint8(3), int16(0), int16(-5), uint16(0), int32(4), float32(2))
	f.Fuzz(func(t *testing.T, kind uint8, w, h int16, rows uint16, seed int32, minScore float32) {
		rows %= 3000
		x := uint32(seed)
		random := func(columns int) *common.Tensor {
			data := make([]float32, int(rows)*columns)
			for i := range data {
				x = x*1664525 + 1013904223
				data[i] = math.Float32frombits(x)
				if x>>8&1 == 0 {
					data[i] = float32(x>>16)/65536*4 - 2
				}
			}
			return tensorOf(t, data, 1, int(rows), columns)
		}
		out := Outputs{Tensors: []*common.Tensor{random(1), random(2), random(4), random(10), random(16)}, Size: image.Pt(int(w), int(h))}
		head := []Head{
			&Grids{Form: BlazeFace, Strides: []int{8, 16}, Anchors: [][]float32{{1, 1}, {1, 1, 1, 1, 1, 1}}, Scores: []int{0}, Boxes: []int{4}, Points: []int{4}},
			&Grids{Form: SCRFD, Strides: []int{8}, Anchors: squareAnchors, Scores: []int{0}, Boxes: []int{2}, Points: []int{3}},
			&Grids{Form: RetinaFace, Strides: []int{8, 16, 32}, Anchors: squareAnchors, Scores: []int{1}, Boxes: []int{2}, Points: []int{3}},
			&Boxes{Scores: 1, ScoreColumn: 1, Boxes: 2, Classes: -1, Count: -1, Format: Corners, Units: Normalized},
		}[kind%4]
		found, err := head.Decode(nil, out, minScore)
		if err != nil {
			return
		}
		found = NMS(found, head.Suppression())
		if f, ok := head.(Finisher); ok {
			require.NoError(t, f.Finish(found, out, Affine{1, 0, 0, 0, 1, 0}, out.Size))
		}
		for _, d := range found {
			d.Rect.Clip(out.Size).Image()
		}
	})
}
