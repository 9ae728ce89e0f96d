// SPDX-License-Identifier: Apache-2.0

package tnn_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginebench"
)

var digits = enginebench.Case{Engine: "tnn", Model: "../testdata/digits.tnnproto"}

// BenchmarkSession compares with a loop in C++ over TNN's own API.
func BenchmarkSession(b *testing.B) { enginebench.Session(b, digits) }
func BenchmarkModel(b *testing.B)   { enginebench.Model(b, digits) }
