// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"fmt"
	"log"

	"github.com/anyinfer/anyinfer/common"
)

// Filled makes a tensor of that shape whose elements all are v, of any type that a
// tensor can have.
func Filled[T common.Elem](v T, shape ...int) (*common.Tensor, error) {
	t, err := common.NewTensor(common.DTypeOf[T](), shape...)
	if err != nil {
		return nil, err
	}
	data, err := common.Data[T](t)
	if err != nil {
		return nil, err
	}
	for i := range data {
		data[i] = v
	}
	return t, nil
}

func ExampleElem() {
	t, err := Filled(float32(0.5), 2, 3)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(t.DType(), t.Shape())
	// Output: float32 [2 3]
}
