// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"image"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// uniform returns the numbers that uniform in testdata/gen_heads.py returns.
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

func sparse(u []float64, part float64) []float64 {
	for i, v := range u {
		u[i] = 0.2 * v
		if v > 1-part {
			u[i] = 0.25 + 0.75*(v-(1-part))/part
		}
	}
	return u
}

// centers returns rows of a center and a size.
func centers(seed uint64, n int, size, least, most float64) []float64 {
	u := uniform(seed, 4*n)
	for i := range u {
		if u[i] *= size; i%4 > 1 {
			u[i] = least + u[i]/size*(most-least)
		}
	}
	return u
}

// columns joins columns, each of which has that many values for each of n rows.
func columns(n int, values ...[]float64) []float32 {
	var all []float32
	for i := range n {
		for _, v := range values {
			width := len(v) / n
			for _, f := range v[i*width : (i+1)*width] {
				all = append(all, float32(f))
			}
		}
	}
	return all
}

func transposed[T any](data []T, rows int) []T {
	all, width := make([]T, len(data)), len(data)/rows
	for i, v := range data {
		all[i%width*rows+i/width] = v
	}
	return all
}

func tensor[T common.Elem](t testing.TB, data []T, shape ...int) *common.Tensor {
	t.Helper()
	made, err := common.FromSlice(data, shape...)
	require.NoError(t, err)
	return made
}

// golden is testdata/heads/heads.json.
type golden struct {
	NMS                            map[string][]int
	YOLOv8, YOLOv5, YOLOX, PicoDet [][]float32
	Masks                          []struct {
		Size, Used [2]int
		Box        [4]int
		Bits       string
	}
}

func readGolden(t *testing.T) (g golden) {
	text, err := os.ReadFile("testdata/heads/heads.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &g))
	return g
}

func requireFound(t *testing.T, want [][]float32, got []Detection, delta float64) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	for i, w := range want {
		g := got[i]
		require.Equal(t, int(w[5]), g.Class, "class of %d", i)
		require.InDeltaSlice(t, w[:5], []float32{g.Rect.Min.X, g.Rect.Min.Y, g.Rect.Max.X, g.Rect.Max.Y, g.Score}, delta, "box %d", i)
	}
}

func detect(t testing.TB, h Head, out Outputs, minScore float32) []Detection {
	t.Helper()
	found, err := h.Decode(nil, out, minScore)
	require.NoError(t, err)
	o := h.Suppression()
	o.Max = 1000
	return NMS(found, o)
}

func TestNMSGolden(t *testing.T) {
	g := readGolden(t)
	boxes, scores, classes := centers(1, 500, 400, 20, 150), uniform(2, 500), uniform(3, 500)
	for name, score := range map[string]func(float64) float64{
		"distinct of OpenCV":     func(s float64) float64 { return s + 0.1 },
		"ties of OpenCV":         func(s float64) float64 { return math.Floor(s*10) + 1 },
		"classes of supervision": func(s float64) float64 { return s },
	} {
		t.Run(name, func(t *testing.T) {
			var all []Detection
			for i, s := range scores {
				b := columns(1, boxes[4*i:4*i+4])
				all = append(all, Detection{Rect: CenterSize.rect([4]float32(b), Point{1, 1}), Score: float32(score(s)), Class: int(classes[i] * 5), Row: i})
			}
			var got []int
			for _, d := range NMS(all, NMSOptions{IoU: 0.5, Agnostic: name != "classes of supervision", Max: 1000}) {
				got = append(got, d.Row)
			}
			require.Equal(t, g.NMS[name], got)
		})
	}
}

func yolov8Output() []float32 {
	boxes := columns(8400, centers(10, 8400, 60, 80, 100))
	return append(transposed(boxes, 8400), columns(1, sparse(uniform(11, 80*8400), 300./(80*8400)))...)
}

var input640 = image.Pt(640, 640)

func TestYOLOGolden(t *testing.T) {
	g := readGolden(t)
	v8 := yolov8Output()
	for name, c := range map[string]struct {
		head *YOLO
		out  *common.Tensor
	}{
		"columns": {&YOLO{}, tensor(t, v8, 1, 84, 8400)},
		"rows":    {&YOLO{}, tensor(t, transposed(v8, 84), 1, 8400, 84)},
	} {
		t.Run(name, func(t *testing.T) {
			found := detect(t, c.head, Outputs{Tensors: []*common.Tensor{c.out}, Size: input640}, 0.25)
			requireFound(t, g.YOLOv8, found, 1e-4)
			for _, d := range found {
				require.Equal(t, v8[(4+d.Class)*8400+d.Row], d.Score)
			}
		})
	}
	t.Run("second of two, float16", func(t *testing.T) {
		two := make([]common.Half, 2*len(v8))
		common.FromFloat32(two[len(v8):], v8)
		common.ToFloat32(v8, two[len(v8):])
		exact, err := new(YOLO).Decode(nil, Outputs{Tensors: []*common.Tensor{tensor(t, v8, 84, 8400)}, Size: input640}, 0.25)
		require.NoError(t, err)
		require.NotEmpty(t, exact)
		out := Outputs{Tensors: []*common.Tensor{tensor(t, two, 2, 84, 8400)}, N: 1, Size: input640}
		found, err := new(YOLO).Decode(nil, out, 0.25)
		require.NoError(t, err)
		require.True(t, slices.EqualFunc(exact, found, func(a, b Detection) bool { return a.Rect == b.Rect && a.Score == b.Score && a.Class == b.Class }))
		out.N = 0
		found, err = new(YOLO).Decode(nil, out, 0.25)
		require.NoError(t, err)
		require.Empty(t, found)
	})
	v5 := columns(25200, centers(12, 25200, 200, 80, 120), sparse(uniform(13, 25200), 300./25200), uniform(14, 8*25200))
	t.Run("YOLOv5", func(t *testing.T) {
		out := Outputs{Tensors: []*common.Tensor{tensor(t, v5, 1, 25200, 13)}, Size: input640}
		requireFound(t, g.YOLOv5, detect(t, &YOLO{Form: YOLOv5}, out, 0.25), 1e-4)
	})
}

