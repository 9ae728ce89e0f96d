// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

var ctx = context.Background()

// packaged returns the path of a file in the folder where the step photos of internal/ci unpacks
// packages.
func packaged(t testing.TB, name string) string {
	path := filepath.Join(os.Getenv("ANYINFER_TEST_PACKAGES"), name)
	if _, err := os.Stat(path); err != nil && os.Getenv("CI") != "" {
		t.Fatalf("ANYINFER_TEST_PACKAGES lacks a file: %v", err)
	} else if err != nil {
		t.Skipf("go run ./internal/ci photos brings what is not there: %v", err)
	}
	return path
}

// newReader returns a Reader with RapidOCR's models.
func newReader(t testing.TB, engine string, o *common.Options) *Reader {
	e, err := common.Open(engine, &common.Config{Logger: slog.New(slog.DiscardHandler)})
	if errors.Is(err, common.ErrNotAvailable) {
		t.Skipf("the engine is not there: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	load := func(name string) *common.Model {
		m, err := e.Load(ctx, common.File(packaged(t, "rapidocr_onnxruntime/models/"+name)), o)
		require.NoError(t, err)
		t.Cleanup(func() { m.Close() })
		return m
	}
	r := &Reader{}
	r.Detector, err = NewDetector(load("ch_PP-OCRv4_det_infer.onnx"))
	require.NoError(t, err)
	r.Direction, err = NewDirection(load("ch_ppocr_mobile_v2.0_cls_infer.onnx"))
	require.NoError(t, err)
	r.Recognizer, err = NewRecognizer(load("ch_PP-OCRv4_rec_infer.onnx"))
	require.NoError(t, err)
	return r
}

// found is a line that RapidOCR has read.
type found struct {
	Quad  [8]float64
	Text  string
	Score float64
}

// page returns a picture of gen_ocr.py. One of page.png is large: its pixels are 6 by 6.
func page(t testing.TB, name string) image.Image {
	if name == "large" {
		one := page(t, "page")
		m := image.NewGray(image.Rectangle{Max: one.Bounds().Size().Mul(6)})
		for y := range m.Rect.Dy() {
			for x := range m.Rect.Dx() {
				m.SetGray(x, y, color.GrayModel.Convert(one.At(x/6, y/6)).(color.Gray))
			}
		}
		return m
	}
	return picture(t, path(t, name))
}

// path returns the file of a page.
func path(t testing.TB, name string) string {
	switch name {
	case "receipt":
		return "../../testdata/receipt.png"
	case "page", "text":
		return packaged(t, "skimage/data/"+name+".png")
	}
	return goldens + name + ".png"
}

var pages = []string{"english", "chinese", "receipt", "tilted", "turned", "signs", "strip", "small", "page", "text", "large"}

// TestPages reads what RapidOCR reads, in the same order, on both engines. Of pictures whose size RapidOCR changes
// first, lines are cut from the picture itself here, so that only their places are the same.
func TestPages(t *testing.T) {
	for _, engine := range []string{"onnxruntime", "openvino"} {
		t.Run(engine, func(t *testing.T) {
			r := newReader(t, engine, nil)
			lines, same := 0, 0
			for _, name := range pages {
				img, want := page(t, name), expected[[]found](t, "pages.json", name)
				got, err := r.Read(ctx, img)
				require.NoError(t, err)
				far := 0.0
				for i, w := range want {
					if i >= len(got) {
						t.Errorf("%s: line %d of %d is missing: %q", name, i, len(want), w.Text)
						break
					}
					var corners [4]point
					for j, p := range got[i].Quad {
						corners[j] = point{float64(p.X), float64(p.Y)}
					}
					far = max(far, apart(w.Quad, corners))
					if got[i].Text != w.Text {
						t.Logf("%s: %q, want %q", name, got[i].Text, w.Text)
					}
					if name == "small" || name == "large" {
						continue
					}
					if lines++; got[i].Text == w.Text {
						same++
						require.InDelta(t, w.Score, got[i].Score, 0.1, "%s: %q", name, w.Text)
					}
				}
				t.Logf("%s: %d lines, corners up to %.2f pixels apart", name, len(want), far)
				if len(got) != len(want) || far > 3 {
					t.Errorf("%s: %d lines, want %d; %.2f pixels apart", name, len(got), len(want), far)
				}
			}
			t.Logf("%d of %d lines have the same text", same, lines)
			require.GreaterOrEqual(t, float64(same), 0.99*float64(lines))
		})
	}
}

// A part of a picture is read where it is, and a Recognizer reads a line alone, upside down too.
func TestParts(t *testing.T) {
	r := newReader(t, "onnxruntime", nil)
	img := page(t, "receipt").(*image.Gray)
	part := img.SubImage(image.Rect(0, 10, 420, 200))
	lines, err := r.Read(ctx, part)
	require.NoError(t, err)
	require.NotEmpty(t, lines)
	for _, l := range lines {
		require.True(t, l.Quad.Bounds().Image().In(part.Bounds()), "%v", l.Quad)
	}
	q := lines[0].Quad.Bounds().Image()
	line := img.SubImage(q)
	text, err := r.Recognizer.Recognize(ctx, line)
	require.NoError(t, err)
	require.Equal(t, lines[0].Text, text.Text)
	turned := image.NewNRGBA(image.Rect(0, 0, q.Dx(), q.Dy()))
	for y := range q.Dy() {
		for x := range q.Dx() {
			turned.Set(q.Dx()-1-x, q.Dy()-1-y, line.At(q.Min.X+x, q.Min.Y+y))
		}
	}
	for img, want := range map[image.Image]bool{line: false, turned: true} {
		got, err := r.Direction.UpsideDown(ctx, img)
		require.NoError(t, err)
		require.Equal(t, want, got)
		alone, err := (&Reader{Direction: r.Direction, Recognizer: r.Recognizer}).Read(ctx, img)
		require.NoError(t, err)
		require.Len(t, alone, 1)
		require.Equal(t, lines[0].Text, alone[0].Text)
		require.Equal(t, img.Bounds(), alone[0].Quad.Bounds().Image())
	}
}

// BenchmarkRead reads a page on onnxruntime, on one thread, in turns with RapidOCR in Python if that is there.
func BenchmarkRead(b *testing.B) {
	for _, name := range []string{"english", "receipt", "tilted"} {
		b.Run(name, func(b *testing.B) {
			r := newReader(b, "onnxruntime", &common.Options{Threads: 1})
			img := page(b, name)
			cmd := exec.Command(cmp.Or(os.Getenv("ANYINFER_TEST_PYTHON"), "python3"), "../testdata/bench_ocr.py", path(b, name))
			stdin, err := cmd.StdinPipe()
			require.NoError(b, err)
			stdout, err := cmd.StdoutPipe()
			require.NoError(b, err)
			require.NoError(b, cmd.Start())
			defer cmd.Wait()
			defer stdin.Close()
			in := bufio.NewReader(stdout)
			var ours, theirs []float64
			for b.Loop() {
				start := time.Now()
				_, err := r.Read(ctx, img)
				require.NoError(b, err)
				ours = append(ours, time.Since(start).Seconds())
				var ns float64
				fmt.Fprintln(stdin, 1)
				if _, err := fmt.Fscanln(in, &ns); err == nil {
					theirs = append(theirs, ns/1e9)
				}
			}
			slices.Sort(ours)
			b.ReportMetric(1e3*ours[len(ours)/10], "p10-ms")
			if len(theirs) > 0 { // else Python lacks the packages of testdata/requirements-ocr.txt
				slices.Sort(theirs)
				b.ReportMetric(ours[len(ours)/10]/theirs[len(theirs)/10], "x-rapidocr")
			}
		})
	}
}

// model returns a model of shapes that run makes outputs of; -1 is any size.
func model(t testing.TB, in, out common.Shape, run func(in, out *common.Tensor)) *common.Model {
	info := func(name string, s common.Shape) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: s}}
	}
	m := fake.NewModel(common.Signature{Inputs: info("x", in), Outputs: info("y", out)}, nil, func(_ context.Context, ts common.Tensors) (common.Tensors, error) {
		s := slices.Clone(out)
		for i, d := range s {
			if d < 0 {
				s[i] = ts["x"].Shape()[i]
			}
		}
		y, err := common.NewTensor(common.Float32, s...)
		if err == nil {
			run(ts["x"], y)
		}
		return common.Tensors{"y": y}, err
	})
	t.Cleanup(func() { m.Close() })
	return m
}

