// SPDX-License-Identifier: Apache-2.0

package litert_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
)

func TestConformance(t *testing.T) {
	const (
		data      = "LiteRT cannot return an output whose size depends on the data unless another operator makes it"
		variables = "LiteRT has no variable tensors"
		strings   = "LiteRT cannot resize an output of strings"
	)
	enginetest.Run(t, enginetest.Engine{Name: "litert", Formats: []string{"tflite"}, Skip: map[string]string{
		"metadata/tflite/nonzero": data,
		"results/tflite/nonzero":  data,
		"metadata/tflite/rnn":     variables,
		"results/tflite/rnn":      variables,
		"states/tflite/rnn":       variables,
		"metadata/tflite/strings": strings,
		"results/tflite/strings":  strings,
		"metadata/tflite/lookup":  strings,
		"results/tflite/lookup":   strings,
	}})
}
