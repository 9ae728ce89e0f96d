// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"context"
	"image"
	"image/color"
	"image/draw"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// modelOf returns a model with one output, which has always the same numbers. seen gets
// its input.
func modelOf(input common.TensorInfo, output common.TensorInfo, numbers *common.Tensor, seen *[]float32) *common.Model {
	sig := common.Signature{Inputs: []common.TensorInfo{input}, Outputs: []common.TensorInfo{output}}
	return fake.NewModel(sig, nil, func(_ context.Context, in common.Tensors) (common.Tensors, error) {
		if seen != nil {
			data, err := common.Get[float32](in, input.Name)
			if err != nil {
				return nil, err
			}
			*seen = append([]float32{}, data...)
		}
		return common.Tensors{output.Name: numbers}, nil
	})
}

var gray = &image.Gray{Pix: make([]uint8, 64), Stride: 8, Rect: image.Rect(0, 0, 8, 8)}

func classify(t *testing.T, output common.TensorInfo, numbers *common.Tensor, change func(*Classifier)) []Class {
	m := modelOf(infoOf("x", 1, 3, 224, 224), output, numbers, nil)
	defer m.Close()
	c, err := NewClassifier(m)
	require.NoError(t, err)
	if change != nil {
		change(c)
	}
	classes, err := c.Classify(context.Background(), gray)
	require.NoError(t, err)
	return classes
}

func TestClassifier(t *testing.T) {
	labelled := infoOf("scores", 1, 4)
	labelled.Labels = []string{"a", "b", "c", "d"}
	requireClasses := func(want, got []Class) {
		require.Len(t, got, len(want))
		for i, w := range want {
			require.InDelta(t, w.Score, got[i].Score, 1e-6, i)
			got[i].Score = w.Score
		}
		require.Equal(t, want, got)
	}
	logits := []float32{1, 3, -2, 3}
	e := func(v float64) float32 { return float32(math.Exp(v) / (math.Exp(1) + 2*math.Exp(3) + math.Exp(-2))) }
	requireClasses([]Class{{1, "b", e(3)}, {3, "d", e(3)}, {0, "a", e(1)}, {2, "c", e(-2)}}, classify(t, labelled, tensorOf(t, logits, 1, 4), nil))
	requireClasses([]Class{{1, "b", e(3)}, {3, "d", e(3)}}, classify(t, labelled, tensorOf(t, logits, 1, 4), func(c *Classifier) { c.Top = 2 }))
	requireClasses([]Class{{1, "b", 3}}, classify(t, labelled, tensorOf(t, logits, 1, 4), func(c *Classifier) { c.Top, c.Raw = 1, true }))
	requireClasses([]Class{{0, "background", 0.5}, {3, "c", 0.25}, {1, "a", 0.15}, {2, "b", 0.1}},
		classify(t, infoOf("scores", 1, 4), tensorOf(t, []float32{0.5, 0.15, 0.1, 0.25}, 1, 4), func(c *Classifier) { c.Labels = []string{"a", "b", "c"} }))
	nan := float32(math.NaN())
	requireClasses([]Class{{1, "", 1}}, classify(t, infoOf("scores", 1, 3, 1, 1), tensorOf(t, []float32{nan, 5, nan}, 1, 3, 1, 1), nil))
	require.Empty(t, classify(t, infoOf("scores", 1, 2), tensorOf(t, []float32{nan, nan}, 1, 2), nil))

	// A quantized softmax, whose rounded values do not add up to 1.
	quantized := infoOf("scores", 1, 3)
	quantized.DType, quantized.Quant = common.Uint8, &common.Quantization{Scale: []float32{1.0 / 256}, ZeroPoint: []int64{0}}
	stored, err := common.FromSlice([]uint8{128, 64, 32}, 1, 3)
	require.NoError(t, err)
	requireClasses([]Class{{0, "", 0.5}, {1, "", 0.25}, {2, "", 0.125}}, classify(t, quantized, stored, nil))
}

