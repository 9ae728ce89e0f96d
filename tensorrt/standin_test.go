// SPDX-License-Identifier: Apache-2.0

package tensorrt_test

import (
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

// standin drives the stand-in for TensorRT and the CUDA driver.
type standin struct{ lib *dylib.Library }

var standinTable = []dylib.Decl{
	{C: "void standin_fault(const char* spec)"},
	{C: "int standin_calls(const char* name)"},
	{C: "int standin_leaks(void)"},
	{C: "int standin_mistakes(void)"},
	{C: "void standin_build_delay(int ms)"},
}

// onStandin skips the test where the engine runs on the genuine TensorRT.
func onStandin(t *testing.T, e *common.Engine) standin {
	t.Helper()
	if !strings.Contains(e.Info().Version, "standin") {
		t.Skip("the genuine TensorRT does not fail on demand")
	}
	// The engine has it open: the loader knows it by its name.
	l, err := dylib.Open(dylib.Spec{Engine: "standin", Stem: "cuda", Sonames: []string{"libcuda.so.1"}}, standinTable, "")
	require.NoError(t, err)
	return standin{lib: l}
}

// fault has functions fail: "cuMemAlloc_v2", "enqueueV3:2", "parse!throw".
func (s standin) fault(spec string) { s.lib.Call(0, dylib.String(spec)) }

func (s standin) calls(name string) int { return int(int32(s.lib.Call(1, dylib.String(name)))) }
func (s standin) leaks() int            { return int(int32(s.lib.Call(2))) }
func (s standin) mistakes() int         { return int(int32(s.lib.Call(3))) }
func (s standin) buildDelay(ms int)     { s.lib.Call(4, dylib.Int(ms)) }
