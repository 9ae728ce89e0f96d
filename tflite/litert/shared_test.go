// SPDX-License-Identifier: Apache-2.0

package litert_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/tfltest"
	"github.com/anyinfer/anyinfer/tflite/litert"
)

func TestBindOutput(t *testing.T) { tfltest.BindOutput(t, open(t), "../../testdata", "nonzero_cast") }

func TestShapes(t *testing.T) {
	tfltest.Shapes(t, open(t), "../../testdata", litert.Options{}, litert.Options{Kernels: litert.Builtin},
		litert.Options{Kernels: litert.Reference})
}