func TestClassifierOfMetadata(t *testing.T) {
	sig := common.Signature{Inputs: []common.TensorInfo{infoOf("x", -1, 3, 224, 224)}, Outputs: []common.TensorInfo{infoOf("y", -1, 4)}}
	c, certain := recognizeClassifier(newModelInfo(sig, map[string]string{"character": "0\n90\n180\n270\n"}))
	require.True(t, certain)
	require.Equal(t, []string{"0", "90", "180", "270"}, c.(*Classifier).Labels)
	require.Equal(t, Input{Size: image.Pt(224, 224), Fit: Crop, Short: 256, Filter: Smooth, Mean: imageNetMean, Std: imageNetStd}, *InputOf(c))
	c, certain = recognizeClassifier(newModelInfo(sig, map[string]string{"task": "classify"}))
	require.True(t, certain)
	require.Equal(t, Input{Size: image.Pt(224, 224), Fit: Crop, Filter: Smooth, Std: same(255)}, *InputOf(c))
	c, certain = recognizeClassifier(newModelInfo(sig, nil))
	require.True(t, c != nil && !certain)
	c, _ = recognizeClassifier(newModelInfo(sig, map[string]string{"task": "detect"}))
	require.Nil(t, c)
	sig.Outputs[0].Shape = common.Shape{1, 4, 2}
	c, _ = recognizeClassifier(newModelInfo(sig, nil))
	require.Nil(t, c)
}

func keyPoints(coordinates []float32) (all []KeyPoint) {
	for i := 0; i < len(coordinates); i += 2 {
		all = append(all, KeyPoint{Point{coordinates[i], coordinates[i+1]}, 1})
	}
	return all
}

// The map and the picture are those of insightface, whose points are numbers of pixels.
func TestAlignFace(t *testing.T) {
	for _, c := range goldenFaces.ArcFace {
		a, err := alignFace(keyPoints(c.Points), image.Pt(c.Side, c.Side))
		require.NoError(t, err)
		a[2] -= 0.5 - (a[0]+a[1])/2
		a[5] -= 0.5 - (a[3]+a[4])/2
		require.InDeltaSlice(t, c.Matrix, a[:], 1e-3, c.Side)
	}
	var seen []float32
	m := modelOf(infoOf("x", 1, 3, 112, 112), infoOf("y", 1, 128), tensorOf(t, spread(1, 128, func(u float64) float64 { return u }), 1, 128), &seen)
	defer m.Close()
	e, err := NewEmbedder(m)
	require.NoError(t, err)
	v, err := e.EmbedFace(context.Background(), goldenImage(t, "face.png"), keyPoints(goldenFaces.ArcFace[0].Points))
	require.NoError(t, err)
	require.InDelta(t, 1, Cosine(v, v), 1e-6)
	requireInput(t, "face_112.png", seen)
	// BlazeFace's six points of a face that is where it has to be already.
	six := make([]KeyPoint, 6)
	for i, p := range arcFace[:3] {
		six[i].Point = p
	}
	six[3].Point = Point{(arcFace[3].X + arcFace[4].X) / 2, (arcFace[3].Y + arcFace[4].Y) / 2}
	a, err := alignFace(six, image.Pt(112, 112))
	require.NoError(t, err)
	require.InDeltaSlice(t, []float32{1, 0, 0, 0, 1, 0}, a[:], 1e-3)
	_, err = e.EmbedFace(context.Background(), gray, six[:4])
	require.ErrorIs(t, err, common.ErrInput)
	_, err = e.EmbedFace(context.Background(), gray, make([]KeyPoint, 5))
	require.ErrorIs(t, err, common.ErrInput)
}

// requireInput compares an input of numbers from -1 to 1 with a picture.
func requireInput(t *testing.T, name string, got []float32) {
	want := goldenImage(t, name)
	size := want.Bounds().Size()
	for y := range size.Y {
		for x := range size.X {
			c := color.NRGBAModel.Convert(want.At(x, y)).(color.NRGBA)
			for i, w := range []uint8{c.R, c.G, c.B} {
				require.InDelta(t, w, got[(i*size.Y+y)*size.X+x]*127.5+127.5, 2, "%d,%d of %s", x, y, name)
			}
		}
	}
}

func TestMediaPipeFilter(t *testing.T) {
	x, err := common.NewTensor(common.Float32, 1, 3, 32, 32)
	require.NoError(t, err)
	in := Input{Fit: Letterbox, Filter: LinearWarp, Mean: same(127.5), Std: same(127.5)}
	back, err := in.Fill(x, nil, 0, goldenImage(t, "face.png")) // of 100x120
	require.NoError(t, err)
	require.InDeltaSlice(t, []float32{3.75, 0, -10, 0, 3.75, 0}, back[:], 1e-4)
	data, err := common.Data[float32](x)
	require.NoError(t, err)
	requireInput(t, "mediapipe.png", data)
	for fit, want := range map[Fit]Affine{
		Stretch: {3.125, 0, 0, 0, 3.75, 0}, LetterboxCorner: {3.75, 0, 0, 0, 3.75, 0}, Crop: {3.125, 0, 0, 0, 3.125, 10},
	} {
		in.Fit = fit
		back, err = in.Fill(x, nil, 0, goldenImage(t, "face.png"))
		require.NoError(t, err)
		require.InDeltaSlice(t, want[:], back[:], 1e-4)
	}
}

