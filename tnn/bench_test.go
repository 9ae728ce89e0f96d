// SPDX-License-Identifier: Apache-2.0

package tnn_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/enginebench"
	"github.com/anyinfer/anyinfer/internal/shims"
)

var digits = enginebench.Case{Engine: "tnn", Model: "../testdata/digits.tnnproto"}

// BenchmarkSession compares with a loop in C++ over TNN's own API.
func BenchmarkSession(b *testing.B) {
	recipe, _ := shims.Find("tnn")
	flags, err := recipe.ProgramFlags()
	if err != nil {
		b.Skip(err)
	}
	c := digits
	c.CXXFlags = flags
	enginebench.Session(b, c)
}

func BenchmarkModel(b *testing.B)    { enginebench.Model(b, digits) }
func BenchmarkParallel(b *testing.B) { enginebench.Parallel(b, digits) }
