// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/linktest"
)

//go:generate go test -run ^TestLinked$ -update

func TestLinked(t *testing.T) { linktest.Run(t, spec, symbols) }