func TestYOLOXGolden(t *testing.T) {
	shift := func(u []float64, scale, add float64) []float64 {
		for i := range u {
			u[i] = u[i]*scale + add
		}
		return u
	}
	data := columns(3549, shift(uniform(20, 2*3549), 2, -0.5), shift(uniform(21, 2*3549), 3, -1), sparse(uniform(22, 3549), 0.2), uniform(23, 7*3549))
	out := Outputs{Tensors: []*common.Tensor{tensor(t, data, 1, 3549, 12)}, Size: image.Pt(416, 416)}
	requireFound(t, readGolden(t).YOLOX, detect(t, &Grids{Form: YOLOX, Strides: []int{8, 16, 32}, Scores: []int{0}, Boxes: []int{0}}, out, 0.3), 1e-3)
}

func TestPicoDetGolden(t *testing.T) {
	out := Outputs{Size: image.Pt(608, 800)}
	p := &Grids{Strides: []int{8, 16, 32, 64}, Scores: []int{0, 1, 2, 3}, Boxes: []int{4, 5, 6, 7}}
	var all []float32
	for i, n := range []int{7600, 1900, 475, 130} {
		u := sparse(uniform(uint64(30+i), 10*n), 0.004)
		for j := range n {
			row := u[10*j : 10*j+10]
			for k, most := 0, slices.Max(row); k < 10; k++ {
				if row[k] < most {
					row[k] = 0
				}
			}
		}
		scores := columns(n, u)
		distances := uniform(uint64(40+i), 32*n)
		for j := range distances {
			distances[j] = distances[j]*6 - 3
		}
		out.Tensors = slices.Insert(out.Tensors, i, tensor(t, scores, 1, n, 10))
		out.Tensors = append(out.Tensors, tensor(t, columns(n, distances), 1, n, 32))
		all = append(all, columns(n, u, distances)...)
	}
	clip := func(found []Detection) []Detection { // the reference clips to the input, and sorts equal scores by class
		for i := range found {
			found[i].Rect = found[i].Rect.Clip(out.Size)
		}
		slices.SortFunc(found, func(a, b Detection) int {
			return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Rect.Min.X, b.Rect.Min.X))
		})
		return found
	}
	want := readGolden(t).PicoDet
	requireFound(t, want, clip(detect(t, p, out, 0.25)), 1e-2)
	out.Tensors = []*common.Tensor{tensor(t, all, 1, len(all)/42, 42)}
	requireFound(t, want, clip(detect(t, &Grids{Strides: p.Strides, Scores: []int{0}, Boxes: []int{0}, Classes: 10}, out, 0.25)), 1e-2)
}

func TestMasksGolden(t *testing.T) {
	protos := columns(1, uniform(50, 8*40*40))
	weights := columns(1, uniform(51, 3*8))
	for _, v := range [][]float32{protos, weights} {
		for i := range v {
			v[i] -= 0.5
		}
	}
	y := &YOLO{Form: EndToEnd, Masks: 8, Protos: 1}
	for name, p := range map[string]*common.Tensor{
		"NCHW": tensor(t, protos, 1, 8, 40, 40),
		"NHWC": tensor(t, transposed(protos, 8), 1, 40, 40, 8),
	} {
		t.Run(name, func(t *testing.T) {
			for i, m := range readGolden(t).Masks {
				size := image.Pt(m.Size[0], m.Size[1])
				back := Affine{float32(size.X) / 160, 0, 0, 0, float32(size.Y) / float32(m.Used[1]-m.Used[0])}
				back[5] = -back[4] * float32(m.Used[0])
				box := back.Inverse().ApplyRect(Rect{Point{float32(m.Box[0]), float32(m.Box[1])}, Point{float32(m.Box[2]), float32(m.Box[3])}})
				row := append([]float32{box.Min.X - 0.01, box.Min.Y - 0.01, box.Max.X - 0.01, box.Max.Y - 0.01, 0.9, 1}, weights[i%3*8:][:8]...)
				out := Outputs{Tensors: []*common.Tensor{tensor(t, row, 1, 1, 14), p}, Size: image.Pt(160, 160)}
				found := detect(t, y, out, 0.25)
				require.Equal(t, 1, len(found))
				require.NoError(t, y.Finish(found, out, back, size))
				mask := found[0].Mask
				require.Equal(t, image.Rect(m.Box[0], m.Box[1], m.Box[2], m.Box[3]), mask.Rect)
				bits, err := hex.DecodeString(m.Bits)
				require.NoError(t, err)
				wrong, stride := 0, (mask.Rect.Dx()+7)/8
				for y := range mask.Rect.Dy() {
					for x := range mask.Rect.Dx() {
						if on := bits[y*stride+x/8]>>(7-x%8)&1 == 1; on != (mask.Pix[y*mask.Stride+x] == 255) {
							wrong++
						}
					}
				}
				require.LessOrEqual(t, wrong, mask.Rect.Dx()*mask.Rect.Dy()/2000, "mask %d", i)
			}
		})
	}
}
