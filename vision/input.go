// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"

	"github.com/anyinfer/anyinfer/common"
)

// Input says how a picture becomes a model's input. Exactly which of these ways a
// model was trained with decides how good its results are.
type Input struct {
	Size      image.Point // of the model's input; zero: as the signature has it
	Fit       Fit
	Filter    Filter
	Pad       uint8      // the value of the pixels around a letterboxed picture
	Mean, Std [3]float32 // of red, green and blue in 0..255: (v - mean) / std; a zero Std stands for 1
	BGR       bool       // blue comes first; Mean and Std are still of red, green, blue
	Layout    Layout
}

// Fit says how a picture that has another size or shape is made to fit.
type Fit uint8

const (
	Stretch         Fit = iota // to the input's width and height, each by its own factor
	Letterbox                  // as large as possible, in the middle, as ultralytics does it
	LetterboxCorner            // as large as possible, at the top left
	Crop                       // as small as possible while it covers the input; the middle is used
)

// Filter says how pixels are computed when the size changes.
type Filter uint8

const (
	Linear      Filter = iota // between the four nearest pixels, as OpenCV's INTER_LINEAR
	Smooth                    // the mean of all pixels, weighted linearly, as Pillow's BILINEAR
	SmoothCubic               // as Pillow's BICUBIC
	Nearest                   // as OpenCV's INTER_NEAREST
)

// Layout is the order of an input's dimensions.
type Layout uint8

const (
	AutoLayout Layout = iota // NHWC if only the last dimension is 1 or 3, else NCHW
	NCHW
	NHWC
)

// Fill writes img as picture n of the batch dst, which is the model's input tensor:
// float32, float16, bfloat16, uint8 or int8; quantized integers have quant. It
// returns the map from points of the input to points of the picture.
//
// One pass reads RGBA, NRGBA, YCbCr and Gray pictures directly, and resizes,
// normalizes, converts and writes. Transparent pixels are drawn on black. Fill
// allocates nothing that grows with the picture.
func (in *Input) Fill(dst *common.Tensor, quant *common.Quantization, n int, img image.Image) (Affine, error) {
	panic("to be written")
}

// FillWarped is like Fill for a part of a picture: to maps points of the picture to
// points of the input. Points outside of the picture are black.
func (in *Input) FillWarped(dst *common.Tensor, quant *common.Quantization, n int, img image.Image, to Affine) error