func TestEmbedder(t *testing.T) {
	m := modelOf(infoOf("x", 1, 3, 224, 224), infoOf("image_embeds", 1, 2), tensorOf(t, []float32{3, -4}, 1, 2), nil)
	defer m.Close()
	e, err := NewEmbedder(m)
	require.NoError(t, err)
	require.Equal(t, SmoothCubic, e.Input.Filter)
	v, err := e.Embed(context.Background(), gray)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float32{0.6, -0.8}, v, 1e-6)
	task, err := New(m)
	require.NoError(t, err)
	require.IsType(t, e, task)
	_, err = NewSegmenter(m)
	require.ErrorContains(t, err, "the model is for *vision.Embedder, not for *vision.Segmenter")

	zero := modelOf(infoOf("x", 1, 3, 112, 112), infoOf("y", 1, 2), tensorOf(t, []float32{0, 0}, 1, 2), nil)
	defer zero.Close()
	e, err = NewEmbedder(zero)
	require.NoError(t, err)
	_, err = e.Embed(context.Background(), gray)
	require.ErrorIs(t, err, common.ErrRun)
	_, err = New(zero)
	require.ErrorIs(t, err, common.ErrModel)
	require.ErrorContains(t, err, `"x" float32 [1 3 112 112]`)

	require.InDelta(t, 0.96, Cosine([]float32{3, 4}, []float32{8, 6}), 1e-6)
	require.Zero(t, Cosine([]float32{1}, []float32{1, 1}))
	require.Zero(t, Cosine([]float32{0}, []float32{1}))
}

// nchw changes rows of places, each with numbers of classes, to classes of places.
func nchw(data []float32, places, classes int) []float32 {
	out := make([]float32, len(data))
	for i := range places {
		for c := range classes {
			out[c*places+i] = data[i*classes+c]
		}
	}
	return out
}

func requirePixels(t *testing.T, name string, got []uint8, limit int) {
	want := goldenImage(t, name).(*image.Gray)
	require.Len(t, got, len(want.Pix))
	for i, w := range want.Pix {
		require.InDelta(t, w, got[i], float64(limit), "pixel %d of %s", i, name)
	}
}

func TestSegmenter(t *testing.T) {
	logits := spread(80, 9*13*5, func(u float64) float64 { return u })
	half := infoOf("y", 1, 9, 13, 5)
	half.DType = common.Float16
	halves, err := common.NewTensor(common.Float16, 1, 9, 13, 5)
	require.NoError(t, err)
	require.NoError(t, (*common.Quantization)(nil).Quantize(halves, logits))
	best := make([]int64, 9*13)
	for i := range best {
		_, class := bestOf(logits[i*5:][:5])
		best[i] = int64(class)
	}
	classes, err := common.FromSlice(best, 1, 9, 13)
	require.NoError(t, err)
	integers := infoOf("y", 1, 9, 13)
	integers.DType = common.Int64
	picture := image.NewRGBA(image.Rect(5, 7, 5+101, 7+76))
	for _, c := range []struct {
		input, output common.TensorInfo
		numbers       *common.Tensor
		nearest       bool
		golden        string
	}{
		{infoOf("x", 1, 72, 104, 3), infoOf("y", 1, 9, 13, 5), tensorOf(t, logits, 1, 9, 13, 5), false, "segments.png"},
		{infoOf("x", 1, 3, 72, 104), infoOf("y", 1, 5, 9, 13), tensorOf(t, nchw(logits, 9*13, 5), 1, 5, 9, 13), false, "segments.png"},
		{infoOf("x", 1, 3, 72, 104), infoOf("y", 1, 5, 9, 13), tensorOf(t, nchw(logits, 9*13, 5), 1, 5, 9, 13), true, "segments_nearest.png"},
		{infoOf("x", 1, 3, 72, 104), integers, classes, false, "segments_nearest.png"},
	} {
		m := modelOf(c.input, c.output, c.numbers, nil)
		s, err := NewSegmenter(m)
		require.NoError(t, err)
		s.Nearest = c.nearest
		got, err := s.Segment(context.Background(), picture)
		require.NoError(t, err)
		require.Equal(t, picture.Rect, got.Rect)
		requirePixels(t, c.golden, got.Pix, 0)
		s.Palette = color.Palette{color.Black}
		_, err = s.Segment(context.Background(), picture)
		require.Error(t, err)
		require.NoError(t, m.Close())
	}
	m := modelOf(infoOf("x", 1, 72, 104, 3), half, halves, nil)
	defer m.Close()
	s, err := NewSegmenter(m)
	require.NoError(t, err)
	_, err = s.Segment(context.Background(), picture)
	require.NoError(t, err)
	_, err = s.Segment(context.Background(), image.NewRGBA(image.Rectangle{}))
	require.ErrorIs(t, err, common.ErrInput)
	require.Equal(t, color.RGBA{192, 128, 128, 255}, VOCPalette()[15]) // a person
}

