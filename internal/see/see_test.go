// SPDX-License-Identifier: Apache-2.0

package see

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

// TestAdvice: errors say what a user of the command can do, not what a program can.
func TestAdvice(t *testing.T) {
	info := func(name string, shape ...int) []common.TensorInfo {
		return []common.TensorInfo{{Name: name, DType: common.Float32, Shape: shape}}
	}
	// A model of YOLO for pictures of any size, and one that is not known.
	sig := common.Signature{Inputs: info("x", 1, 3, -1, -1), Outputs: info("y", 1, 84, -1)}
	m := fake.NewModel(sig, nil, func(context.Context, common.Tensors) (common.Tensors, error) { return nil, nil })
	defer m.Close()
	f, err := New(m, "fake", "any", 0, nil)
	require.NoError(t, err)
	_, any := f.Find(context.Background(), "x.png", image.NewGray(image.Rect(0, 0, 9, 9)))
	sig.Outputs = info("y", 1, 2, 3)
	m = fake.NewModel(sig, nil, nil)
	defer m.Close()
	_, unknown := New(m, "fake", "unknown", 0, nil)

	defer func(n int) { vision.MaxPixels = n }(vision.MaxPixels)
	vision.MaxPixels = 8
	var file bytes.Buffer
	require.NoError(t, png.Encode(&file, image.NewGray(image.Rect(0, 0, 3, 3))))
	_, large := Decode(&file)
	for want, err := range map[string]error{"export it": any, "docs/vision/README.md": unknown, "make the picture smaller": large} {
		require.ErrorContains(t, err, want)
		require.NotRegexp(t, `vision\.|Input|field|MaxPixels`, err.Error())
	}
}
