// SPDX-License-Identifier: Apache-2.0

package overlay

import (
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
	"golang.org/x/image/font/opentype"
)

var update = flag.Bool("update", false, "write the pictures in testdata")

// background has bright, dark and coloured parts.
func background(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{uint8(255 * x / w), uint8(255 * y / h), uint8(128 * (x / 40 % 2)), 255})
		}
	}
	return m
}

func box(x0, y0, x1, y1 float32) vision.Rect {
	return vision.Rect{Min: vision.Point{X: x0, Y: y0}, Max: vision.Point{X: x1, Y: y1}}
}

func keyPoints(score float32, xy ...float32) (points []vision.KeyPoint) {
	for i := 0; i < len(xy); i += 2 {
		points = append(points, vision.KeyPoint{Point: vision.Point{X: xy[i], Y: xy[i+1]}, Score: score})
	}
	return points
}

// disk is a mask in r.
func disk(r image.Rectangle) *image.Alpha {
	m := image.NewAlpha(r)
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			dx, dy := 2*x+1-r.Min.X-r.Max.X, 2*y+1-r.Min.Y-r.Max.Y
			if dx*dx*r.Dy()*r.Dy()+dy*dy*r.Dx()*r.Dx() <= r.Dx()*r.Dx()*r.Dy()*r.Dy() {
				m.SetAlpha(x, y, color.Alpha{255})
			}
		}
	}
	return m
}

// found has one of everything, boxes that leave the picture among them.
var found = []vision.Detection{
	{Rect: box(20, 30, 120, 140), Score: 0.93, Class: 0, Label: "person", Points: keyPoints(1,
		60, 45, 64, 41, 56, 41, 70, 44, 50, 44, 80, 60, 40, 60, 90, 80, 30, 80, 95, 95, 25, 95, 72, 100, 48, 100, 74, 118, 46, 118, 75, 135, 45, 135)},
	{Rect: box(130, 60, 220, 200), Score: 0.8, Class: 1, Label: "Größe книга 猫", Mask: disk(image.Rect(130, 60, 220, 200))},
	{Rect: box(135, 62, 225, 150), Score: 0.75, Class: 2, Label: "猫"},
	{Rect: box(-50, -20, 60, 60), Score: 0.4, Class: 3, Label: "clock"},
	{Rect: box(240, 100, 290, 160), Score: 0.99, Class: 4, Label: "face", Points: keyPoints(1, 255, 120, 275, 120, 265, 132, 257, 145, 273, 145)},
	{Rect: box(250, 180, 400, 300), Score: 0.5, Class: 20, Label: "a label that is wider than the picture that it is all about, so that it is cut"},
	{Rect: box(100, 210, 104, 214), Score: 0.31, Class: 6, Label: "dot", Points: keyPoints(0.1, 102, 212)},
}

// moved returns copies of detections at other places.
func moved(found []vision.Detection, by image.Point) (all []vision.Detection) {
	p := func(p vision.Point) vision.Point { return vision.Point{X: p.X + float32(by.X), Y: p.Y + float32(by.Y)} }
	for _, d := range found {
		d.Rect = vision.Rect{Min: p(d.Rect.Min), Max: p(d.Rect.Max)}
		d.Points = slices.Clone(d.Points)
		for i := range d.Points {
			d.Points[i].Point = p(d.Points[i].Point)
		}
		if d.Mask != nil {
			d.Mask = disk(d.Mask.Rect.Add(by))
		}
		all = append(all, d)
	}
	return all
}

func stripes(w, h int, at image.Point) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, w, h).Add(at), nil)
	for y := range h {
		for x := range w {
			m.Pix[y*w+x] = uint8((x + y) * 4 / (w + h))
		}
	}
	return m
}

