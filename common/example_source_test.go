// SPDX-License-Identifier: Apache-2.0

package common_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/anyinfer/anyinfer/common"
)

func ExampleFile() {
	model, err := common.Load(context.Background(), common.File("../testdata/digits.onnx"), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	fmt.Println(model.Info().Format)
	// Output: onnx
}

// A model whose weights are in another folder, or have another name.
func ExampleFiles() {
	src := common.Files("../testdata/digits.xml", "../testdata/digits.bin")
	fmt.Println(src.Format(), src.Paths())
	// Output: openvino [../testdata/digits.xml ../testdata/digits.bin]
}

// A model from a database, or one that was decrypted.
func ExampleBytes() {
	data, err := os.ReadFile("../testdata/digits.onnx")
	if err != nil {
		log.Fatal(err)
	}
	model, err := common.Load(context.Background(), common.Bytes(data), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer model.Close()
	fmt.Println(model.Info().Format) // found by the first bytes
	// Output: onnx
}

// A model in the program itself:
//
//	//go:embed models
//	var models embed.FS
//
//	common.FS(models, "models/digits.xml")
func ExampleFS() {
	src := common.FS(os.DirFS("../testdata"), "digits.xml") // and digits.bin beside it
	fmt.Println(src.Format(), src.Name())
	// Output: openvino digits.xml
}

// A model whose format neither its name nor its first bytes show.
func ExampleSource_As() {
	src := common.Bytes([]byte("0.5"))
	fmt.Printf("%q %q\n", src.Format(), src.As("smooth").Format())
	// Output: "" "smooth"
}
