// SPDX-License-Identifier: Apache-2.0

package litert_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/tfltest"
	"github.com/anyinfer/anyinfer/tflite/litert"
)

func TestBindOutput(t *testing.T) {
	tfltest.BindOutput(t, "litert", "digits", "digits_dynamic", "nonzero_cast", "aliases")
}

func TestShapes(t *testing.T) {
	tfltest.Shapes(t, "litert", litert.Options{}, litert.Options{Kernels: litert.Builtin},
		litert.Options{Kernels: litert.Reference})
}
