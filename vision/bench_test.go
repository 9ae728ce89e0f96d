// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"image"
	"image/color"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

func noise(b []byte) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func BenchmarkFill(b *testing.B) {
	r := image.Rect(0, 0, 1920, 1080)
	rgba, ycc, gray, nrgba := image.NewRGBA(r), image.NewYCbCr(r, image.YCbCrSubsampleRatio420), image.NewGray(r), image.NewNRGBA(r)
	for _, p := range [][]byte{rgba.Pix, ycc.Y, ycc.Cb, ycc.Cr, gray.Pix, nrgba.Pix} {
		noise(p)
	}
	photo := image.NewYCbCr(r, image.YCbCrSubsampleRatio420)
	for y := range 1080 {
		for x := range 1920 {
			c := color.YCbCrModel.Convert(color.RGBA{uint8(x / 8), uint8(y / 5), uint8((x + y) / 12), 255}).(color.YCbCr)
			photo.Y[photo.YOffset(x, y)], photo.Cb[photo.COffset(x, y)], photo.Cr[photo.COffset(x, y)] = c.Y, c.Cb, c.Cr
		}
	}
	for _, c := range []struct {
		name   string
		img    image.Image
		filter vision.Filter
	}{{"RGBA", rgba, vision.Linear}, {"NRGBA", nrgba, vision.Linear}, {"YCbCr", ycc, vision.Linear}, {"Gray", gray, vision.Linear},
		{"photo", photo, vision.Linear}, {"RGBA/smooth", rgba, vision.Smooth}, {"YCbCr/smooth", ycc, vision.Smooth}, {"RGBA/cubic", rgba, vision.SmoothCubic}} {
		b.Run(c.name, func(b *testing.B) {
			dst, err := common.NewTensor(common.Float32, 1, 3, 640, 640)
			require.NoError(b, err)
			in := vision.Input{Fit: vision.Letterbox, Filter: c.filter, Pad: 114, Std: [3]float32{255, 255, 255}}
			b.ReportAllocs()
			var u0, u1 syscall.Rusage
			syscall.Getrusage(syscall.RUSAGE_SELF, &u0)
			for b.Loop() {
				_, err := in.Fill(dst, nil, 0, c.img)
				require.NoError(b, err)
			}
			syscall.Getrusage(syscall.RUSAGE_SELF, &u1)
			b.ReportMetric(float64(u1.Utime.Nano()-u0.Utime.Nano())/1e6/float64(b.N), "cpu-ms/op")
		})
	}
}
