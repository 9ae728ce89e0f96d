// SPDX-License-Identifier: Apache-2.0

package litert_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/tfltest"
)

func TestBindOutput(t *testing.T) { tfltest.BindOutput(t, open(t), "../../testdata", "nonzero_cast") }
