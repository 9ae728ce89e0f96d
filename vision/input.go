// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"image"
	"math"

	"github.com/anyinfer/anyinfer/common"
)

// Input says how a picture becomes a model's input. Exactly which of these ways a
// model was trained with decides how good its results are.
type Input struct {
	Size      image.Point // of the model's input; zero: as the tensor has it
	Fit       Fit
	Short     int // for Crop: the shorter side before the middle is cut out, such as 256 for an input of 224; 0: as small as possible
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
	LetterboxCorner            // as large as possible, at the top left, as YOLOX does it; for one size in 70 SCRFD's own code has a pixel more or less
	Crop                       // as small as possible while it covers the input; the middle is used, as torchvision does it
	InsightFace                // LetterboxCorner, but the width of points is scaled back as the height is, as insightface does it
)

// Filter says how pixels are computed when the size changes. They are exactly those of
// the package named.
type Filter uint8

const (
	Linear      Filter = iota // between the four nearest pixels, as OpenCV's INTER_LINEAR
	Smooth                    // the mean of all pixels, weighted linearly, as Pillow's BILINEAR
	SmoothCubic               // as Pillow's BICUBIC before Pillow 13, which differs where the height shrinks much more than the width
	Nearest                   // as OpenCV's INTER_NEAREST
	MediaPipe                 // as MediaPipe: Linear, but 0,0 is the centre of the first pixel, places are rounded to 1/32 of a pixel, and the border of a letterbox is not
)

// Layout is the order of an input's dimensions.
type Layout uint8

const (
	AutoLayout Layout = iota // NHWC if only the last dimension is 1 or 3, else NCHW
	NCHW
	NHWC
)

// Fill writes img as picture n of the batch dst, which is the model's input tensor:
// float32, float16, bfloat16, uint8 or int8, with 3 channels or, for gray, 1;
// quantized integers have quant. It returns the map from points of the input to points
// of the picture, whose first pixel has its corner at 0,0 whatever its Bounds.
//
// RGBA, NRGBA, YCbCr and Gray pictures are the fastest. Colors have 8 bits, and
// transparent pixels are drawn on black. Gray is Rec. 601's luma, as OpenCV's. Fill
// allocates nothing that grows with the picture, except for later calls to use again.
func (in *Input) Fill(dst *common.Tensor, quant *common.Quantization, n int, img image.Image) (Affine, error) {
	return in.fill(dst, quant, n, img, nil)
}

// FillWarped is like Fill for a part of a picture: to maps points of the picture to
// points of the input. Each point has the color between the four nearest pixels, and
// points outside of the picture are black, as with OpenCV's warpAffine, which before
// OpenCV 5 rounds places to 1/32 pixel. There, 0,0 is the centre of the first pixel:
// its matrix m is Affine{m[0], m[1], m[2] + (1-m[0]-m[1])/2, m[3], m[4], m[5] +
// (1-m[3]-m[4])/2} here.
func (in *Input) FillWarped(dst *common.Tensor, quant *common.Quantization, n int, img image.Image, to Affine) error {
	_, err := in.fill(dst, quant, n, img, &to)
	return err
}

func (in *Input) fill(dst *common.Tensor, quant *common.Quantization, n int, img image.Image, to *Affine) (back Affine, err error) {
	f := fillers.Get().(*filler)
	defer func() {
		f.img = nil
		fillers.Put(f)
	}()
	if err := cmp.Or(f.open(img), f.prepare(in, dst, quant, n)); err != nil {
		return Affine{}, err
	}
	switch {
	case to != nil:
		if back = to.Inverse(); back == (Affine{}) {
			return Affine{}, fail(common.ErrInput, "the map %v has no inverse; it maps all points to a line", *to)
		}
		f.warp(back, in.Filter == MediaPipe)
	case in.Filter == MediaPipe:
		back = f.asMediaPipe(in.Fit)
	default:
		g := in.place(f.size, f.out)
		f.resize(g, in.Filter)
		back = g.back
	}
	return back, f.write(dst, n)
}

// placing is where a picture goes in the input.
type placing struct {
	size image.Point     // of the whole picture after the change of its size
	from image.Point     // the first pixel of that which is in the input
	at   image.Rectangle // its pixels in the input
	back Affine
}

// place computes sizes and offsets with the rounding of the code that it follows.
func (in *Input) place(pic, out image.Point) placing {
	w, h := float64(pic.X), float64(pic.Y)
	ratio := min(float64(out.X)/w, float64(out.Y)/h)
	round := func(v float64) int { return int(math.RoundToEven(v)) } // Python's
	g := placing{size: out}
	switch in.Fit {
	case Letterbox: // ultralytics
		g.size = image.Pt(max(1, round(w*ratio)), max(1, round(h*ratio)))
		g.at.Min = image.Pt(round(float64(out.X-g.size.X)/2-0.1), round(float64(out.Y-g.size.Y)/2-0.1))
	case LetterboxCorner, InsightFace: // Python's int
		g.size = image.Pt(max(1, int(w*ratio)), max(1, int(h*ratio)))
	case Crop: // torchvision: Python's int for the longer side, then round for the corner
		wide := func(x int) image.Point { return image.Pt(x, int(float64(x)*h/w)) }
		high := func(y int) image.Point { return image.Pt(int(float64(y)*w/h), y) }
		if g.size = wide(out.X); w*float64(out.Y) > h*float64(out.X) {
			g.size = high(out.Y)
		}
		short := wide(in.Short)
		if w > h {
			short = high(in.Short)
		}
		if short.X >= g.size.X && short.Y >= g.size.Y {
			g.size = short
		}
		g.from = image.Pt(round(float64(g.size.X-out.X)/2), round(float64(g.size.Y-out.Y)/2))
	}
	g.at.Max = g.at.Min.Add(image.Pt(min(g.size.X, out.X), min(g.size.Y, out.Y)))
	gainX, gainY := float64(g.size.X)/w, float64(g.size.Y)/h
	switch in.Fit { // sizes are truncated, and then
	case LetterboxCorner: // YOLOX divides by the ratio all the same
		gainX, gainY = ratio, ratio
	case InsightFace:
		gainX = gainY
	}
	g.back = Affine{
		float32(1 / gainX), 0, float32(float64(g.from.X-g.at.Min.X) / gainX),
		0, float32(1 / gainY), float32(float64(g.from.Y-g.at.Min.Y) / gainY),
	}
	return g
}
