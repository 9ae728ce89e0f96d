// SPDX-License-Identifier: Apache-2.0

package tflite_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	_ "github.com/anyinfer/anyinfer/tflite"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{Name: "tflite", Formats: []string{"tflite"}})
}