func texts(lines []Line) (all []string) {
	for _, l := range lines {
		all = append(all, fmt.Sprintf("%s %.1f", l.Text, l.Score))
	}
	return all
}

// What is right of a short line is zero, and lines of similar width are one batch.
func TestBatches(t *testing.T) {
	var shapes []common.Shape
	m := model(t, common.Shape{-1, 3, 48, -1}, common.Shape{-1, 4, 3}, func(in, out *common.Tensor) {
		shapes = append(shapes, in.Shape())
		data, _ := common.Data[float32](in)
		scores, _ := common.Data[float32](out)
		s := in.Shape()
		for n := range s[0] {
			used := 0
			for i, v := range data[n*s[1:].Elems():][:s[3]] {
				if v != 0 {
					used = i + 1
				}
			}
			for step := range 4 { // as many characters as there are hundreds of pixels
				class := 0
				if step < used/100 {
					class = 1 + step%2
				}
				scores[(n*4+step)*3+class] = 1
			}
		}
	})
	r, err := NewRecognizer(m)
	require.NoError(t, err)
	_, err = r.Recognize(ctx, image.NewGray(image.Rect(0, 0, 9, 9)))
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "ReadCharacters")
	r.Characters, r.Batch = []string{"a", "b"}, 2
	var imgs []image.Image
	for _, w := range []int{390, 150, 33, 210} {
		imgs = append(imgs, image.NewGray(image.Rect(0, 0, w, 48)))
	}
	got, err := r.RecognizeAll(ctx, imgs)
	require.NoError(t, err)
	require.Equal(t, []string{"aba 1.0", "a 1.0", " 0.0", "ab 1.0"}, texts(got))
	require.Equal(t, image.Rect(0, 0, 150, 48), got[1].Quad.Bounds().Image())
	require.Equal(t, []common.Shape{{2, 3, 48, 320}, {2, 3, 48, 390}}, shapes)
	r.Characters = []string{"a", "b", "c"}
	_, err = r.RecognizeAll(ctx, imgs)
	require.ErrorIs(t, err, common.ErrShape)

	// Steps come before lines.
	first := model(t, common.Shape{2, 1, 32, 100}, common.Shape{3, 2, 3}, func(_, out *common.Tensor) {
		scores, _ := common.Data[float32](out)
		for step := range 3 {
			for n := range 2 {
				scores[(step*2+n)*3+[2][3]int{{1, 0, 1}, {2, 2, 1}}[n][step]] = 0.5
			}
		}
	})
	r, err = NewRecognizer(first)
	require.NoError(t, err)
	r.Characters = []string{"a", "b"}
	got, err = r.RecognizeAll(ctx, imgs[:2])
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"aa 0.5", "ba 0.5"}, texts(got))
}

