// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/anyinfer/anyinfer/common"
)

// Measured is a Runner that measures the time of another Runner.
type Measured struct {
	common.Runner
	Runs  atomic.Int64
	Nanos atomic.Int64
}

func (m *Measured) Run(ctx context.Context, in common.Tensors) (common.Tensors, error) {
	begin := time.Now()
	out, err := m.Runner.Run(ctx, in)
	m.Runs.Add(1)
	m.Nanos.Add(time.Since(begin).Nanoseconds())
	return out, err
}

// classify works with a model and with every Runner that wraps one.
func classify(ctx context.Context, r common.Runner, pixels []float32) ([]float32, error) {
	image, err := common.FromSlice(pixels, 1, 1, 8, 8)
	if err != nil {
		return nil, err
	}
	out, err := r.Run(ctx, common.Tensors{"image": image})
	if err != nil {
		return nil, err
	}
	return common.Get[float32](out, "scores")
}

func ExampleRunner() {
	ctx := context.Background()
	model, err := common.Load(ctx, common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()

	measured := &Measured{Runner: model}
	for range 3 {
		if _, err := classify(ctx, measured, make([]float32, 64)); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(measured.Runs.Load(), "runs in less than a second:", measured.Nanos.Load() < 1e9)
	// Output: 3 runs in less than a second: true
}
