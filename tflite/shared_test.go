// SPDX-License-Identifier: Apache-2.0

package tflite_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/tfltest"
	"github.com/anyinfer/anyinfer/tflite"
)

func TestBindOutput(t *testing.T) {
	tfltest.BindOutput(t, open(t), "../testdata", "nonzero", "nonzero_cast")
}

func TestShapes(t *testing.T) {
	tfltest.Shapes(t, open(t), "../testdata", tflite.Options{}, tflite.Options{NoXNNPACK: true})
}
