// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/anyinfer/anyinfer/vision/turbojpeg"
	"github.com/stretchr/testify/require"
)

// opencv does in Python what BenchmarkFill does: the same size, border and tensor, on one thread. It reads a number
// from each line, and writes as many times.
const opencv = `
import sys, time
import cv2, numpy as np
cv2.setNumThreads(1)
photo = np.random.default_rng(1).integers(0, 256, (1080, 1920, 3), np.uint8)
for line in sys.stdin:
    for _ in range(int(line)):
        start = time.perf_counter_ns()
        small = cv2.resize(photo, (640, 360), interpolation=cv2.INTER_LINEAR)
        small = cv2.copyMakeBorder(small, 140, 140, 0, 0, cv2.BORDER_CONSTANT, value=(114, 114, 114))
        cv2.dnn.blobFromImage(small, 1 / 255, swapRB=True)
        print(time.perf_counter_ns() - start, flush=True)
`

// BenchmarkFill makes a letterboxed input of 640 x 640 from a picture of 1920 x 1080, in turns with OpenCV in Python
// if there is such. It reports the ratio of both at the 10th percentile.
func BenchmarkFill(b *testing.B) {
	r := image.Rect(0, 0, 1920, 1080)
	rgba, nrgba, gray, ycc := image.NewRGBA(r), image.NewNRGBA(r), image.NewGray(r), image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	for y := range 1080 {
		for x := range 1920 {
			c := color.RGBA{uint8(x / 8), uint8(y / 5), uint8((x + y) / 12), 255}
			rgba.SetRGBA(x, y, c)
			nrgba.SetNRGBA(x, y, color.NRGBA{c.R, c.G, c.B, uint8(x ^ y)})
			gray.SetGray(x, y, color.Gray{Y: c.B})
			i := ycc.COffset(x, y)
			ycc.Y[ycc.YOffset(x, y)], ycc.Cb[i], ycc.Cr[i] = color.RGBToYCbCr(c.R, c.G, c.B)
		}
	}
	odd := image.Rect(0, 0, 1917, 1079) // where points of the input are not just centres of pixels
	for _, c := range []struct {
		name   string
		img    image.Image
		filter vision.Filter
	}{{"RGBA", rgba, vision.Linear}, {"NRGBA", nrgba, vision.Linear}, {"YCbCr", ycc, vision.Linear}, {"Gray", gray, vision.Linear},
		{"RGBA/odd", rgba.SubImage(odd), vision.Linear}, {"YCbCr/odd", ycc.SubImage(odd), vision.Linear}, {"RGBA/smooth", rgba, vision.Smooth}, {"YCbCr/smooth", ycc, vision.Smooth}, {"RGBA/cubic", rgba, vision.SmoothCubic}} {
		b.Run(c.name, func(b *testing.B) {
			dst := newTensor(b, common.Float32, 1, 3, 640, 640)
			in := vision.Input{Fit: vision.Letterbox, Filter: c.filter, Pad: 114, Std: [3]float32{255, 255, 255}}
			var ours, theirs []time.Duration
			python := startPython(b, "-c", opencv)
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				_, err := in.Fill(dst, nil, 0, c.img)
				ours = append(ours, time.Since(start))
				require.NoError(b, err)
				if n := len(ours); n%10 == 0 && python != nil {
					theirs = append(theirs, python(10)...)
				}
			}
			reportRatio(b, ours, theirs)
		})
	}
}

// reportRatio reports the 10th percentile of our times, and its ratio to that of OpenCV's.
func reportRatio(b *testing.B, ours, theirs []time.Duration) {
	slices.Sort(ours)
	low := ours[len(ours)/10]
	b.ReportMetric(float64(low.Microseconds())/1000, "p10-ms")
	if len(theirs) > 0 {
		slices.Sort(theirs)
		b.ReportMetric(float64(low)/float64(theirs[len(theirs)/10]), "x-opencv")
	}
}

