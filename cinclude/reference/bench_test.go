// SPDX-License-Identifier: Apache-2.0

package reference_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginebench"
)

// fivedim takes less than a microsecond, so the benchmarks show the cost of calls.
var fivedim = enginebench.Case{Engine: "reference", Model: "../../testdata/fivedim.ref"}

func BenchmarkSession(b *testing.B) { enginebench.Session(b, fivedim) }
func BenchmarkModel(b *testing.B)   { enginebench.Model(b, fivedim) }
