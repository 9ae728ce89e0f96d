// SPDX-License-Identifier: Apache-2.0

package mnn_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	_ "github.com/anyinfer/anyinfer/mnn"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{
		Name: "mnn", Formats: []string{"mnn"},
		Memory: map[string]float64{"mnn": 3.1}, // MNN copies a file, and its constants once more
	})
}
