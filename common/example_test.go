// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anyinfer/anyinfer/common"
)

func Example() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()

	pixels := make([]float32, 8*8)
	image, err := common.FromSlice(pixels, 1, 1, 8, 8)
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Run(ctx, common.Tensors{"image": image})
	if err != nil {
		log.Fatal(err)
	}
	scores, err := common.Get[float32](out, "scores")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(scores), "scores")
	// Output: 10 scores
}

// An engine opened by name, with a given library and a logger of its own.
func ExampleConfig() {
	engine, err := common.Open("openvino", &common.Config{
		Library: "/opt/intel/openvino/runtime/lib/intel64",
		Logger:  slog.New(slog.NewJSONHandler(os.Stderr, nil)),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	fmt.Println(engine.Info().Name)
	// Output: openvino
}

// One engine for several models, which close with it.
func ExampleEngine() {
	ctx := context.Background()
	engine, err := common.Open("openvino", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	onnx, err := engine.Load(ctx, common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	ir, err := engine.Load(ctx, common.File("../testdata/digits.xml"), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(onnx.Info().Format, ir.Info().Format)
	// Output: onnx openvino
}

// Which engines are ready here?
func ExampleEngineInfo() {
	for _, name := range []string{"openvino", "tflite"} { // common.Engines() has all
		engine, err := common.Open(name, nil)
		if err != nil {
			fmt.Println(err) // has the places that were searched and the command that installs it
			continue
		}
		info := engine.Info()
		fmt.Println(info.Name, "is ready")
		engine.Close()
	}
	// Output:
	// openvino is ready
	// tflite is ready
}

// A GPU if there is one, else the engine's default device.
func ExampleDevice() {
	engine, err := common.Open("openvino", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	ctx := context.Background()
	devices, err := engine.Devices(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var o common.Options
	for _, d := range devices {
		if strings.HasPrefix(d.Name, "GPU") {
			o.Device = d.Name
			break
		}
	}
	model, err := engine.Load(ctx, common.File("../testdata/digits.onnx"), &o)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(model.Info().Device)
	// Output: CPU
}

// A server that runs four requests at the same time, with two threads each.
func ExampleOptions() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits.onnx"), &common.Options{
		Sessions: 4,
		Threads:  2,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	info := model.Info()
	fmt.Printf("%d sessions of %d threads\n", info.Sessions, info.Threads)
	// Output: 4 sessions of 2 threads
}

// An option that the engine does not support is an error, never ignored.
func ExampleOptions_refused() {
	_, err := common.Load(context.Background(), common.File("../testdata/digits.onnx"), &common.Options{
		Precision: common.Float16,
	})
	fmt.Println(err)
	// Output: openvino: load ../testdata/digits.onnx: option not usable: Precision float16 is not supported
}

// How a model was loaded, for a program's log.
func ExampleModelInfo() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	engine, info := model.Engine(), model.Info()
	fmt.Println(engine.Name, info.Format, info.Device, info.Sessions)
	// Output: openvino onnx CPU 1
}

// Any number of goroutines call Run.
func ExampleModel() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.File("../testdata/digits.onnx"), &common.Options{Sessions: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()

	var requests sync.WaitGroup
	for range 10 {
		requests.Go(func() {
			image, err := common.NewTensor(common.Float32, 1, 1, 8, 8)
			if err != nil {
				log.Fatal(err)
			}
			if _, err := model.Run(ctx, common.Tensors{"image": image}); err != nil {
				log.Fatal(err)
			}
		})
	}
	requests.Wait()
	fmt.Println("done")
	// Output: done
}

// A Run with a time limit. Engines that can be interrupted stop when it is over.
func ExampleModel_Run() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	image, err := common.NewTensor(common.Float32, 1, 1, 8, 8)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := model.Run(ctx, common.Tensors{"image": image})
	if errors.Is(err, context.DeadlineExceeded) {
		log.Fatal("too slow")
	}
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["scores"].Shape())
	// Output: [1 10]
}

// The inputs and outputs of a model.
func ExampleModel_Signatures() {
	model, err := common.Load(context.Background(), common.File("../testdata/edges.tflite"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	for _, s := range model.Signatures() {
		for _, in := range s.Inputs {
			fmt.Println("input", in.Name, in.DType, in.Shape)
		}
		for _, out := range s.Outputs {
			fmt.Println("output", out.Name, out.DType, out.Shape)
		}
	}
	// Output:
	// input image float32 [1 ? ? 1]
	// output edges float32 [1 ? ? 1]
}

// Tensors of the right type and size for any model.
func ExampleSignature() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	in := common.Tensors{}
	for _, info := range model.Signatures()[0].Inputs {
		if in[info.Name], err = common.NewTensor(info.DType, info.Shape...); err != nil {
			log.Fatal(err) // the shape is dynamic: the program has to choose one
		}
	}
	out, err := model.Run(context.Background(), in)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out["scores"].Shape())
	// Output: [1 10]
}

// A classifier's answer in words, for a model whose file has labels.
func ExampleTensorInfo() {
	info := common.TensorInfo{Name: "scores", Labels: []string{"cat", "dog", "fox"}} // of Signature.Outputs
	scores := []float32{0.1, 0.2, 0.7}

	best := 0
	for i := range scores {
		if scores[i] > scores[best] {
			best = i
		}
	}
	if best < len(info.Labels) {
		fmt.Println(info.Labels[best], scores[best])
	}
	// Output: fox 0.7
}

// Inputs and outputs are found by name.
func ExampleTensors() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	image, err := common.NewTensor(common.Float32, 1, 1, 8, 8)
	if err != nil {
		log.Fatal(err)
	}
	out, err := model.Run(context.Background(), common.Tensors{"image": image})
	if err != nil {
		log.Fatal(err)
	}
	for name, t := range out {
		fmt.Println(name, t.DType(), t.Shape())
	}
	// Output: scores float32 [1 10]
}

// A hot loop: the tensors stay bound, and Run allocates nothing.
func ExampleSession() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	session, err := model.NewSession(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	pixels, err := common.Data[float32](session.Input(0))
	if err != nil {
		log.Fatal(err)
	}
	for frame := range 3 {
		pixels[frame] = 1 // here a program copies the camera's picture
		if err := session.Run(ctx); err != nil {
			log.Fatal(err)
		}
		scores, err := common.Data[float32](session.Output(0)) // valid until the next Run
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(scores)
	}
	// Output:
	// [0 1 0 0 0 0 0 0 0 0]
	// [0 0 1 0 0 0 0 0 0 0]
	// [0 0 0 1 0 0 0 0 0 0]
}

// A server that avoids the copies of Model.Run by using its sessions directly.
func ExampleModel_AcquireSession() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.File("../testdata/digits.onnx"), &common.Options{Sessions: 2})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()

	recognize := func(ctx context.Context, pixels []float32) (int, error) {
		session, err := model.AcquireSession(ctx, "") // waits while both sessions are in use
		if err != nil {
			return 0, err
		}
		defer session.Close() // returns it to the model
		image, err := common.Data[float32](session.InputByName("image"))
		if err != nil {
			return 0, err
		}
		copy(image, pixels)
		if err := session.Run(ctx); err != nil {
			return 0, err
		}
		scores, err := common.Data[float32](session.OutputByName("scores"))
		if err != nil {
			return 0, err
		}
		return slices.Index(scores, slices.Max(scores)), nil
	}
	fmt.Println(recognize(ctx, []float32{0, 0, 1}))
	// Output: 1 <nil>
}

