// SPDX-License-Identifier: Apache-2.0

package main

import (
	"log/slog"
	"os"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// TestOrderForONNX: common.Load takes onnxruntime for ONNX. A file of a later version
// of ONNX than that has is refused there and runs on openvino, which reads any.
func TestOrderForONNX(t *testing.T) {
	enginetest.Require(t, "onnxruntime")
	enginetest.Require(t, "openvino")
	file, err := os.ReadFile(fixtures + "digits.onnx")
	require.NoError(t, err)
	image, err := npy.ReadFile(fixtures + "expected/digits_0_image.npy")
	require.NoError(t, err)
	want, err := npy.ReadFile(fixtures + "expected/digits_0_scores.npy")
	require.NoError(t, err)
	require.Equal(t, "\x08\x08", string(file[:2]), "field 1, ir_version, is 8")
	later := append([]byte("\x08\x7f"), file[2:]...)
	for engine, file := range map[string][]byte{"onnxruntime": file, "openvino": later} {
		t.Run(engine, func(t *testing.T) {
			var log enginetest.Log
			before := slog.Default()
			slog.SetDefault(log.Logger())
			defer slog.SetDefault(before)
			m, err := common.Load(t.Context(), common.Bytes(file).As("onnx"), nil)
			require.NoError(t, err)
			defer m.Close()
			require.Equal(t, engine, m.Engine().Name)
			out, err := m.Run(t.Context(), common.Tensors{"image": image})
			require.NoError(t, err)
			require.InDeltaSlice(t, values.Float64s(want), values.Float64s(out["scores"]), 1e-5)
			const passedOver = `level=DEBUG msg="engine passed over" engine=onnxruntime`
			if engine == "onnxruntime" {
				require.NotContains(t, log.String(), passedOver)
			} else {
				require.Contains(t, log.String(), passedOver)
				require.Contains(t, log.String(), "Unsupported model IR version: 127")
			}
		})
	}
}
