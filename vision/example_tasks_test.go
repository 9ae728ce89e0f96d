// SPDX-License-Identifier: Apache-2.0

package vision_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"log"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/anyinfer/anyinfer/vision"
)

// pretend returns a model that takes pictures of 64x64 pixels and always gives the same
// numbers. A program has one from common.Load.
func pretend(output common.TensorInfo, numbers ...float32) *common.Model {
	sig := common.Signature{
		Inputs:  []common.TensorInfo{{Name: "image", DType: common.Float32, Shape: common.Shape{1, 3, 64, 64}}},
		Outputs: []common.TensorInfo{output},
	}
	return fake.NewModel(sig, nil, func(context.Context, common.Tensors) (common.Tensors, error) {
		x, err := common.FromSlice(numbers, output.Shape...)
		return common.Tensors{output.Name: x}, err
	})
}

var photograph = image.NewRGBA(image.Rect(0, 0, 640, 480))

func ExampleClassifier() {
	model := pretend(common.TensorInfo{Name: "scores", DType: common.Float32, Shape: common.Shape{1, 3}, Labels: []string{"cat", "dog", "bird"}}, 2, 4, -1)
	defer model.Close()
	classifier, err := vision.NewClassifier(model)
	if err != nil {
		log.Fatal(err)
	}
	classifier.Top = 2
	classes, err := classifier.Classify(context.Background(), photograph)
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range classes {
		fmt.Printf("%.2f %s\n", c.Score, c.Label)
	}
	// Output:
	// 0.88 dog
	// 0.12 cat
}

func ExampleSegmenter() {
	numbers := make([]float32, 2*8*8) // background, then road, which is at the bottom
	for i := range 8 * 8 {
		numbers[8*8+i] = float32(i/8) - 3.5
	}
	model := pretend(common.TensorInfo{Name: "logits", DType: common.Float32, Shape: common.Shape{1, 2, 8, 8}, Labels: []string{"background", "road"}}, numbers...)
	defer model.Close()
	segmenter, err := vision.NewSegmenter(model)
	if err != nil {
		log.Fatal(err)
	}
	classes, err := segmenter.Segment(context.Background(), photograph)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range []image.Point{{320, 20}, {320, 470}} {
		fmt.Println(p, segmenter.Labels[classes.ColorIndexAt(p.X, p.Y)])
	}
	// Output:
	// (320,20) background
	// (320,470) road
}

// A matte cuts a person out and puts them on another background.
func ExampleMatter() {
	numbers := make([]float32, 64*64)
	for i := range numbers {
		numbers[i] = float32(i%64) / 63
	}
	model := pretend(common.TensorInfo{Name: "alpha", DType: common.Float32, Shape: common.Shape{1, 1, 64, 64}}, numbers...)
	defer model.Close()
	matter, err := vision.NewMatter(model)
	if err != nil {
		log.Fatal(err)
	}
	matte, err := matter.Matte(context.Background(), photograph)
	if err != nil {
		log.Fatal(err)
	}
	beach := image.NewRGBA(photograph.Bounds())
	draw.Draw(beach, beach.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.DrawMask(beach, beach.Rect, photograph, image.Point{}, matte, image.Point{}, draw.Over)
	fmt.Println(matte.AlphaAt(0, 0).A, matte.AlphaAt(639, 0).A)
	// Output: 0 255
}

func ExampleEmbedder() {
	model := pretend(common.TensorInfo{Name: "image_embeds", DType: common.Float32, Shape: common.Shape{1, 2}}, 3, 4)
	defer model.Close()
	embedder, err := vision.NewEmbedder(model)
	if err != nil {
		log.Fatal(err)
	}
	v, err := embedder.Embed(context.Background(), photograph)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f %.1f\n", v, vision.Cosine(v, []float32{0, 1}))
	// Output: [0.6 0.8] 0.8
}

// The best of the classes comes first.
func ExampleClass() {
	fmt.Printf("%+v\n", vision.Class{Index: 281, Label: "tabby", Score: 0.75})
	// Output: {Index:281 Label:tabby Score:0.75}
}

// describe says what a task of any kind finds in a picture.
func describe(ctx context.Context, task vision.Task, img image.Image) (string, error) {
	switch t := task.(type) {
	case *vision.Classifier:
		classes, err := t.Classify(ctx, img)
		return fmt.Sprint("classes: ", len(classes)), err
	case *vision.Matter:
		matte, err := t.Matte(ctx, img)
		return fmt.Sprint("matte of ", matte.Bounds()), err
	}
	return "", fmt.Errorf("no words for %T", task)
}

// A program takes whatever model its user has.
func ExampleTask() {
	model := pretend(common.TensorInfo{Name: "scores", DType: common.Float32, Shape: common.Shape{1, 2}, Labels: []string{"cat", "dog"}}, 1, 2)
	defer model.Close()
	task, err := vision.New(model)
	if err != nil {
		log.Fatal(err)
	}
	vision.InputOf(task).Fit = vision.Stretch
	fmt.Println(describe(context.Background(), task, photograph))
	// Output: classes: 2 <nil>
}

// A server replaces the model of a task while its handlers use it.
func ExampleModel() {
	ctx := context.Background()
	info := common.TensorInfo{Name: "scores", DType: common.Float32, Shape: common.Shape{1, 2}, Labels: []string{"cat", "dog"}}
	var live common.LiveModel
	if err := live.Replace(ctx, pretend(info, 1, 3)); err != nil {
		log.Fatal(err)
	}
	defer live.Shutdown(ctx)
	var model vision.Model = &live
	classifier, err := vision.NewClassifier(model)
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		classes, err := classifier.Classify(ctx, photograph)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(classes[0].Label)
		if err := live.Replace(ctx, pretend(info, 3, 1)); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// dog
	// cat
}
