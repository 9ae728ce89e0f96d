// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"
	"math"

	"github.com/anyinfer/anyinfer/common"
)

// Embedder turns a picture, or a face in it, into a vector of length 1: those of similar
// pictures, or of the same person, have a high Cosine. NewEmbedder fills the fields with
// what the model says of itself; they may be changed before the first Embed, or be filled
// without it. Many goroutines may call Embed and EmbedFace.
type Embedder struct {
	Model  Model
	Input  Input
	Output int // the output that is the vector

	runner runner
}

// NewEmbedder returns an Embedder for a model with a single output of numbers: ArcFace
// and its relatives if the input is a square of a multiple of 112 or 128 pixels, CLIP's
// image encoder, or another. Otherwise the error wraps common.ErrModel and says what the
// model has.
//
// ArcFace models of MXNet normalize the picture themselves: set Input.Mean to zero and
// Input.Std to 1 for them, or all faces look alike.
func NewEmbedder(m Model) (*Embedder, error) { return newTask[*Embedder](m, false) }

func (e *Embedder) parts() (*Model, *Input) { return &e.Model, &e.Input }

// Embed returns the vector of a whole picture.
func (e *Embedder) Embed(ctx context.Context, img image.Image) ([]float32, error) {
	return e.embed(ctx, img, nil)
}

// EmbedFace returns the vector of the face that has these points, those of a Detection
// of SCRFD, RetinaFace or BlazeFace. The face is turned and scaled so that its points are
// where ArcFace's are.
func (e *Embedder) EmbedFace(ctx context.Context, img image.Image, points []KeyPoint) ([]float32, error) {
	return e.embed(ctx, img, func(size image.Point) (Affine, error) { return alignFace(points, size) })
}

func (e *Embedder) embed(ctx context.Context, img image.Image, to toInput) ([]float32, error) {
	return picture(ctx, &e.runner, e.Model, &e.Input, img, to, e.Output, func(_ *frame, a array) ([]float32, error) {
		length := math.Sqrt(dot(a.data, a.data))
		if !(length > 0) || math.IsInf(length, 1) {
			return nil, advise("the model may need another Input", common.ErrRun, "the vector has length %v", length)
		}
		unit := make([]float32, len(a.data))
		for i, v := range a.data {
			unit[i] = float32(float64(v) / length)
		}
		return unit, nil
	})
}

// arcFace are the places of a face's points in ArcFace's picture of 112x112: the eyes,
// the nose, the corners of the mouth; numbers of pixels, whose centres are whole.
var arcFace = [facePoints]Point{
	{38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041},
}

// alignFace returns the map from points of the picture to points of ArcFace's, which has
// that size.
func alignFace(points []KeyPoint, size image.Point) (Affine, error) {
	to := arcFace
	switch len(points) {
	case facePoints:
	case blazePoints: // of which the fourth is the middle of the mouth
		points, to[3] = points[:4], Point{(to[3].X + to[4].X) / 2, (to[3].Y + to[4].Y) / 2}
	default:
		return Affine{}, fail(common.ErrInput, "a face to align has the 5 points of SCRFD and RetinaFace, or the 6 of BlazeFace, not %d",
			len(points))
	}
	side, margin := float32(112), float32(0)
	if size.Y%112 != 0 && size.Y%128 == 0 {
		side, margin = 128, 8
	}
	ratio := float32(size.Y) / side
	var from [facePoints]Point
	for i, p := range points {
		from[i], to[i] = p.Point, Point{(to[i].X + margin) * ratio, to[i].Y * ratio}
	}
	a := Similarity(from[:len(points)], to[:len(points)])
	// insightface, whose models these are, takes points as numbers of pixels with whole
	// centres. In this package centres are at a half.
	a[2] += 0.5 - (a[0]+a[1])/2
	a[5] += 0.5 - (a[3]+a[4])/2
	if a.Inverse() == (Affine{}) || a != a {
		return Affine{}, fail(common.ErrInput, "the points %v are not those of a face", points)
	}
	return a, nil
}

// Cosine returns the cosine of the angle between two vectors: 1 for the same direction,
// about 0 for unrelated ones; 0 if their lengths differ or one has no direction. Faces
// of one person usually have more than 0.3 to 0.5, which depends on the model and on how
// bad a wrong answer is: measure it with your own pictures.
func Cosine(a, b []float32) float32 {
	if len(a) != len(b) {
		return 0
	}
	lengths := math.Sqrt(dot(a, a) * dot(b, b))
	if lengths == 0 {
		return 0
	}
	return float32(dot(a, b) / lengths)
}

// dot returns the dot product of two vectors of one length.
func dot(a, b []float32) (sum float64) {
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

// recognizeEmbedder is certain if it knows that the model is no Classifier, whose shapes are
// the same.
func recognizeEmbedder(m *modelInfo) (_ Task, certain bool) {
	n := count(m.Signature)
	if !m.color || n == 0 || n == 1 || m.metadata["task"] != "" {
		return nil, false
	}
	e := &Embedder{Input: rawInput(m.image)}
	switch {
	case m.Outputs[0].Name == "image_embeds": // CLIP
		certain, e.Input = true, Input{
			Fit: Crop, Filter: SmoothCubic, Mean: [3]float32{0.48145466 * 255, 0.4578275 * 255, 0.40821073 * 255},
			Std: [3]float32{0.26862954 * 255, 0.26130258 * 255, 0.27577711 * 255},
		}
	case m.size == image.Pt(112, 112) || m.size == image.Pt(128, 128): // ArcFace
		certain = n == 512 || n == 256 || n == 128
	case m.layout == NCHW && m.image.Quant == nil:
		e.Input = Input{Fit: Crop, Filter: Smooth, Mean: imageNetMean, Std: imageNetStd}
	}
	e.Input.Size = sizeOr(m.size, 224)
	return e, certain
}
