// SPDX-License-Identifier: Apache-2.0

package mnn_test

import (
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/internal/enginebench"
	"github.com/anyinfer/anyinfer/internal/shims"
)

var digits = enginebench.Case{Engine: "mnn", Model: "../testdata/digits.mnn"}

// BenchmarkSession compares with a loop in C++ over MNN's own API.
func BenchmarkSession(b *testing.B) {
	recipe, _ := shims.Find("mnn")
	root, err := recipe.Root("", recipe.Installed()...)
	if err != nil {
		b.Skip(err)
	}
	libs, err := recipe.SDK.Find(root)
	if err != nil {
		b.Fatal(err)
	}
	c := digits
	c.CXXFlags = append([]string{"-std=c++17", "-I", filepath.Join(root, "include"), "-Wl,-rpath," + filepath.Dir(libs[0])}, append(libs, "-pthread")...)
	enginebench.Session(b, c)
}

func BenchmarkModel(b *testing.B)    { enginebench.Model(b, digits) }
func BenchmarkParallel(b *testing.B) { enginebench.Parallel(b, digits) }
