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
//
// Colors have 8 bits. What is transparent is drawn on black: Pillow's convert("RGB") and
// cv2.imread drop the alpha instead, and show the colors that hide there. To have those,
// set the alpha of an image.NRGBA to 255; for another background draw the picture on it.
type Input struct {
	// Size is the size of the model's input; zero: as the tensor has it.
	Size image.Point
	Fit  Fit
	// Short is for Crop the length of the picture's shorter side before the middle is cut
	// out, such as 256 for an input of 224; 0: as small as possible.
	Short  int
	Filter Filter
	// Pad is the value of the pixels around a letterboxed picture.
	Pad uint8
	// Mean and Std are of red, green and blue in 0..255: (v - mean) / std. A zero Std stands
	// for 1.
	Mean, Std [3]float32
	// Replicate says that FillWarped gives points outside of the picture the color of the
	// nearest pixel, as OpenCV's BORDER_REPLICATE, and not black.
	Replicate bool
	// BGR says that blue comes first; Mean and Std are still of red, green, blue.
	BGR    bool
	Layout Layout
}

// Fit says how a picture that has another size or shape is made to fit.
type Fit uint8

const (
	// Stretch changes width and height each by its own factor.
	Stretch Fit = iota
	// Letterbox makes the picture as large as possible, in the middle, as ultralytics does.
	Letterbox
	// LetterboxCorner makes it as large as possible, at the top left, as YOLOX does; for one
	// size in 70 SCRFD's own code has a pixel more or less.
	LetterboxCorner
	// Crop makes it as small as possible while it covers the input, and uses the middle, as
	// torchvision does.
	Crop
	// LetterboxByHeight is LetterboxCorner, but places in the input become places in the
	// picture by the factor of the height alone, as insightface does it; the width's differs
	// by the rounding to whole pixels. Both begin at the top left corner.
	LetterboxByHeight
	// LetterboxLine makes it as high as the input and, at the left, as wide as its shape asks,
	// rounded up, but no wider than the input, as PaddleOCR does with lines of text. What is right
	// of it is 0 in the input, and Pad only if that is quantized.
	LetterboxLine
)

// Filter says how pixels are computed when the size changes. They are exactly those of
// the package named, except for Area.
type Filter uint8

const (
	// Linear is between the four nearest pixels, as OpenCV's INTER_LINEAR.
	Linear Filter = iota
	// Smooth is the mean of all pixels, weighted linearly, as Pillow's BILINEAR.
	Smooth
	// SmoothCubic is Pillow's BICUBIC before Pillow 13, which differs where the height shrinks
	// much more than the width.
	SmoothCubic
	// Nearest is OpenCV's INTER_NEAREST.
	Nearest
	// LinearWarp is Linear, as MediaPipe does it with OpenCV's warpPerspective: 0,0 is the
	// centre of the first pixel and not its corner, places are rounded to 1/32 of a pixel,
	// and a letterbox's border is not rounded to whole pixels.
	LinearWarp
	// Area is the mean of the area of the picture that a pixel of the input covers, within 1 of
	// 255 of OpenCV's INTER_AREA, unless only one side becomes larger.
	Area
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
// of the picture.
//
// RGBA, NRGBA, YCbCr and Gray pictures are the fastest. Gray is Rec. 601's luma, as
// OpenCV's. Fill allocates nothing that grows with the picture, except for later calls to
// use again.
func (in *Input) Fill(dst *common.Tensor, quant *common.Quantization, n int, img image.Image) (Affine, error) {
	back, err := in.fill(dst, quant, n, img, nil)
	if err == nil {
		from := img.Bounds().Min
		back[2], back[5] = back[2]+float32(from.X), back[5]+float32(from.Y)
	}
	return back, err
}

// FillWarped is like Fill for a part of a picture: to maps points of the picture to
// points of the input. Each point has the color between the four nearest pixels, and
// points outside of the picture are black, as with OpenCV's warpAffine, which before
// OpenCV 5 rounds places to 1/32 pixel. There, 0,0 is the centre of the first pixel:
// its matrix m is Affine{m[0], m[1], m[2] + (1-m[0]-m[1])/2, m[3], m[4], m[5] +
// (1-m[3]-m[4])/2} here.
func (in *Input) FillWarped(dst *common.Tensor, quant *common.Quantization, n int, img image.Image, to Affine) error {
	_, err := in.fill(dst, quant, n, img, func(image.Point) (Affine, error) { return to, nil })
	return err
}

// fill returns the map from points of the input to points of a picture that begins at 0,0.
func (in *Input) fill(dst *common.Tensor, quant *common.Quantization, n int, img image.Image, to toInput) (
	back Affine, err error) {
	f := fillers.Get().(*filler)
	defer func() {
		f.img = nil
		fillers.Put(f)
	}()
	if err := cmp.Or(f.open(img), f.prepare(in, dst, quant, n)); err != nil {
		return back, err
	}
	switch {
	case to != nil:
		a, err := to(f.out)
		if err != nil {
			return back, err
		}
		if back = a.Inverse(); back == (Affine{}) {
			return back, fail(common.ErrInput, "the map %v has no inverse; it maps all points to a line", a)
		}
		back[2], back[5] = back[2]-float32(f.bounds.Min.X), back[5]-float32(f.bounds.Min.Y)
		f.warp(back, in.Filter == LinearWarp, in.Replicate)
	case in.Filter == LinearWarp:
		back = f.asMediaPipe(in.Fit)
	default:
		g := in.place(f.size, f.out)
		f.resize(g, in.Filter)
		back = g.back
	}
	if err = f.write(dst, n); err == nil && in.Fit == LetterboxLine && to == nil && quant == nil {
		f.clearRight(dst, n)
	}
	return back, err
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
	case LetterboxCorner, LetterboxByHeight: // Python's int
		g.size = image.Pt(max(1, int(w*ratio)), max(1, int(h*ratio)))
	case LetterboxLine: // Python's ceil
		g.size.X = min(max(1, int(math.Ceil(float64(out.Y)*(w/h)))), out.X)
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
	case LetterboxByHeight:
		gainX = gainY
	}
	g.back = Affine{
		float32(1 / gainX), 0, float32(float64(g.from.X-g.at.Min.X) / gainX),
		0, float32(1 / gainY), float32(float64(g.from.Y-g.at.Min.Y) / gainY),
	}
	return g
}
