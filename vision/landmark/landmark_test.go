// SPDX-License-Identifier: Apache-2.0

package landmark

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/draw"
	_ "image/png"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
	"github.com/stretchr/testify/require"
)

// The models and the astronaut are in the folder ANYINFER_TEST_PACKAGES, as for the tests of
// package vision. ../testdata/gen_mediapipe.py makes the expected results.

func packaged(t testing.TB, path string) string {
	path = filepath.Join(os.Getenv("ANYINFER_TEST_PACKAGES"), path)
	if _, err := os.Stat(path); err != nil && os.Getenv("CI") != "" {
		t.Fatalf("ANYINFER_TEST_PACKAGES lacks a file: %v", err)
	} else if err != nil {
		t.Skipf("go run ./internal/ci photos brings what is not there: %v", err)
	}
	return path
}

func photo(t testing.TB, path string) *image.RGBA {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	img, _, err := image.Decode(f)
	require.NoError(t, err)
	return part(img, img.Bounds())
}

// part returns a copy of a part of a picture that begins at 0,0.
func part(img image.Image, r image.Rectangle) *image.RGBA {
	m := image.NewRGBA(image.Rectangle{Max: r.Size()})
	draw.Draw(m, m.Rect, img, r.Min, draw.Src)
	return m
}

// tasks have the models and pictures of MediaPipe's tasks.
var tasks = map[string]struct {
	models   [2]string
	pictures []string
	most     int
	pixels   float64 // how far points may be from MediaPipe's
}{
	"hands": {[2]string{"palm_detection/palm_detection_full", "hand_landmark/hand_landmark_full"}, []string{"hands"}, 2, 0.5},
	"pose":  {[2]string{"pose_detection/pose_detection", "pose_landmark/pose_landmark_full"}, []string{"astronaut", "part"}, 1, 1},
	"mesh":  {[2]string{"face_detection/face_detection_short_range", "face_landmark/face_landmark"}, []string{"astronaut", "part"}, 2, 0.2},
}

func picture(t testing.TB, name string) *image.RGBA {
	switch name {
	case "hands":
		return photo(t, "../testdata/mediapipe/hands.png")
	case "part":
		return part(picture(t, "astronaut"), image.Rect(60, 0, 401, 300))
	}
	return photo(t, packaged(t, "skimage/data/astronaut.png"))
}

// onEngines runs a test with a Finder on each of the engines that are there.
func onEngines(t *testing.T, models [2]string, run func(t *testing.T, f *Finder)) {
	for _, name := range common.Engines() {
		if !slices.Contains(common.Formats(name), "tflite") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			e, err := common.Open(name, &common.Config{Logger: slog.New(slog.DiscardHandler)})
			if errors.Is(err, common.ErrNotAvailable) {
				t.Skipf("the engine is not there: %v", err)
			}
			require.NoError(t, err)
			defer e.Close()
			var loaded [2]*common.Model
			for i, model := range models {
				loaded[i], err = e.Load(t.Context(), common.File(packaged(t, "mediapipe/modules/"+model+".tflite")), nil)
				require.NoError(t, err)
				defer loaded[i].Close()
			}
			f, err := NewFinder(loaded[0], loaded[1])
			require.NoError(t, err)
			run(t, f)
		})
	}
}

type expected struct {
	Points, Z, Visibility []float32
	Label                 string
	Score                 float32
}

var golden = map[string][]expected{}

func init() {
	data, err := os.ReadFile("../testdata/mediapipe/landmarks.json")
	if err == nil {
		err = json.Unmarshal(data, &golden)
	}
	if err != nil {
		panic(err)
	}
}

// requireLandmarks compares what was found, and returns the largest distance of points that are
// at least that visible.
func requireLandmarks(t *testing.T, want []expected, got []Landmarks, pixels float64, visible float32) (most float64) {
	require.NotEmpty(t, want)
	require.Len(t, got, len(want))
	for i, w := range want {
		points := got[i].Detection.Points
		require.Len(t, points, len(w.Points)/2)
		for j, p := range points {
			if p.Score < visible {
				continue
			}
			d := math.Hypot(float64(p.X-w.Points[2*j]), float64(p.Y-w.Points[2*j+1]))
			if w.Z != nil {
				d = max(d, math.Abs(float64(w.Z[j]-got[i].Depths[j])))
			}
			require.LessOrEqual(t, d, pixels, "point %d of %d", j, i)
			if most = max(most, d); w.Visibility != nil {
				require.InDelta(t, w.Visibility[j], p.Score, 0.005)
			}
		}
		switch w.Label { // of a mirror image
		case "Left":
			require.Equal(t, "right hand", got[i].Detection.Label)
			require.InDelta(t, w.Score, got[i].Right, 0.002)
		case "Right":
			require.Equal(t, "left hand", got[i].Detection.Label)
			require.InDelta(t, w.Score, 1-got[i].Right, 0.002)
		}
	}
	return most
}

func TestMediaPipe(t *testing.T) {
	for name, task := range tasks {
		t.Run(name, func(t *testing.T) {
			onEngines(t, task.models, func(t *testing.T, f *Finder) {
				for _, p := range task.pictures {
					got, err := f.Find(t.Context(), picture(t, p))
					require.NoError(t, err)
					t.Logf("%s: %.4f pixels", p, requireLandmarks(t, golden[name+" "+p], got, task.pixels, 0))
				}
			})
		})
	}
}

// TestMediaPipeVideo checks regions that come from the last frame, and smoothing. Where a body is
// hidden, the least difference of a heatmap moves its points, and all later ones.
func TestMediaPipeVideo(t *testing.T) {
	for name, task := range tasks {
		t.Run(name, func(t *testing.T) {
			done := false
			onEngines(t, task.models, func(t *testing.T, f *Finder) {
				if done {
					return // it is the same on all engines
				}
				done, f.Max = true, task.most
				tracker, visible := &Tracker{Finder: f}, float32(0)
				if name == "pose" {
					tracker.Smoothing, visible = &Smoothing{}, 0.98
				}
				whole := picture(t, task.pictures[0])
				size := whole.Rect.Size().Sub(image.Pt(30, 20))
				for i := range 5 {
					from := image.Pt(7*i, 4*i)
					frame := part(whole, image.Rectangle{from, from.Add(size)})
					got, err := tracker.Next(t.Context(), frame, time.Duration(i)*33333*time.Microsecond)
					require.NoError(t, err)
					t.Logf("%.4f pixels", requireLandmarks(t, golden[fmt.Sprint(name, " video ", i)], got, 3*task.pixels, visible))
				}
			})
		})
	}
}

func BenchmarkFind(b *testing.B) {
	for name, task := range tasks {
		b.Run(name, func(b *testing.B) {
			var loaded [2]*common.Model
			for i, model := range task.models {
				m, err := common.Load(b.Context(), common.File(packaged(b, "mediapipe/modules/"+model+".tflite")), &common.Options{Threads: 1})
				require.NoError(b, err)
				defer m.Close()
				loaded[i] = m
			}
			f, err := NewFinder(loaded[0], loaded[1])
			require.NoError(b, err)
			img := picture(b, task.pictures[0])
			for b.Loop() {
				_, err = f.Find(b.Context(), img)
				require.NoError(b, err)
			}
		})
	}
}
