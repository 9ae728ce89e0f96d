// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"log"

	"github.com/anyinfer/anyinfer/common"
)

// An image as the input of a model: [batch channels height width], values 0 to 1.
func ExampleTensor() {
	picture := image.NewRGBA(image.Rect(0, 0, 32, 24))
	picture.Set(5, 2, color.RGBA{R: 255, G: 51, A: 255})

	bounds := picture.Bounds()
	w, h := bounds.Dx(), bounds.Dy()
	t, err := common.NewTensor(common.Float32, 1, 3, h, w)
	if err != nil {
		log.Fatal(err)
	}
	data, err := common.Data[float32](t)
	if err != nil {
		log.Fatal(err)
	}
	for y := range h {
		for x := range w {
			p := picture.RGBAAt(bounds.Min.X+x, bounds.Min.Y+y)
			for c, v := range []uint8{p.R, p.G, p.B} {
				data[(c*h+y)*w+x] = float32(v) / 255
			}
		}
	}
	fmt.Println(t.DType(), t.Shape(), data[2*w+5], data[(h+2)*w+5])
	// Output: float32 [1 3 24 32] 1 0.2
}

func ExampleNewTensor() {
	t, err := common.NewTensor(common.Int64, 2, 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.DType(), t.Shape(), t.Len(), len(t.Bytes()))
	// Output: int64 [2 3] 6 48
}

// The tensor shares the slice: nothing is copied.
func ExampleFromSlice() {
	numbers := []float32{1, 2, 3, 4, 5, 6}
	t, err := common.FromSlice(numbers, 2, 3)
	if err != nil {
		log.Fatal(err)
	}
	numbers[0] = 9
	data, err := common.Data[float32](t)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.Shape(), data)
	// Output: [2 3] [9 2 3 4 5 6]
}

// A scalar has the empty shape; no shape at all means a vector.
func ExampleFromSlice_scalar() {
	scalar, err := common.FromSlice([]float32{0.5}, common.Shape{}...)
	if err != nil {
		log.Fatal(err)
	}
	vector, err := common.FromSlice([]float32{0.5})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(scalar.Shape(), vector.Shape())
	// Output: [] [1]
}

// The wrong type is an error, never an empty slice.
func ExampleData() {
	t, err := common.FromSlice([]int64{7})
	if err != nil {
		log.Fatal(err)
	}
	_, err = common.Data[float32](t)
	fmt.Println(err)
	// Output: dtype does not fit: the tensor holds int64, not float32
}

// A switch over the type of a tensor.
func ExampleDType() {
	t, err := common.FromSlice([]uint8{128, 255})
	if err != nil {
		log.Fatal(err)
	}
	switch t.DType() {
	case common.Float32:
		data, _ := common.Data[float32](t)
		fmt.Println("numbers", data)
	case common.Uint8:
		data, _ := common.Data[uint8](t)
		fmt.Println("bytes", data)
	default:
		fmt.Println("no way to print", t.DType())
	}
	// Output: bytes [128 255]
}

func ExampleParseDType() {
	dt, err := common.ParseDType("float16")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(dt, dt.Size(), "bytes")
	// Output: float16 2 bytes
}

// Float16 elements, from float32 and back.
func ExampleHalf() {
	halves := make([]common.Half, 2)
	for i, f := range []float32{0.1, 65504} {
		halves[i] = common.HalfOf(f)
	}
	t, err := common.FromSlice(halves)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.DType(), halves[0].Float32(), halves[1].Float32())
	// Output: float16 0.099975586 65504
}

// Bfloat16 has the range of float32, with a precision of about three digits.
func ExampleBHalf() {
	b := common.BHalfOf(3.14159)
	fmt.Printf("%#04x %v\n", uint16(b), b.Float32())
	// Output: 0x4049 3.140625
}

func ExampleShape() {
	shape := common.Shape{-1, 3, 224, 224} // any batch
	fmt.Println(shape, shape.Dynamic())
	fmt.Println(shape.Accepts(common.Shape{8, 3, 224, 224}), shape.Accepts(common.Shape{3, 224, 224}))
	fmt.Println(common.Shape{8, 3, 224, 224}.Elems(), shape.Elems())
	// Output:
	// [? 3 224 224] true
	// true false
	// 1204224 -1
}

// Batches of 1 to 32, optimized for 8. Other inputs are refused.
func ExampleShapeRange() {
	batches := common.ShapeRange{
		Min: common.Shape{1, 1, 8, 8},
		Opt: common.Shape{8, 1, 8, 8},
		Max: common.Shape{32, 1, 8, 8},
	}
	model, err := common.Load(context.Background(), common.File("../testdata/digits_dynamic.onnx"), &common.Options{
		Shapes: map[string]common.ShapeRange{"image": batches},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	fmt.Println(batches, batches.Contains(common.Shape{64, 1, 8, 8}))
	// Output: [1 1 8 8]..[32 1 8 8] false
}

// One fixed size for a model that accepts any: engines can prepare for it.
func ExampleFixed() {
	o := common.Options{Shapes: map[string]common.ShapeRange{
		"image": common.Fixed(1, 480, 640, 1),
	}}
	fmt.Println(o.Shapes["image"])
	// Output: [1 480 640 1]
}

// Real numbers for a quantized input, and from a quantized output.
func ExampleQuantization() {
	q := &common.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{-10}} // TensorInfo.Quant

	stored, err := common.NewTensor(common.Int8, 3)
	if err != nil {
		log.Fatal(err)
	}
	if err := q.Quantize(stored, []float32{3, -1, 1000}); err != nil {
		log.Fatal(err)
	}
	numbers := make([]float32, stored.Len())
	if err := q.Dequantize(numbers, stored); err != nil {
		log.Fatal(err)
	}
	fmt.Println(common.Data[int8](stored))
	fmt.Println(numbers)
	// Output:
	// [-4 -12 127] <nil>
	// [3 -1 68.5]
}
