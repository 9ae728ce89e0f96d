// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginebench"
)

var digits = enginebench.Case{Engine: spec.Engine, Model: "../testdata/digits.tflite"}

func BenchmarkSession(b *testing.B) { enginebench.Session(b, digits) }
func BenchmarkModel(b *testing.B)   { enginebench.Model(b, digits) }
