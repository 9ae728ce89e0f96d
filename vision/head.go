// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"image"

	"github.com/anyinfer/anyinfer/common"
)

// Detection is something that a model has found in a picture. Places are in pixels
// of that picture.
type Detection struct {
	Rect   Rect
	Score  float32 // 0..1
	Class  int
	Label  string       // of the class, if the labels are known
	Points []KeyPoint   // of a face or a pose; or nil
	Mask   *image.Alpha // 0 or 255 for the pixels in its bounds, which are in Rect's; or nil
	Row    int          // of the model's output that Head.Decode made it of, for Finisher
}

// KeyPoint is a named place in a Detection, such as an eye. The order is the model's.
type KeyPoint struct {
	Point
	Score float32 // 0..1 that it can be seen; 1 if the model does not tell
}

// Outputs are what a model has made of one picture: picture N of the batch in
// Tensors, which are in the order of the signature. Size is the size of the input. They are
// for one goroutine at a time.
type Outputs struct {
	Tensors []*common.Tensor
	Quants  []*common.Quantization // of the tensors; or nil
	N       int
	Size    image.Point

	frame *frame // whose Tensors they are; or nil
}

// Head turns outputs of a family of models into detections. It keeps no state of a
// picture, so one Head serves many goroutines. A program can have heads of its own.
type Head interface {
	// Decode appends the candidates whose score is at least minScore, in pixels of
	// the input: mostly the best class of each box, or several where the family says so.
	// It returns an error if the outputs do not have the shapes that it expects, as
	// Outputs.Floats does.
	Decode(dst []Detection, out Outputs, minScore float32) ([]Detection, error)
	// Suppression returns the usual options for NMS after Decode.
	Suppression() NMSOptions
}

// Finisher is a Head that adds points or masks after NMS to the detections that are
// left. Their places are in pixels of the input still, but masks are in pixels of
// the picture, which has the size size; back maps points of the input to it. For a Finisher
// the picture begins at 0,0: the Detector moves all to where the picture's Bounds begin.
type Finisher interface {
	Finish(found []Detection, out Outputs, back Affine, size image.Point) error
}

// NMSOptions are the options of NMS.
type NMSOptions struct {
	None     bool    // the model has done it
	IoU      float32 // boxes that overlap a better one more than this are dropped; 0: 0.45
	Agnostic bool    // boxes of all classes compete, not only those of the same class
	PlusOne  bool    // widths and heights are one larger, of a Detector's boxes one pixel of the picture, as in some older code
	Weighted bool    // overlapping boxes are averaged with their scores as weights, as MediaPipe does
	Max      int     // the number of detections that are kept; 0: 300
}