// An output's shape may depend on more than the input's, and a model may be replaced between lines.
func TestShapesAndReplacement(t *testing.T) {
	load := func(char int) *common.Model {
		steps := 0
		out := common.Shape{1, -1, 3}
		info := func(s common.Shape) []common.TensorInfo {
			return []common.TensorInfo{{Name: "x", DType: common.Float32, Shape: s}}
		}
		return fake.NewModel(common.Signature{Inputs: info(common.Shape{1, 3, 48, 320}), Outputs: info(out)}, nil, func(context.Context, common.Tensors) (common.Tensors, error) {
			steps++
			y, err := common.NewTensor(common.Float32, 1, 2*steps, 3)
			if err == nil {
				scores, _ := common.Data[float32](y)
				for i := range 2 * steps {
					scores[3*i+char*(i&1)] = 1
				}
			}
			return common.Tensors{"x": y}, err
		})
	}
	var m common.LiveModel
	require.NoError(t, m.Replace(ctx, load(1)))
	r, err := NewRecognizer(&m)
	require.NoError(t, err)
	r.Characters = []string{"a", "b"}
	longest := 0 // each Run has more steps; how many Runs there are depends on what the pool of frames keeps
	for i, want := range "aaabb" {
		if i == 3 {
			require.NoError(t, m.Replace(ctx, load(2)))
			longest = 0
		}
		got, err := r.Recognize(ctx, image.NewGray(image.Rect(0, 0, 99, 48)))
		require.NoError(t, err)
		require.Greater(t, len(got.Text), longest)
		longest = len(got.Text)
		require.Equal(t, strings.Repeat(string(want), longest), got.Text)
	}
	require.NoError(t, m.Shutdown(ctx))
}