func TestGolden(t *testing.T) {
	labels := []string{"background", "sky", "grass", ""}
	medium, err := goMedium()
	require.NoError(t, err)
	red := image.NewUniform(color.RGBA{200, 30, 30, 255})
	for name, f := range map[string]func(dst draw.Image){
		"detections": func(dst draw.Image) { Draw(dst, moved(found, dst.Bounds().Min), nil) },
		"style": func(dst draw.Image) {
			Draw(dst, moved(found[:3], dst.Bounds().Min), &Style{Scale: 1.6, Font: medium})
		},
		"segments": func(dst draw.Image) { Segments(dst, stripes(320, 240, dst.Bounds().Min), labels, nil) },
		"smaller":  func(dst draw.Image) { Segments(dst, stripes(200, 100, dst.Bounds().Min), nil, nil) },
		"classes": func(dst draw.Image) {
			Classes(dst, []vision.Class{{Label: "tabby", Score: 0.62}, {Label: "猫", Score: 0.274}, {Index: 285, Score: 0.051}}, nil)
		},
		"cutout":  func(dst draw.Image) { Cutout(dst, disk(dst.Bounds()), nil) },
		"recolor": func(dst draw.Image) { Cutout(dst, disk(dst.Bounds()), red) },
	} {
		t.Run(name, func(t *testing.T) {
			got := background(320, 240)
			f(got)
			file := filepath.Join("testdata", name+".png")
			if *update {
				w, err := os.Create(file)
				require.NoError(t, err)
				require.NoError(t, png.Encode(w, got))
				require.NoError(t, w.Close())
			}
			r, err := os.Open(file)
			require.NoError(t, err)
			defer r.Close()
			want, err := png.Decode(r)
			require.NoError(t, err)
			require.Equal(t, want.Bounds(), got.Rect)
			tolerance := 0
			if runtime.GOARCH != "amd64" { // others round once in a multiplication with an addition
				tolerance = 3
			}
			for i, v := range Copy(want).Pix {
				require.InDelta(t, v, got.Pix[i], float64(tolerance), "at %d,%d", i%got.Stride/4, i/got.Stride)
			}
			// Places are in the coordinates of the picture, which is of any type.
			moved := image.NewNRGBA(image.Rect(-7, 100, 313, 340))
			draw.Draw(moved, moved.Rect, background(320, 240), image.Point{}, draw.Src)
			f(moved)
			for i := range got.Pix {
				require.InDelta(t, got.Pix[i], moved.Pix[i], 8) // parts of a pixel are rounded otherwise there
			}
		})
	}
}

// TestLabels checks that labels are in the picture and apart.
func TestLabels(t *testing.T) {
	c := newCanvas(background(400, 300), nil)
	for i := range 6 {
		r, ok := c.visible(box(float32(100+i), 100, 300, 200))
		require.True(t, ok)
		c.label(r, vision.Detection{Label: "person", Score: 0.5})
		for _, l := range c.labels[:i] {
			require.False(t, l.Overlaps(c.labels[i]))
		}
	}
	for _, r := range []vision.Rect{box(-100, -100, 5, 5), box(395, 295, 500, 500), box(-1e9, -1e9, 1e9, 1e9), box(0, 0, 400, 300)} {
		r, ok := c.visible(r)
		require.True(t, ok)
		c.label(r, vision.Detection{Label: "person", Score: 0.5})
		require.True(t, c.labels[len(c.labels)-1].In(image.Rect(0, 0, 400, 300)))
	}
	require.Equal(t, "caf é", c.readable(" caf\n猫é\x00 "))
	require.Equal(t, "Ж", c.short("Ж", c.width("Ж")))
	require.Less(t, c.width(c.short("a long label", 50)), 51)
	require.Empty(t, c.short("a long label", 3))
	require.Len(t, c.readable(strings.Repeat("x", 1e6)), 500)
}

// TestSmallBoxes checks that boxes narrower than their edges are filled.
func TestSmallBoxes(t *testing.T) {
	for _, r := range []vision.Rect{box(100, 100, 101, 101), box(100, 80, 101, 120), box(80, 100, 120, 101), box(100, 100, 102, 140)} {
		dst := background(200, 200)
		Draw(dst, []vision.Detection{{Rect: r, Class: 1}}, &Style{Scale: 2})
		require.Equal(t, colorOf(1), dst.RGBAAt(100, 100), "%v", r)
	}
}

