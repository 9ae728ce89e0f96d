// SPDX-License-Identifier: Apache-2.0

package landmark

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

func read(t testing.TB, file string, v any) {
	data, err := os.ReadFile("../testdata/" + file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, v))
}

// uniform has the numbers of uniform in ../testdata/gen_heads.py.
func uniform(seed uint64, n int) []float64 {
	all := make([]float64, n)
	for i := range all {
		x := (uint64(i) + seed<<32) * 0x9E3779B97F4A7C15
		x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
		x = (x ^ x>>27) * 0x94D049BB133111EB
		all[i] = float64((x^x>>31)>>40) / (1 << 24)
	}
	return all
}

func tensor(t testing.TB, data []float32, shape ...int) *common.Tensor {
	to, err := common.FromSlice(data, shape...)
	require.NoError(t, err)
	return to
}

// info describes an input or an output, and model has always the same numbers for the outputs.
func info(name string, shape ...int) common.TensorInfo {
	return common.TensorInfo{Name: name, DType: common.Float32, Shape: shape}
}

func model(t testing.TB, input common.TensorInfo, outputs ...*common.Tensor) *common.Model {
	sig, out := common.Signature{Inputs: []common.TensorInfo{input}}, common.Tensors{}
	for i, o := range outputs {
		name := fmt.Sprint("output", i)
		if len(o.Shape()) == 3 {
			name = []string{"simcc_x", "simcc_y", "c", "d"}[i]
		}
		sig.Outputs, out[name] = append(sig.Outputs, info(name, o.Shape()...)), o
	}
	m := fake.NewModel(sig, &common.Options{}, func(context.Context, common.Tensors) (common.Tensors, error) { return out, nil })
	t.Cleanup(func() { m.Close() })
	return m
}

func TestSimCC(t *testing.T) {
	var want struct {
		Box    [4]float32
		Points [][2]float32
		Scores []float32
	}
	read(t, "landmarks/landmarks.json", &want)
	xs, ys := make([]float32, 17*384), make([]float32, 17*512)
	for i, v := range uniform(1, len(xs)) {
		xs[i] = float32(v - 0.2)
	}
	for i, v := range uniform(2, len(ys)) {
		ys[i] = float32(v - 0.2)
	}
	k, err := NewMarker(model(t, info("x", 1, 3, 256, 192), tensor(t, xs, 1, 17, 384), tensor(t, ys, 1, 17, 512)))
	require.NoError(t, err)
	require.Equal(t, SimCC, k.Form)
	box := vision.Rect{Min: vision.Point{X: want.Box[0], Y: want.Box[1]}, Max: vision.Point{X: want.Box[2], Y: want.Box[3]}}
	r, ok := k.region(forms[SimCC].detected, box, nil)
	require.True(t, ok)
	l, err := k.Mark(t.Context(), image.NewGray(image.Rect(0, 0, 400, 300)), r)
	require.NoError(t, err)
	require.Len(t, l.Detection.Points, 17)
	for i, p := range l.Detection.Points {
		require.InDeltaSlice(t, want.Points[i][:], []float32{p.X, p.Y}, 1e-3)
		require.InDelta(t, want.Scores[i], p.Score, 1e-5)
	}
}

// TestPFLD checks that points are parts of the region, which a picture's part fills.
func TestPFLD(t *testing.T) {
	for _, n := range []int{98, 106} {
		values := make([]float32, 2*n)
		for i, v := range uniform(uint64(n), len(values)) {
			values[i] = float32(v)
		}
		k, err := NewMarker(model(t, info("x", 1, 3, 112, 112), tensor(t, make([]float32, 64*28*28), 1, 64, 28, 28), tensor(t, values, 1, 2*n)))
		require.NoError(t, err)
		require.Equal(t, 1, k.Output)
		box := vision.Rect{Min: vision.Point{X: 40, Y: 10}, Max: vision.Point{X: 60, Y: 50}}
		r, ok := k.region(forms[PFLD].detected, box, nil)
		require.True(t, ok)
		l, err := k.Mark(t.Context(), image.NewGray(image.Rect(0, 0, 100, 100)), r)
		require.NoError(t, err)
		require.Len(t, l.Detection.Points, n)
		require.Equal(t, "face", l.Detection.Label)
		for i, p := range l.Detection.Points {
			require.InDeltaSlice(t, []float32{40 + 20*values[2*i], 10 + 40*values[2*i+1]}, []float32{p.X, p.Y}, 1e-4)
		}
	}
}

// obbOutput has random turned boxes.
func obbOutput(t testing.TB) (all *common.Tensor, boxes int) {
	const n, classes = 600, 3
	u := uniform(3, (4+classes+1)*n)
	data := make([]float32, len(u))
	for i, v := range u {
		switch i / n {
		case 0, 1:
			v *= 640
		case 2:
			v = 20 + v*200
		case 3:
			v = 10 + v*100
		case 4 + classes:
			v = (v - 0.25) * math.Pi
		default:
			v = math.Pow(v, 8)
		}
		data[i] = float32(v)
	}
	return tensor(t, data, 1, 4+classes+1, n), n
}