// Models of other kinds are refused, and so are pictures without pixels.
func TestRefused(t *testing.T) {
	none := func(_, _ *common.Tensor) {}
	detector, classifier := model(t, common.Shape{-1, 3, -1, -1}, common.Shape{-1, 1, -1, -1}, none), model(t, common.Shape{1, 3, 48, 192}, common.Shape{1, 5}, none)
	_, err := NewRecognizer(detector)
	require.ErrorIs(t, err, common.ErrModel)
	_, err = NewDetector(classifier)
	require.ErrorIs(t, err, common.ErrModel)
	_, err = NewDirection(classifier)
	require.ErrorContains(t, err, "two numbers")
	_, err = NewDetector((*common.Model)(nil))
	require.ErrorIs(t, err, common.ErrModel)
	d, err := NewDetector(detector)
	require.NoError(t, err)
	for _, img := range []image.Image{nil, (*image.RGBA)(nil), image.NewGray(image.Rectangle{})} {
		_, err = (&Reader{Detector: d}).Read(ctx, img)
		require.ErrorIs(t, err, common.ErrInput)
		_, err = d.Detect(ctx, img)
		require.ErrorIs(t, err, common.ErrInput)
	}
	lines, err := d.Detect(ctx, image.NewGray(image.Rect(0, 0, 40, 40)))
	require.NoError(t, err)
	require.Empty(t, lines)
}

// Any picture can be read, whatever the model says.
func FuzzRead(f *testing.F) {
	f.Add(uint16(40), uint16(30), []byte{255, 3, 0, 90})
	f.Fuzz(func(t *testing.T, w, h uint16, data []byte) {
		if len(data) == 0 {
			return
		}
		noise := func(_, out *common.Tensor) {
			numbers, _ := common.Data[float32](out)
			for i := range numbers {
				if numbers[i] = float32(data[i*7%len(data)]) / 128; data[i%len(data)] == 9 {
					numbers[i] = float32(math.NaN())
				}
			}
		}
		d, err := NewDetector(model(t, common.Shape{1, 3, 64, 96}, common.Shape{1, 1, 64, 96}, noise))
		require.NoError(t, err)
		dir, err := NewDirection(model(t, common.Shape{-1, 3, 48, 192}, common.Shape{-1, 2}, noise))
		require.NoError(t, err)
		rec, err := NewRecognizer(model(t, common.Shape{2, 3, 32, 64}, common.Shape{2, 8, 4}, noise))
		require.NoError(t, err)
		rec.Characters = []string{"x", "y"}
		img := image.NewYCbCr(image.Rect(5, 3, int(w%3000)+6, int(h%3000)+4), image.YCbCrSubsampleRatio420)
		lines, err := (&Reader{Detector: d, Direction: dir, Recognizer: rec, MinScore: 0.01}).Read(ctx, img)
		require.NoError(t, err)
		for _, l := range lines {
			r := l.Quad.Bounds()
			all := vision.Rect{Min: vision.Point{X: 5, Y: 3}, Max: vision.Point{X: float32(img.Rect.Max.X), Y: float32(img.Rect.Max.Y)}}
			require.Equal(t, r, r.Intersect(all))
		}
	})
}
