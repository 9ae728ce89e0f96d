// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"

	"github.com/anyinfer/anyinfer/common"
)

// The details of an error, and the hint what to do next.
func ExampleError() {
	_, err := common.Open("mnn", nil)
	var e *common.Error
	if errors.As(err, &e) && errors.Is(err, common.ErrNotAvailable) {
		fmt.Println(e.Hint)
	}
	// Output: import its package: _ "github.com/anyinfer/anyinfer/mnn"
}

// The HTTP status for an error of Model.Run.
func ExampleError_http() {
	status := func(err error) int {
		switch {
		case err == nil:
			return http.StatusOK
		case errors.Is(err, common.ErrInput): // ErrShape, ErrDType, ErrName and ErrCount too
			return http.StatusBadRequest
		case errors.Is(err, common.ErrClosed):
			return http.StatusServiceUnavailable
		case errors.Is(err, context.DeadlineExceeded):
			return http.StatusGatewayTimeout
		}
		return http.StatusInternalServerError
	}

	ctx := context.Background()
	model, err := common.Load(ctx, common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	image, err := common.NewTensor(common.Float32, 1, 3, 224, 224)
	if err != nil {
		log.Fatal(err)
	}
	_, err = model.Run(ctx, common.Tensors{"image": image})
	fmt.Println(status(err), err)
	// Output: 400 openvino: run: shape does not fit: input "image" takes the shape [1 1 8 8], not [1 3 224 224]
}