func TestOBB(t *testing.T) {
	var want map[string]struct {
		Rows    []int
		Corners [][8]float32
	}
	read(t, "landmarks/obb.json", &want)
	all, n := obbOutput(t)
	data, err := common.Data[float32](all)
	require.NoError(t, err)
	rows := make([]float32, 0, len(data))
	for i := range n {
		for v := range len(data) / n {
			rows = append(rows, data[v*n+i])
		}
	}
	for iou, w := range want {
		var head OBB
		_, err := fmt.Sscan(iou, &head.IoU)
		require.NoError(t, err)
		for _, out := range []*common.Tensor{all, tensor(t, rows, 1, n, len(data)/n)} {
			found, err := head.Decode(nil, vision.Outputs{Tensors: []*common.Tensor{out}, Size: image.Pt(640, 640)}, 0.25)
			require.NoError(t, err)
			require.Len(t, found, len(w.Rows))
			for i, d := range found {
				require.Equal(t, w.Rows[i], d.Row)
				if i < len(w.Corners) {
					for j, p := range d.Points {
						require.InDeltaSlice(t, w.Corners[i][2*j:2*j+2], []float32{p.X, p.Y}, 1e-3)
					}
				}
			}
		}
	}
}

func TestNewOBB(t *testing.T) {
	sig := common.Signature{Outputs: []common.TensorInfo{info("output0", 1, 20, 21504)}}
	d, err := newOBB(nil, sig, map[string]string{"task": "obb", "names": "{0: 'plane', 1: 'ship'}"})
	require.NoError(t, err)
	require.Equal(t, []string{"plane", "ship"}, d.Labels)
	_, err = newOBB(nil, sig, map[string]string{"task": "obb", "end2end": "True"})
	require.ErrorIs(t, err, common.ErrModel)
	_, err = NewOBB(model(t, info("x", 1, 3, 8, 8), tensor(t, make([]float32, 8), 1, 8)))
	require.ErrorContains(t, err, `the task ""`)
}

func TestSkeletons(t *testing.T) {
	var want []struct {
		Names []string
		Lines [][2]int
	}
	read(t, "mediapipe/skeletons.json", &want)
	for i, points := range []int{21, 33, 468} {
		got := SkeletonOf(points)
		for i := range got.Lines {
			slices.Sort(got.Lines[i][:])
		}
		slices.SortFunc(got.Lines, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
		require.ElementsMatch(t, want[i].Lines, got.Lines)
		require.Equal(t, len(want[i].Names), len(got.Names))
		require.Subset(t, want[i].Names, got.Names)
	}
	require.Len(t, SkeletonOf(17).Names, 17)
	require.Empty(t, SkeletonOf(106).Lines)
}

func TestNewMarker(t *testing.T) {
	_, err := NewMarker(nil)
	require.ErrorIs(t, err, common.ErrModel)
	_, err = NewMarker(model(t, info("x", 1, 3, 112, 112), tensor(t, make([]float32, 512), 1, 512)))
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, "512")
}

// FuzzMark gives Markers of all forms random outputs and regions.
func FuzzMark(f *testing.F) {
	f.Add(uint8(0), uint8(3), []byte{1, 2, 3, 4})
	f.Add(uint8(1), uint8(33), binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN()))))
	f.Add(uint8(4), uint8(0), binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(1)))))
	f.Fuzz(func(t *testing.T, form, cut uint8, seed []byte) {
		at := 0
		number := func() float32 {
			if len(seed) < 4 {
				return float32(at % 7)
			}
			at++
			return math.Float32frombits(binary.LittleEndian.Uint32(seed[at%(len(seed)-3):]))
		}
		some := func(shape ...int) *common.Tensor {
			data := make([]float32, common.Shape(shape).Elems())
			for i := range data {
				data[i] = number()
			}
			return tensor(t, data, shape...)
		}
		lengths := [][]int{{63, 1, 1, 63}, {195, 1, 8, 0}, {1404, 1, 1, 1}, {212, 2, 2, 2}, {17, 17, 2, 2}}[form%5]
		var outputs []*common.Tensor
		for i, n := range lengths {
			if n = max(n-int(cut)%3, 1); form%5 == 4 {
				outputs = append(outputs, some(1, n, 8))
			} else if form%5 == 1 && i == 3 {
				outputs = append(outputs, some(1, 8, 8, 39-int(cut)%2))
			} else {
				outputs = append(outputs, some(1, n))
			}
		}
		k := &Marker{Model: model(t, info("x", 1, 3, 16, 16), outputs...), Form: Form(form % 5), Input: vision.Input{Filter: vision.LinearWarp, Replicate: form&8 > 0}}
		img := image.NewGray(image.Rect(0, 0, 9, 7))
		r := Region{vision.Point{X: number(), Y: number()}, number(), number(), number()}
		k.Mark(t.Context(), img, r)
		tracker := &Tracker{Finder: &Finder{Detector: &vision.Detector{Model: k.Model, Head: head{&vision.Grids{}}}, Marker: k, Max: 1}, Smoothing: &Smoothing{}, tracks: []track{{region: r}}}
		for i := range 3 {
			tracker.Next(t.Context(), img, time.Duration(i)*time.Second)
		}
		(&OBB{Normalized: cut&1 > 0}).Decode(nil, vision.Outputs{Tensors: []*common.Tensor{some(1, int(form%9), int(cut%9))}}, number())
	})
}