func TestRecognizeSegmenter(t *testing.T) {
	for _, c := range []struct {
		input, output common.Shape
		certain, ok   bool
	}{
		{common.Shape{1, 257, 257, 3}, common.Shape{1, 257, 257, 21}, true, true},
		{common.Shape{-1, 3, 512, 512}, common.Shape{-1, 150, 128, 128}, false, true},
		{common.Shape{1, 3, 360, 640}, common.Shape{1, 19, 45, 80}, false, true},
		{common.Shape{-1, 3, -1, -1}, common.Shape{-1, 21, -1, -1}, false, true},
		{common.Shape{1, 3, 256, 192}, common.Shape{1, 17, 64, 48}, false, true},  // where joints are
		{common.Shape{1, 3, 224, 224}, common.Shape{1, 3, 224, 224}, false, true}, // another picture
		{common.Shape{1, 3, 224, 224}, common.Shape{1, 1, 224, 224}, false, false},
		{common.Shape{1, 3, 224, 224}, common.Shape{1, 512, 7, 7}, false, false},
		{common.Shape{1, 3, 640, 640}, common.Shape{1, 84, 8400}, false, false},
	} {
		sig := common.Signature{Inputs: []common.TensorInfo{infoOf("x", c.input...)}, Outputs: []common.TensorInfo{infoOf("y", c.output...)}}
		task, certain := recognizeSegmenter(newModelInfo(sig, nil))
		require.Equal(t, []bool{c.certain, c.ok}, []bool{certain, task != nil}, c.output)
	}
}

// Classes are where the input has its colors, unless only the other order fits.
func TestGridOf(t *testing.T) {
	first := func(s common.Shape) grid {
		return grid{w: s[3], h: s[2], classes: s[1], column: 1, row: s[3], class: s[2] * s[3]}
	}
	last := func(s common.Shape) grid {
		return grid{w: s[2], h: s[1], classes: s[3], column: s[3], row: s[2] * s[3], class: 1}
	}
	for _, c := range []struct {
		shape  common.Shape
		size   image.Point
		layout Layout
		labels int
		want   func(common.Shape) grid
	}{
		{common.Shape{1, 21, 65, 65}, image.Pt(513, 513), NCHW, 0, first},
		{common.Shape{1, 65, 65, 21}, image.Pt(513, 513), NHWC, 0, last},
		{common.Shape{1, 65, 65, 21}, image.Pt(513, 513), NCHW, 0, last}, // a file whose input alone was changed
		{common.Shape{1, 21, 65, 65}, image.Pt(513, 513), NHWC, 0, first},
		{common.Shape{1, 150, 128, 128}, image.Pt(512, 512), NCHW, 0, first}, // more classes than places on a side
		{common.Shape{1, 128, 128, 150}, image.Pt(512, 512), NHWC, 0, last},
		{common.Shape{1, 150, 96, 128}, image.Pt(512, 384), NCHW, 0, first},
		{common.Shape{1, 150, 96, 128}, image.Pt(384, 600), NCHW, 0, last},
		{common.Shape{1, 21, 21, 21}, image.Pt(321, 321), NCHW, 21, first}, // both fit
		{common.Shape{1, 21, 21, 21}, image.Pt(321, 321), NHWC, 0, last},
		{common.Shape{1, 20, 20, 21}, image.Pt(320, 320), NCHW, 0, first}, // one place more
		{common.Shape{1, 20, 20, 21}, image.Pt(320, 320), NCHW, 21, last}, // as the labels show
		{common.Shape{1, 12, 20, 12}, image.Pt(640, 360), NHWC, 0, last},
		{common.Shape{1, 30, 7, 9}, image.Pt(100, 100), NCHW, 0, nil},
		{common.Shape{1, 30, 7}, image.Pt(100, 100), NCHW, 0, nil},
		{common.Shape{1, 30}, image.Pt(100, 100), NCHW, 0, nil},
	} {
		got, ok := gridOf(c.shape, c.size, c.layout, c.labels)
		if require.Equal(t, c.want != nil, ok, c); ok {
			require.Equal(t, c.want(c.shape), got, c)
		}
	}
}