// startPython returns a function that returns as many times of a program in Python, or nil if a package is missing.
func startPython(b *testing.B, program ...string) func(n int) []time.Duration {
	cmd := exec.Command(cmp.Or(os.Getenv("ANYINFER_TEST_PYTHON"), "python3"), program...)
	stdin, err := cmd.StdinPipe()
	require.NoError(b, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(b, err)
	if err := cmd.Start(); err != nil {
		b.Logf("no comparison with OpenCV: %v", err)
		return nil
	}
	b.Cleanup(func() { stdin.Close(); cmd.Wait() })
	lines := bufio.NewReader(stdout)
	run := func(n int) (times []time.Duration) {
		io.WriteString(stdin, fmt.Sprintln(n))
		for range n {
			line, err := lines.ReadString('\n')
			d, err2 := time.ParseDuration(strings.TrimSpace(line) + "ns")
			if err != nil || err2 != nil {
				return nil
			}
			times = append(times, d)
		}
		return times
	}
	if run(3) == nil {
		b.Log("no comparison with OpenCV: Python lacks the packages of testdata/requirements.txt")
		return nil
	}
	return run
}

func BenchmarkFillWarped(b *testing.B) {
	img := image.NewYCbCr(image.Rect(0, 0, 1920, 1080), image.YCbCrSubsampleRatio420)
	dst := newTensor(b, common.Float32, 1, 3, 112, 112)
	for b.Loop() {
		require.NoError(b, (&vision.Input{}).FillWarped(dst, nil, 0, img, vision.Affine{0.3, 0.1, -50, -0.1, 0.3, -60}))
	}
}

// BenchmarkPhoto finds boxes in JPEG files with YOLOX on onnxruntime, on one thread, in turns with OpenCV and ONNX
// Runtime in Python if there are such.
func BenchmarkPhoto(b *testing.B) {
	decoders := map[string]func(io.Reader, *vision.Detector) (image.Image, error){
		"image": func(r io.Reader, _ *vision.Detector) (image.Image, error) {
			img, _, err := vision.Decode(r)
			return img, err
		},
		"turbojpeg": func(r io.Reader, _ *vision.Detector) (image.Image, error) {
			img, _, err := turbojpeg.Decode(r, nil)
			return img, err
		},
		"turbojpeg scaled": func(r io.Reader, d *vision.Detector) (image.Image, error) {
			img, _, err := turbojpeg.Decode(r, &turbojpeg.Options{Size: d.Input.Size, Fit: d.Input.Fit})
			return img, err
		},
	}
	for _, c := range [][3]string{{"common_det.onnx", "rocket.jpg", "raw"}, {"common_det.onnx", "retina.jpg", "raw"}, {"yolox_nano.onnx", "tiger_cat.jpg", "normalized"}, {"yolox_nano.onnx", "faces.jpg", "normalized"}} {
		for _, decoder := range slices.Sorted(maps.Keys(decoders)) {
			b.Run(c[0]+"/"+c[1]+"/"+decoder, func(b *testing.B) {
				path, photo := public(b, c[0]), public(b, c[1])
				engine, err := common.Open("onnxruntime", nil)
				if errors.Is(err, common.ErrNotAvailable) {
					b.Skip(err)
				}
				require.NoError(b, err)
				defer engine.Close()
				model, err := engine.Load(ctx, common.File(path), &common.Options{Threads: 1})
				require.NoError(b, err)
				defer model.Close()
				detector, err := vision.NewDetector(model)
				require.NoError(b, err)
				python := startPython(b, "testdata/bench_photo.py", path, photo, c[2])
				var ours, theirs []time.Duration
				b.ReportAllocs()
				for b.Loop() {
					start := time.Now()
					file, err := os.Open(photo)
					require.NoError(b, err)
					img, err := decoders[decoder](file, detector)
					file.Close()
					if errors.Is(err, common.ErrNotAvailable) {
						b.Skip(err)
					}
					require.NoError(b, err)
					_, err = detector.Detect(ctx, img)
					ours = append(ours, time.Since(start))
					require.NoError(b, err)
					if python != nil {
						theirs = append(theirs, python(1)...)
					}
				}
				reportRatio(b, ours, theirs)
			})
		}
	}
}
