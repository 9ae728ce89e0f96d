// SPDX-License-Identifier: Apache-2.0

// Package enginebench has the benchmarks that engines share. What Session.Run
// costs beyond the native calls is measured against a loop in C over the same
// calls, on the same library, built here with the C compiler of the machine.
//
//	func BenchmarkSession(b *testing.B) {
//		enginebench.Session(b, enginebench.Case{Engine: "tflite", Model: "../testdata/digits.tflite"})
//	}
//
//	go test ./tflite -run='^$' -bench=.
package enginebench
