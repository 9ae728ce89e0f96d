// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func doctorJSON(t *testing.T, args ...string) (code int, byName map[string]health) {
	t.Helper()
	code, stdout, _ := process(t, append([]string{"doctor", "--json"}, args...)...)
	var all []health
	require.NoError(t, json.Unmarshal([]byte(stdout), &all))
	byName = map[string]health{}
	for _, h := range all {
		byName[h.Engine] = h
	}
	return code, byName
}

func TestDoctorMissing(t *testing.T) {
	t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
	t.Setenv("ANYINFER_TFLITE_LIBRARY", "")
	t.Setenv("ANYINFER_LITERT_LIBRARY", filepath.Join(t.TempDir(), "nowhere"))
	t.Setenv("ANYINFER_OPENVINO_LIBRARY", filepath.Join(t.TempDir(), "nowhere"))
	t.Setenv("ANYINFER_TNN_LIBRARY", "")
	t.Setenv("ANYINFER_TENSORRT_LIBRARY", "")
	code, engines := doctorJSON(t)
	if engines["tflite"].Status == "ready" {
		t.Skip("the system's loader has TFLite")
	}
	require.Equal(t, 1, code)
	require.Equal(t, "missing", engines["tflite"].Status)
	require.Contains(t, engines["tflite"].Fix, "anyinfer sdk install tflite")
	require.Equal(t, "missing", engines["openvino"].Status)
	require.Contains(t, engines["openvino"].Fix, "ANYINFER_OPENVINO_LIBRARY")

	code, stdout, stderr := process(t, "doctor")
	require.Equal(t, 1, code)
	require.Contains(t, stdout, "tried $ANYINFER_TFLITE_LIBRARY: not set")
	require.Equal(t, "anyinfer: no engine is ready\n", stderr)
}

func TestDoctorBroken(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "libtensorflowlite_c.so")
	require.NoError(t, os.WriteFile(broken, []byte("not a library"), 0o666))
	t.Setenv("ANYINFER_TFLITE_LIBRARY", broken)
	code, engines := doctorJSON(t)
	require.Equal(t, 1, code)
	require.Equal(t, "broken", engines["tflite"].Status)
	require.Equal(t, broken, engines["tflite"].Library)
	require.Contains(t, engines["tflite"].Error, broken)
}

func TestDoctorEngine(t *testing.T) {
	t.Setenv("ANYINFER_SDK_DIR", t.TempDir())
	t.Setenv("ANYINFER_MNN_LIBRARY", filepath.Join(t.TempDir(), "nowhere"))
	broken := filepath.Join(t.TempDir(), "libtensorflowlite_c.so")
	require.NoError(t, os.WriteFile(broken, []byte("not a library"), 0o666))
	t.Setenv("ANYINFER_TFLITE_LIBRARY", broken)

	code, engines := doctorJSON(t, "--engine", "mnn")
	require.Equal(t, 1, code)
	require.Len(t, engines, 1)
	require.Equal(t, "missing", engines["mnn"].Status)
	code, stdout, stderr := process(t, "doctor", "--engine", "mnn")
	require.Equal(t, 1, code)
	require.NotContains(t, stdout, "tflite")
	require.Equal(t, "anyinfer: 1 of 1 engines missing\n", stderr)

	code, engines = doctorJSON(t, "--engine", "tflite,mnn")
	require.Equal(t, 1, code)
	require.Equal(t, "broken", engines["tflite"].Status)
	require.Len(t, engines, 2)

	code, _, stderr = process(t, "doctor", "--engine", "tflit")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "tflite")
}

func TestDoctorEngineReady(t *testing.T) {
	enginetest(t)
	// What is broken beside it does not matter.
	t.Setenv("ANYINFER_OPENVINO_LIBRARY", filepath.Join(t.TempDir(), "nowhere"))
	t.Setenv("ANYINFER_MNN_LIBRARY", filepath.Join(t.TempDir(), "nowhere"))
	code, engines := doctorJSON(t, "--engine", "tflite")
	require.Zero(t, code)
	require.Equal(t, "ready", engines["tflite"].Status)
	code, _ = doctorJSON(t, "--engine", "tflite,mnn")
	require.Equal(t, 1, code, "one that is missing is enough")
}

func TestDoctorReady(t *testing.T) {
	enginesTest(t)
	code, engines := doctorJSON(t)
	require.Zero(t, code)
	for name, h := range engines {
		require.Equal(t, "ready", h.Status, name)
		require.NotEmpty(t, h.Version)
		require.NotEmpty(t, h.Devices)
		require.FileExists(t, h.Library)
	}
}