func bestOf(v []float32) (most float32, at int) {
	most, at = v[0], 0
	for i, x := range v {
		if x > most {
			most, at = x, i
		}
	}
	return most, at
}

func TestMatter(t *testing.T) {
	alpha := spread(81, 9*13, func(u float64) float64 { return u })
	picture := image.NewRGBA(image.Rect(0, 0, 101, 76))
	for _, c := range []struct {
		input, output common.TensorInfo
		shape         []int
	}{
		{infoOf("x", 1, 9, 13, 3), infoOf("y", 1, 9, 13, 1), []int{1, 9, 13, 1}},
		{infoOf("x", 1, 3, 9, 13), infoOf("y", 1, 1, 9, 13), []int{1, 1, 9, 13}},
	} {
		m := modelOf(c.input, c.output, tensorOf(t, alpha, c.shape...), nil)
		matter, err := NewMatter(m)
		require.NoError(t, err)
		got, err := matter.Matte(context.Background(), picture)
		require.NoError(t, err)
		requirePixels(t, "matte.png", got.Pix, 1)
		require.NoError(t, m.Close())
	}
	wide := spread(81, 9*13, func(u float64) float64 { return float64(float32(u)*3 - 1) })
	m := modelOf(infoOf("x", 1, 3, 9, 13), infoOf("y", 1, 1, 9, 13), tensorOf(t, wide, 1, 1, 9, 13), nil)
	defer m.Close()
	got, err := (&Matter{Model: m, MinMax: true}).Matte(context.Background(), picture)
	require.NoError(t, err)
	requirePixels(t, "matte_minmax.png", got.Pix, 1)

	modnet, certain := recognizeMatter(newModelInfo(common.Signature{
		Inputs: []common.TensorInfo{infoOf("input", -1, 3, -1, -1)}, Outputs: []common.TensorInfo{infoOf("output", -1, 1, -1, -1)},
	}, nil))
	require.False(t, certain)
	for size, want := range map[image.Point]image.Point{
		// As MODNet's onnx/inference_onnx.py has them.
		{1920, 1080}: {896, 512}, {1080, 1400}: {512, 640}, {800, 1200}: {512, 768}, {400, 300}: {672, 512},
		{523, 201}: {512, 192}, {600, 450}: {576, 448}, {451, 800}: {448, 800}, {512, 512}: {512, 512}, {3000, 400}: {2976, 384},
		{1, 9999}: {32, 4096}, {}: {32, 32}, // which it cannot do
	} {
		require.Equal(t, want, modnet.(*Matter).inputSize(size), size)
	}
}