// A server's statistics, and its answer when too many requests wait.
func ExampleStats() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.File("../testdata/digits.onnx"), &common.Options{MaxWaiting: -1})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()

	session, err := model.AcquireSession(ctx, "") // the model's only session
	if err != nil {
		log.Fatal(err)
	}
	_, err = model.AcquireSession(ctx, "")
	fmt.Println("busy, HTTP 429:", errors.Is(err, common.ErrBusy))
	if err := session.Run(ctx); err != nil {
		log.Fatal(err)
	}
	stats := model.Stats()
	fmt.Println(stats.Runs, "run,", stats.Failures, "failed,", stats.InUse, "session in use,", stats.Refused, "call refused")
	// Output:
	// busy, HTTP 429: true
	// 1 run, 0 failed, 1 session in use, 1 call refused
}

// A new version of a model replaces the old one while requests come in.
func ExampleLiveModel() {
	ctx := context.Background()
	var live common.LiveModel // used by handlers
	load := func(path string) error {
		model, err := common.Load(ctx, common.File(path), nil)
		if err != nil {
			return err // the old model stays current
		}
		drain, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return live.Replace(drain, model)
	}
	for _, version := range []string{"../testdata/digits.onnx", "../testdata/digits.xml"} {
		if err := load(version); err != nil {
			log.Fatal(err)
		}
		scores, err := classify(ctx, &live, make([]float32, 64))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(live.Model().Info().Format, len(scores))
	}
	if err := live.Shutdown(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// onnx 10
	// openvino 10
}

// A recurrent model whose results are the inputs of the next Run.
func ExampleSession_BindOutput() {
	ctx := context.Background()
	weight := common.Bytes([]byte("0.5")).As("smooth") // the engine in Driver's example
	model, err := common.Load(ctx, weight, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	session, err := model.NewSession(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	signal := []float32{16, 16, 16}
	x, err := common.FromSlice(signal)
	if err != nil {
		log.Fatal(err)
	}
	smooth := make([]float32, 3)
	y, err := common.FromSlice(smooth)
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		if err := errors.Join(session.BindInput(0, x), session.BindOutput(0, y), session.Run(ctx)); err != nil {
			log.Fatal(err)
		}
		x, y = y, x
	}
	fmt.Println(smooth, signal)
	// Output: [8 12 14] [11 11.5 12.75]
}

// A dynamic input has the shape of the tensor that is bound.
func ExampleSession_BindInput() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.File("../testdata/edges.tflite"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	session, err := model.NewSession(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	for _, width := range []int{640, 1280} {
		image, err := common.NewTensor(common.Float32, 1, 480, width, 1)
		if err != nil {
			log.Fatal(err)
		}
		if err := session.BindInput(0, image); err != nil {
			log.Fatal(err)
		}
		if err := session.Run(ctx); err != nil {
			log.Fatal(err)
		}
		fmt.Println(session.Output(0).Shape())
	}
	// Output:
	// [1 480 640 1]
	// [1 480 1280 1]
}

// The start of a new stream. A Session keeps the model's variables from Run to Run
// until Reset.
func ExampleSession_Reset() {
	ctx := context.Background()
	weight := common.Bytes([]byte("0.5")).As("smooth") // the engine in Driver's example
	model, err := common.Load(ctx, weight, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	session, err := model.NewSession(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	signal, err := common.FromSlice([]float32{8})
	if err != nil {
		log.Fatal(err)
	}
	if err := session.BindInput(0, signal); err != nil {
		log.Fatal(err)
	}
	for i := range 4 {
		if i == 2 {
			if err := session.Reset(); err != nil {
				log.Fatal(err)
			}
		}
		if err := session.Run(ctx); err != nil {
			log.Fatal(err)
		}
		smooth, err := common.Data[float32](session.Output(0))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(smooth)
	}
	// Output:
	// [4]
	// [6]
	// [4]
	// [6]
}

// The time of each layer.
func ExampleLayerTime() {
	ctx := context.Background()
	weight := common.Bytes([]byte("0.5")).As("smooth") // the engine in Driver's example
	model, err := common.Load(ctx, weight, &common.Options{Profile: true})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	session, err := model.NewSession(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	signal, err := common.NewTensor(common.Float32, 1000)
	if err != nil {
		log.Fatal(err)
	}
	if err := session.BindInput(0, signal); err != nil {
		log.Fatal(err)
	}
	if err := session.Run(ctx); err != nil {
		log.Fatal(err)
	}
	layers, err := session.Profile()
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range layers {
		fmt.Println(l.Name, l.Type, time.Duration(l.Duration)*time.Microsecond < time.Second)
	}
	// Output: y Smooth true
}

// In a Session, a model with variables continues where the last Run ended, until
// Reset. Model.Run always starts from their initial values.
func ExampleState() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.Bytes([]byte("0.5")).As("smooth"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	fmt.Println(model.Info().State)
	session, err := model.NewSession(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	x, err := common.FromSlice([]float32{8})
	if err != nil {
		log.Fatal(err)
	}
	if err := session.BindInput(0, x); err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		if i == 2 {
			if err := session.Reset(); err != nil {
				log.Fatal(err)
			}
		}
		if err := session.Run(ctx); err != nil {
			log.Fatal(err)
		}
		y, err := common.Data[float32](session.Output(0))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(y)
	}
	// Output:
	// stateful
	// [4]
	// [6]
	// [4]
}
