// SPDX-License-Identifier: Apache-2.0

package tflite_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/tfltest"
	"github.com/anyinfer/anyinfer/tflite"
)

func TestBindOutput(t *testing.T) {
	tfltest.BindOutput(t, "tflite", "digits", "digits_dynamic", "nonzero", "nonzero_cast", "aliases")
}

func TestShapes(t *testing.T) {
	tfltest.Shapes(t, "tflite", tflite.Options{}, tflite.Options{NoXNNPACK: true})
}