// A task is used by many goroutines, and allocates nothing but its result.
func TestTasksTogether(t *testing.T) {
	sig := common.Signature{Inputs: []common.TensorInfo{infoOf("x", 1, 3, 9, 13)}, Outputs: []common.TensorInfo{infoOf("y", 1, 1, 9, 13)}}
	m := fake.NewModel(sig, &common.Options{Sessions: 4}, func(_ context.Context, in common.Tensors) (common.Tensors, error) {
		x, err := common.Get[float32](in, "x")
		if err != nil {
			return nil, err
		}
		y, err := common.FromSlice(append([]float32{}, x[:9*13]...), 1, 1, 9, 13)
		return common.Tensors{"y": y}, err
	})
	defer m.Close()
	matter := &Matter{Model: m, Input: Input{Std: same(255)}}
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			picture := image.NewGray(image.Rect(0, 0, 20+g, 10+g))
			for i := range picture.Pix {
				picture.Pix[i] = uint8(30 * g)
			}
			for range 20 {
				got, err := matter.Matte(context.Background(), picture)
				if err != nil || got.Rect != picture.Rect || got.Pix[0] != uint8(30*g) || got.Pix[len(got.Pix)-1] != uint8(30*g) {
					t.Errorf("goroutine %d: %v", g, err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// Pictures come in batches and keep their order, also when the output has another shape than before.
func TestDetectAll(t *testing.T) {
	sig := common.Signature{Inputs: []common.TensorInfo{infoOf("x", -1, 1, 8, 8)}, Outputs: []common.TensorInfo{infoOf("y", -1, -1, 6)}}
	var batches []int
	rows := 0
	m := fake.NewModel(sig, nil, func(_ context.Context, in common.Tensors) (common.Tensors, error) {
		n, x := in["x"].Shape()[0], []float32{}
		batches = append(batches, n)
		data, err := common.Get[float32](in, "x")
		for i := range n * rows {
			x = append(x, 0, 0, 8, 8, 0.9, data[i/rows*64])
		}
		if err != nil {
			return nil, err
		}
		y, err := common.FromSlice(x, n, rows, 6)
		return common.Tensors{"y": y}, err
	})
	defer m.Close()
	d := &Detector{Model: m, Head: &Boxes{ScoreColumn: 4, ClassColumn: 5, Count: -1, Format: Corners}}
	var imgs []image.Image
	for i := range 20 {
		imgs = append(imgs, &image.Gray{Pix: slices.Repeat([]uint8{uint8(i)}, 64), Stride: 8, Rect: image.Rect(0, 0, 8, 8)})
	}
	for range 2 {
		rows++
		all, err := d.DetectAll(context.Background(), imgs)
		require.NoError(t, err)
		require.Len(t, all, 20)
		for i, found := range all {
			require.NotEmpty(t, found)
			require.Equal(t, i, found[0].Class)
		}
	}
	require.Subset(t, []int{16, 4}, batches)
	d.Classes = []int{3}
	rows++ // the input stays as it is
	all, err := d.DetectAll(context.Background(), imgs[2:6])
	require.NoError(t, err)
	require.Empty(t, all[0])
	require.NotEmpty(t, all[1])
	all, err = d.DetectAll(context.Background(), append(imgs[:1:1], nil))
	require.ErrorIs(t, err, common.ErrInput)
	require.Nil(t, all)
}

// A picture allocates its results, and what a session of the pool does.
func TestDetectAllocations(t *testing.T) {
	ctx := context.Background()
	numbers := tensorOf(t, []float32{0.5, 0.5, 0, 0, 0.9, 1}, 1, 1, 6)
	m := modelOf(infoOf("x", 1, 3, 32, 32), infoOf("y", 1, 1, 6), numbers, nil)
	defer m.Close()
	input, err := common.NewTensor(common.Float32, 1, 3, 32, 32)
	require.NoError(t, err)
	d := &Detector{Model: m, Head: &Grids{Form: YOLOX, Strides: []int{32}, Scores: []int{0}, Boxes: []int{0}}}
	least := func(f func() error) float64 { // as pools drop memory, and the fake starts goroutines
		n := math.Inf(1)
		for range 300 {
			n = min(n, testing.AllocsPerRun(1, func() { require.NoError(t, f()) }))
		}
		return n
	}
	session := least(func() error {
		s, err := m.AcquireSession(ctx, "")
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.BindInput(0, input); err != nil {
			return err
		}
		if err := s.BindOutput(0, numbers); err != nil {
			return err
		}
		return s.Run(ctx)
	})
	var found []Detection
	require.Equal(t, session+1, least(func() (err error) {
		found, err = d.Detect(ctx, gray)
		return err
	}))
	require.Len(t, found, 1)
}

// onRead is a picture that calls do when it is read.
type onRead struct {
	*image.Gray
	do func()
}

func (p onRead) RGBA64At(x, y int) color.RGBA64 {
	p.do()
	return p.Gray.RGBA64At(x, y)
}

// A model is replaced while pictures are looked at: no call fails, and each has the results of one model.
func TestLiveModel(t *testing.T) {
	ctx := context.Background()
	load := func(class, size int) *common.Model {
		numbers := tensorOf(t, []float32{0, 0, 4, 4, 0.9, float32(class)}, 1, 1, 6)
		return modelOf(infoOf("x", 1, 3, size, size), infoOf("y", 1, 1, 6), numbers, nil)
	}
	var live common.LiveModel
	d := &Detector{Model: &live, Head: &Boxes{ScoreColumn: 4, ClassColumn: 5, Count: -1, Format: Corners}}
	_, err := d.Detect(ctx, gray)
	require.ErrorIs(t, err, common.ErrModel)
	require.NoError(t, live.Replace(ctx, load(0, 8)))
	// The old model is closed after the picture was fitted to its input, and before it runs.
	replace := sync.OnceFunc(func() { require.NoError(t, live.Replace(ctx, load(1, 16))) })
	found, err := d.Detect(ctx, onRead{gray, replace})
	require.NoError(t, err)
	require.Equal(t, 1, found[0].Class)
	require.EqualValues(t, 2, found[0].Rect.Dx())
	done := make(chan struct{})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for last := 0; ; {
				found, err := d.Detect(ctx, gray)
				if err != nil || len(found) != 1 || found[0].Class < last || found[0].Rect.Dx() != float32(4/(1+found[0].Class%2)) {
					t.Errorf("after class %d: %v %v", last, found, err)
					return
				}
				last = found[0].Class
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for class := 2; class < 50; class++ { // of inputs of 8x8 and 16x16
		require.NoError(t, live.Replace(ctx, load(class, 8+8*(class%2))))
	}
	close(done)
	wait.Wait()
	require.NoError(t, live.Shutdown(ctx))
	_, err = d.Detect(ctx, gray)
	require.ErrorIs(t, err, common.ErrClosed)
	other, err := NewDetector((*common.LiveModel)(nil))
	require.ErrorIs(t, err, common.ErrModel)
	require.Nil(t, other)
}

// points is a head that adds a point and a mask.
type points struct{ *Boxes }

func (points) Finish(found []Detection, _ Outputs, back Affine, _ image.Point) error {
	for i := range found {
		to := back.Inverse()
		found[i].Points = []KeyPoint{{Point{to[2], to[5]}, 1}}
		found[i].Mask = image.NewAlpha(image.Rect(1, 2, 3, 4))
	}
	return nil
}

// A part of a picture, whose bounds do not begin at 0,0, has the same results as a copy that does, at its own place.
func TestPlacesOfParts(t *testing.T) {
	ctx := context.Background()
	whole := goldenImage(t, "face.png").(interface {
		SubImage(image.Rectangle) image.Image
	})
	from := image.Pt(13, 21)
	part := whole.SubImage(image.Rect(13, 21, 90, 110))
	begins := image.NewRGBA(image.Rectangle{Max: part.Bounds().Size()})
	draw.Draw(begins, begins.Rect, part, from, draw.Src)
	var wantFace, wantWhole []float32
	var wantClasses, wantMatte []uint8
	for _, img := range []image.Image{part, begins} {
		at := img.Bounds().Min
		moved := func(x, y float32) Point { return Point{x + float32(at.X), y + float32(at.Y)} }

		boxes := modelOf(infoOf("x", 1, 3, 77, 89), infoOf("y", 1, 1, 13), tensorOf(t, append([]float32{-5, 4, 30, 200, 0.9}, make([]float32, 8)...), 1, 1, 13), nil)
		d := &Detector{Model: boxes, Input: Input{Layout: NCHW}, Head: points{&Boxes{ScoreColumn: 4, ClassColumn: 5, Count: -1, Format: Corners}}}
		found, err := d.Detect(ctx, img)
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Less(t, found[0].Rect.Min.X, moved(1, 0).X)
		require.Equal(t, img.Bounds(), img.Bounds().Union(found[0].Rect.Image()))
		require.Equal(t, float32(img.Bounds().Max.Y), found[0].Rect.Max.Y)
		require.Equal(t, moved(0, 0), found[0].Points[0].Point)
		require.Equal(t, image.Rect(1, 2, 3, 4).Add(at), found[0].Mask.Rect)
		require.NoError(t, boxes.Close())

		var seen []float32
		maps := modelOf(infoOf("x", 1, 3, 9, 13), infoOf("y", 1, 1, 9, 13), tensorOf(t, spread(81, 9*13, func(u float64) float64 { return u }), 1, 1, 9, 13), nil)
		matte, err := (&Matter{Model: maps}).Matte(ctx, img)
		require.NoError(t, err)
		require.Equal(t, img.Bounds(), matte.Rect)
		require.NoError(t, maps.Close())
		maps = modelOf(infoOf("x", 1, 3, 9, 13), infoOf("y", 1, 2, 9, 13), tensorOf(t, spread(81, 2*9*13, func(u float64) float64 { return u }), 1, 2, 9, 13), nil)
		classes, err := (&Segmenter{Model: maps}).Segment(ctx, img)
		require.NoError(t, err)
		require.Equal(t, img.Bounds(), classes.Rect)
		require.NoError(t, maps.Close())

		vectors := modelOf(infoOf("x", 1, 3, 112, 112), infoOf("y", 1, 4), tensorOf(t, []float32{0, 1, 0, 0}, 1, 4), &seen)
		points := keyPoints(goldenFaces.ArcFace[0].Points)
		for i := range points {
			points[i].Point = Point{points[i].X + float32(at.X-from.X), points[i].Y + float32(at.Y-from.Y)}
		}
		_, err = (&Embedder{Model: vectors}).EmbedFace(ctx, img, points)
		require.NoError(t, err)
		face := slices.Clone(seen)
		_, err = (&Embedder{Model: vectors}).Embed(ctx, img)
		require.NoError(t, err)
		best, err := (&Classifier{Model: vectors}).Classify(ctx, img)
		require.NoError(t, err)
		require.Equal(t, 1, best[0].Index)
		require.NoError(t, vectors.Close())

		x, err := common.NewTensor(common.Float32, 1, 3, 10, 10)
		require.NoError(t, err)
		back, err := new(Input).Fill(x, nil, 0, img)
		require.NoError(t, err)
		require.Equal(t, moved(0, 0), back.Apply(Point{}))
		if img == part {
			wantFace, wantWhole, wantClasses, wantMatte = face, seen, classes.Pix, matte.Pix
			continue
		}
		require.InDeltaSlice(t, wantFace, face, 1)
		require.Equal(t, wantWhole, seen)
		require.Equal(t, wantClasses, classes.Pix)
		require.Equal(t, wantMatte, matte.Pix)
	}
}

// What is missing in a task, or is no picture, is an error.
func TestTasksWithout(t *testing.T) {
	ctx := context.Background()
	m := modelOf(infoOf("x", 1, 3, -1, -1), infoOf("y", 1, 1, -1, -1), tensorOf(t, make([]float32, 4), 1, 1, 2, 2), nil)
	defer m.Close()
	calls := func(m *common.Model, img image.Image) map[string]error {
		in, all := Input{Size: image.Pt(2, 2)}, map[string]error{}
		_, all["Detector"] = (&Detector{Model: m, Input: in}).Detect(ctx, img)
		_, all["Classifier"] = (&Classifier{Model: m, Input: in}).Classify(ctx, img)
		_, all["Embedder"] = (&Embedder{Model: m, Input: in}).Embed(ctx, img)
		_, all["EmbedFace"] = (&Embedder{Model: m, Input: in}).EmbedFace(ctx, img, keyPoints([]float32{0, 0, 1, 0, 0, 1, 1, 1, 2, 2}))
		_, all["Segmenter"] = (&Segmenter{Model: m, Input: in}).Segment(ctx, img)
		_, all["Matter"] = (&Matter{Model: m, Input: in}).Matte(ctx, img)
		_, all["Matter of any size"] = (&Matter{Model: m, ShorterSide: 32}).Matte(ctx, img)
		return all
	}
	for _, m := range []*common.Model{nil, new(common.Model)} {
		for name, err := range calls(m, gray) {
			require.ErrorIs(t, err, common.ErrModel, name)
			require.ErrorContains(t, err, "there is no model", name)
		}
		_, err := New(m)
		require.ErrorIs(t, err, common.ErrModel)
		_, err = NewDetector(m)
		require.ErrorIs(t, err, common.ErrModel)
		_, err = NewMatter(m)
		require.ErrorIs(t, err, common.ErrModel)
	}
	for _, img := range []image.Image{nil, (*image.RGBA)(nil), (*image.YCbCr)(nil), image.NewGray(image.Rectangle{})} {
		for name, err := range calls(m, img) {
			require.ErrorIs(t, err, common.ErrInput, "%s of %T", name, img)
		}
	}
	_, err := (&Detector{Model: m, Input: Input{Size: image.Pt(2, 2)}}).Detect(ctx, gray)
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "Head")
}

// FuzzTasks gives tasks outputs of any shape and any numbers.
func FuzzTasks(f *testing.F) {
	f.Add(uint8(9), uint8(13), uint8(5), int32(1), uint8(0), uint16(20), uint16(30))
	f.Add(uint8(1), uint8(1), uint8(1), int32(2), uint8(1), uint16(1), uint16(3000))
	f.Add(uint8(0), uint8(3), uint8(200), int32(3), uint8(2), uint16(0), uint16(0))
	f.Fuzz(func(t *testing.T, a, b, c uint8, seed int32, kind uint8, w, h uint16) {
		shape := []int{1, int(a), int(b), int(c)}[:2+kind/2%3]
		n := common.Shape(shape).Elems()
		if n > 1e5 || int(w)*int(h) > 1e5 {
			return
		}
		data, x := make([]float32, n), uint32(seed)
		for i := range data {
			x = x*1664525 + 1013904223
			data[i] = math.Float32frombits(x)
			if x>>8&1 == 0 {
				data[i] = float32(x>>16) / 65536 * 20
			}
		}
		img := image.NewNRGBA(image.Rect(-3, 5, int(w)-3, int(h)+5))
		m := modelOf(infoOf("x", 1, 3, 16, 16), infoOf("y", []int{-1, -1, -1, -1}[:len(shape)]...), tensorOf(t, data, shape...), nil)
		defer m.Close()
		ctx := context.Background()
		_, _ = (&Classifier{Model: m, Top: int(kind)}).Classify(ctx, img)
		_, _ = (&Embedder{Model: m}).Embed(ctx, img)
		_, _ = (&Segmenter{Model: m, Nearest: kind&1 == 0}).Segment(ctx, img)
		_, _ = (&Matter{Model: m, MinMax: kind&1 == 0}).Matte(ctx, img)
		_, _ = New(m)
	})
}
