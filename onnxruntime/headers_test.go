// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/testing/headercheck"
	"github.com/stretchr/testify/require"
)

const header = "onnxruntime_c_api.h"

// TestHeaders compares with the header of the newest release whose functions this package knows.
func TestHeaders(t *testing.T) {
	c := headercheck.Check{
		Dir: headercheck.ONNXRuntime(t), Headers: []string{header}, Table: symbols,
		Values: map[string]int64{
			"ORT_API_VERSION":     newest,
			"ORT_NOT_IMPLEMENTED": codeNotImplemented, "ORT_EP_FAIL": codeProviderFailed, "ORT_MODEL_LOAD_CANCELED": codeLoadCanceled,
			"ORT_LOGGING_LEVEL_INFO": logInfo, "ORT_LOGGING_LEVEL_WARNING": logWarning, "ORT_LOGGING_LEVEL_FATAL": logFatal,
			"OrtDeviceAllocator": deviceAllocator, "OrtMemTypeDefault": memoryDefault, "ONNX_TYPE_TENSOR": typeTensor,
			"ORT_DISABLE_ALL": int64(levels["disable"]), "ORT_ENABLE_BASIC": int64(levels["basic"]),
			"ORT_ENABLE_EXTENDED": int64(levels["extended"]), "ORT_ENABLE_ALL": int64(levels["all"]),
		},
		Slots: map[string]map[int]string{"OrtApi": {}, "OrtApiBase": {
			baseGetAPI: "const OrtApi* GetApi(uint32_t version)", baseGetVersionString: "const char* GetVersionString(void)",
		}},
	}
	for i, e := range elementTypes {
		c.Values["ONNX_TENSOR_ELEMENT_DATA_TYPE_"+strings.ToUpper(e.name)] = int64(i)
	}
	for i, name := range []string{"UNKNOWN", "TENSOR", "SEQUENCE", "MAP", "OPAQUE", "SPARSETENSOR", "OPTIONAL"}[:len(valueTypes)] {
		c.Values["ONNX_TYPE_"+name] = int64(i)
	}
	for i, name := range hardwareTypes {
		c.Values["OrtHardwareDeviceType_"+name] = int64(i)
	}
	for i, f := range functions {
		require.NotEmpty(t, f.c, "function %d", i)
		c.Slots["OrtApi"][f.slot] = f.c
	}
	require.Len(t, c.Slots["OrtApi"], len(functions), "two functions have the same slot")
	headercheck.Run(t, c)
}

// TestSince compares with what the header says of the functions, or of those before them: their order is that of the releases.
func TestSince(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(headercheck.ONNXRuntime(t), header))
	require.NoError(t, err)
	_, text, _ = bytes.Cut(text, []byte("\nstruct OrtApi {"))
	since, last := map[string]int{}, oldest
	for _, m := range regexp.MustCompile(`\\since Version 1\.(\d+)|(?:ORT_API2_STATUS\(|ORT_API_T\(\w+, |ORT_API_CALL\* |ORT_CLASS_(RELEASE)\()(\w+)`).FindAllSubmatch(text, -1) {
		if release := string(m[1]); release != "" {
			last, err = strconv.Atoi(release)
			require.NoError(t, err)
			continue
		}
		name := string(m[3])
		if string(m[2]) != "" {
			name = "Release" + name
		}
		if since[name] == 0 { // later structs have functions of the same name
			since[name] = max(last, oldest)
		}
	}
	for _, f := range functions {
		name := dylib.Decl{C: f.c}.Name()
		require.Equal(t, since[name], max(f.since, oldest), name)
	}
}
