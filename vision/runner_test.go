// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"image"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

// TestReplicate checks the colors of points outside of a picture.
func TestReplicate(t *testing.T) {
	img := &image.Gray{Pix: []uint8{10, 20, 30, 40}, Stride: 2, Rect: image.Rect(0, 0, 2, 2)}
	for replicate, want := range map[bool][]uint8{
		false: {0, 0, 0, 0, 0, 10, 20, 0, 0, 30, 40, 0, 0, 0, 0, 0},
		true:  {10, 10, 20, 20, 10, 10, 20, 20, 30, 30, 40, 40, 30, 30, 40, 40},
	} {
		dst := newTensor(t, common.Uint8, 1, 1, 4, 4)
		in := vision.Input{Replicate: replicate}
		require.NoError(t, in.FillWarped(dst, nil, 0, img, vision.Affine{1, 0, 1, 0, 1, 1}))
		got, err := common.Data[uint8](dst)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

// TestLine checks that what is right of a line of text is 0, but Pad in quantized inputs.
func TestLine(t *testing.T) {
	img := &image.Gray{Pix: []uint8{10, 20, 30, 40}, Stride: 2, Rect: image.Rect(0, 0, 2, 2)}
	in := vision.Input{Fit: vision.LetterboxLine, Pad: 9, Mean: [3]float32{1, 1, 1}}
	for layout, shape := range map[vision.Layout]common.Shape{vision.NCHW: {2, 1, 2, 4}, vision.NHWC: {2, 2, 4, 3}} {
		in.Layout = layout
		dst := newTensor(t, common.Float32, shape...)
		data, err := common.Data[float32](dst)
		require.NoError(t, err)
		for i := range data {
			data[i] = 7
		}
		_, err = in.Fill(dst, nil, 1, img)
		require.NoError(t, err)
		for i, v := range data {
			want := []float32{7, 7, 7, 7, 7, 7, 7, 7, 9, 19, 0, 0, 29, 39, 0, 0}[i*16/len(data)]
			require.Equal(t, want, v, "%v %d", shape, i)
		}
		dst = newTensor(t, common.Uint8, shape...)
		_, err = in.Fill(dst, &common.Quantization{Scale: []float32{1}, ZeroPoint: []int64{0}}, 1, img)
		require.NoError(t, err)
		quantized, err := common.Data[uint8](dst)
		require.NoError(t, err)
		require.Equal(t, []uint8{8, 8}, []uint8{quantized[10*len(data)/16], quantized[15*len(data)/16]})
	}
}
