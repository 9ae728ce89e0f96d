// SPDX-License-Identifier: Apache-2.0

package tnn_test

import (
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/enginebench"
	"github.com/anyinfer/anyinfer/internal/shims"
)

var digits = enginebench.Case{Engine: "tnn", Model: "../testdata/digits.tnnproto"}

// BenchmarkSession compares with a loop in C++ over TNN's own API.
func BenchmarkSession(b *testing.B) {
	if e, err := common.Open("tnn", nil); err == nil {
		defer e.Close()
		if strings.Contains(e.Info().Version, "standin") {
			b.Skip("a stand-in's speed means nothing")
		}
	}
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
