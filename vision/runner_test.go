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
