// SPDX-License-Identifier: Apache-2.0

package reference_test

import (
	"context"
	"fmt"
	"log"

	"github.com/anyinfer/anyinfer/cinclude/reference"
	"github.com/anyinfer/anyinfer/common"
)

func ExampleOptions() {
	model, err := common.Load(context.Background(), common.File("../../testdata/multi.ref"), &common.Options{
		Native: reference.Options{Verbose: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	fmt.Println(model.Engine().Name, len(model.Signatures()[0].Inputs), "inputs")
	// Output: reference 2 inputs
}
