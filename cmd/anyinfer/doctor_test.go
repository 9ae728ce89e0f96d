// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
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
	require.NotContains(t, stdout, "tried", "details are printed only where an engine is named")
	require.Regexp(t, `\ntflite +missing +- +- +anyinfer sdk install tflite\n`, stdout)
	require.Regexp(t, `\nopenvino +missing +- +- +correct ANYINFER_OPENVINO_LIBRARY, or unset it\n`, stdout)
	require.Equal(t, "anyinfer: no engine is ready\n", stderr)
	require.Equal(t, 1+len(common.Engines()), strings.Count(stdout, "\n"), "a line an engine: %s", stdout)

	_, stdout, _ = process(t, "doctor", "--verbose")
	require.Contains(t, stdout, "\n    tried $ANYINFER_TFLITE_LIBRARY: not set\n")
	require.Equal(t, 1, strings.Count(stdout, "anyinfer sdk install tflite"), "each fix once: %s", stdout)
	require.Equal(t, len(common.Engines()), strings.Count(stdout, " is missing\n"))
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

	code, stdout, stderr := process(t, "doctor")
	require.Equal(t, 1, code)
	require.Regexp(t, `\ntflite +broken +- +- +type 'anyinfer doctor tflite'\n`, stdout)
	require.NotContains(t, stdout, "tried")
	require.Equal(t, "anyinfer: not working: tflite; type 'anyinfer doctor tflite' for the reason\n", stderr)
	code, stdout, stderr = process(t, "doctor", "tflite")
	require.Equal(t, 1, code)
	require.Contains(t, stdout, "tflite is broken\n  tflite: open "+broken+": ")
	require.Equal(t, 1, strings.Count(stdout, "correct ANYINFER_TFLITE_LIBRARY, or unset it"))
	require.Equal(t, "anyinfer: not working: tflite\n", stderr)
}

func TestDoctorNotSupported(t *testing.T) {
	var b strings.Builder
	require.NoError(t, printHealth(&b, []health{{Engine: "litert", Status: "missing", Error: "needs a newer processor"}}, false, false))
	require.Regexp(t, `\nlitert +missing +- +- +type 'anyinfer doctor litert'\n$`, b.String())
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
	code, stdout, stderr := process(t, "doctor", "mnn")
	require.Equal(t, 1, code)
	require.NotContains(t, stdout, "tflite")
	require.Regexp(t, `^mnn is missing\n(.*\n)+    fix: correct ANYINFER_MNN_LIBRARY, or unset it\n$`, stdout)
	require.Equal(t, "anyinfer: not installed: mnn\n", stderr)

	code, engines = doctorJSON(t, "tflite", "mnn")
	require.Equal(t, 1, code)
	require.Equal(t, "broken", engines["tflite"].Status)
	require.Len(t, engines, 2)

	code, _, stderr = process(t, "doctor", "--engine", "tflit")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "tflite")
}

func TestDoctorEngineReady(t *testing.T) {
	requireEngines(t)
	// Other engines do not matter.
	t.Setenv("ANYINFER_OPENVINO_LIBRARY", filepath.Join(t.TempDir(), "nowhere"))
	t.Setenv("ANYINFER_MNN_LIBRARY", filepath.Join(t.TempDir(), "nowhere"))
	code, engines := doctorJSON(t, "--engine", "tflite")
	require.Zero(t, code)
	require.Equal(t, "ready", engines["tflite"].Status)
	code, _ = doctorJSON(t, "--engine", "tflite,mnn")
	require.Equal(t, 1, code, "one of the two is missing")
}

func TestDoctorReady(t *testing.T) {
	requireAllEngines(t)
	code, engines := doctorJSON(t)
	require.Zero(t, code)
	for name, h := range engines {
		require.Equal(t, "ready", h.Status, name)
		require.NotEmpty(t, h.Version)
		require.NotEmpty(t, h.Devices)
		require.FileExists(t, h.Library)
		_, stdout, _ := process(t, "doctor", name)
		require.Contains(t, stdout, name+" is ready\n  version "+h.Version+"\n  library "+h.Library+"\n  device  "+h.Devices[0].Name)
	}
	_, stdout, _ := process(t, "doctor")
	require.Equal(t, 1+len(engines), strings.Count(stdout, "\n"), "a line an engine: %s", stdout)
}
