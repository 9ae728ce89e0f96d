// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/mnn" // each import adds an engine
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	"github.com/anyinfer/anyinfer/testdata"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
	_ "github.com/anyinfer/anyinfer/tnn"
)

// open opens the engine of that name, or the first one that is ready.
func open(name string) (*common.Engine, error) {
	if name != "" {
		return common.Open(name, nil)
	}
	var missing []error
	for _, name := range common.Engines() {
		engine, err := common.Open(name, nil)
		if err == nil {
			return engine, nil
		}
		missing = append(missing, err)
	}
	return nil, errors.Join(missing...)
}

// digits returns the model in the engine's preferred format.
func digits(engine string) common.Source {
	files := map[string]string{"onnx": "digits.onnx", "tflite": "digits.tflite", "mnn": "digits.mnn", "tnn": "digits.tnnproto"}
	for _, format := range common.Formats(engine) {
		if name, ok := files[format]; ok {
			return common.FS(testdata.FS, name)
		}
	}
	return common.Source{} // Load returns an error for it
}