func TestColors(t *testing.T) {
	luminance := func(c color.RGBA) float64 {
		v := 0.0
		for i, part := range []float64{0.2126, 0.7152, 0.0722} {
			s := float64([]uint8{c.R, c.G, c.B}[i]) / 255
			if s <= 0.04045 {
				v += part * s / 12.92
			} else {
				v += part * math.Pow((s+0.055)/1.055, 2.4)
			}
		}
		return v + 0.05
	}
	seen := map[color.RGBA]int{}
	for class := range len(palette) {
		c := colorOf(class)
		require.NotContains(t, seen, c, "class %d", class)
		seen[c] = class
		require.GreaterOrEqual(t, luminance(c)/0.05, 4.5, "black text on the colour of class %d", class) // WCAG's AA
	}
	require.Equal(t, colorOf(3), colorOf(15))
	require.Equal(t, colorOf(0), colorOf(-5))
}

// TestNonsense draws results that make no sense on pictures of all sizes.
func TestNonsense(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	r := rand.New(rand.NewPCG(1, 2))
	number := func() float32 {
		values := []float32{nan, inf, -inf, 0, -1, 1e-30, 1e30, -1e30, math.MaxFloat32, 40, 3.5, 1e9, float32(r.NormFloat64() * 100)}
		return values[r.IntN(len(values))]
	}
	integer := func() int {
		return []int{math.MinInt, -1, 0, 1, 5, 300, math.MaxInt32, math.MaxInt}[r.IntN(8)]
	}
	sizes := []image.Point{{}, {1, 1}, {1, 300}, {300, 1}, {3, 3}, {64, 48}, {30000, 2}}
	for i := range 600 {
		size := sizes[i%len(sizes)]
		dst := image.NewRGBA(image.Rectangle{Max: size}.Add(image.Pt(i, -i)))
		var found []vision.Detection
		for range r.IntN(4) {
			d := vision.Detection{Rect: box(number(), number(), number(), number()), Score: number(), Class: integer(), Label: []string{"", "x", "\xff\n", "猫"}[r.IntN(4)]}
			for range []int{0, 3, 5, 17}[r.IntN(4)] {
				d.Points = append(d.Points, vision.KeyPoint{Point: vision.Point{X: number(), Y: number()}, Score: number()})
			}
			if r.IntN(4) == 0 {
				d.Mask = disk(image.Rect(-5, -5, r.IntN(50), r.IntN(50)))
			}
			found = append(found, d)
		}
		style := &Style{Scale: number()}
		if r.IntN(3) == 0 {
			style = nil
		} else if r.IntN(5) == 0 {
			style.Font = &opentype.Font{}
		}
		Draw(dst, found, style)
		Segments(dst, stripes(r.IntN(20), r.IntN(20), image.Pt(i, -i)), []string{"a", "", "猫"}[:r.IntN(4)], style)
		Classes(dst, []vision.Class{{Label: "a", Score: number()}, {Index: integer(), Score: number()}}, style)
		Cutout(dst, disk(image.Rect(0, 0, r.IntN(9), r.IntN(9)).Add(image.Pt(i, -i))), []image.Image{nil, image.White}[i%2])
	}
	Draw(nil, found, nil)
	Segments(background(9, 9), nil, nil, nil)
	Cutout(background(9, 9), nil, nil)
	Classes(background(9, 9), nil, nil)
}

func BenchmarkDraw(b *testing.B) {
	dst := background(1920, 1080)
	many := make([]vision.Detection, 10)
	for i := range many {
		x, y := float32(i*150), float32(i*60)
		many[i] = vision.Detection{Rect: box(x, y, x+300, y+400), Score: 0.9, Class: i, Label: "person"}
	}
	for _, masks := range []bool{false, true} {
		b.Run(fmt.Sprintf("masks=%t", masks), func(b *testing.B) {
			for i := range many {
				if masks {
					many[i].Mask = disk(many[i].Rect.Image())
				}
			}
			for b.Loop() {
				Draw(dst, many, nil)
			}
		})
	}
}

func BenchmarkSegments(b *testing.B) {
	dst, m := background(1920, 1080), stripes(1920, 1080, image.Point{})
	for b.Loop() {
		Segments(dst, m, nil, nil)
	}
}

func BenchmarkCutout(b *testing.B) {
	dst, m := background(1920, 1080), disk(image.Rect(0, 0, 1920, 1080))
	for b.Loop() {
		Cutout(dst, m, image.White)
	}
}
