// SPDX-License-Identifier: Apache-2.0

package mnn_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginebench"
)

var digits = enginebench.Case{Engine: "mnn", Model: "../testdata/digits.mnn"}

// BenchmarkSession compares with a loop in C++ over MNN's own API.
func BenchmarkSession(b *testing.B) { enginebench.Session(b, digits) }
func BenchmarkModel(b *testing.B)   { enginebench.Model(b, digits) }
