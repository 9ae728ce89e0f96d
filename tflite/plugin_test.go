// SPDX-License-Identifier: Apache-2.0

package tflite_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/testing/tfltest"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/anyinfer/anyinfer/tflite"
	"github.com/stretchr/testify/require"
)

// standIn builds a stand-in for an external delegate. It calls functions of the TFLite library that e has opened.
func standIn(t *testing.T, e *common.Engine) string {
	t.Helper()
	library := e.Info().Library
	if !filepath.IsAbs(library) {
		t.Skipf("the stand-in cannot be linked with %q, which is no path", library)
	}
	cc := cmp.Or(os.Getenv("CC"), "cc")
	file := filepath.Join(t.TempDir(), "standin.so")
	out, err := exec.Command(cc, "-shared", "-fPIC", "-o", file, "testdata/standin.c", library,
		"-Wl,-rpath,"+filepath.Dir(library)).CombinedOutput()
	if err != nil {
		enginetest.Missing(t, fmt.Sprintf("no C compiler for the stand-in: %v\n%s", err, out))
	}
	return file
}

// delegated runs the model multi on ones and returns an element of each output.
func delegated(t *testing.T, r common.Runner) (sum, product float64) {
	t.Helper()
	one, err := common.FromSlice([]float32{1, 1, 1, 1, 1, 1}, 2, 3)
	require.NoError(t, err)
	out, err := r.Run(t.Context(), common.Tensors{"a": one, "b": one})
	require.NoError(t, err)
	return values.Float64s(out["sum"])[5], values.Float64s(out["product"])[5]
}

// TestDelegate: a stand-in for an external delegate takes a part of the model, gets its options, and is destroyed after
// the interpreters that use it.
func TestDelegate(t *testing.T) {
	e := open(t)
	log := filepath.Join(t.TempDir(), "log")
	for _, no := range []bool{false, true} {
		options := map[string]string{"bias": "40", "log": log}
		native := tflite.Options{NoXNNPACK: no, Delegate: standIn(t, e), DelegateOptions: options}
		m := tfltest.Load(t, e, "multi", &common.Options{Native: native, Sessions: 2})
		want := native.Delegate
		if !no {
			want += ", XNNPACK"
		}
		require.Equal(t, want, m.Info().Details["delegates"])
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				sum, product := delegated(t, m)
				require.InDelta(t, 42, sum, 0, "the stand-in computes it")
				require.InDelta(t, 1, product, 0, "the stand-in does not compute it")
			})
		}
		wg.Wait()
		s, err := m.NewSession(t.Context(), "")
		require.NoError(t, err)
		require.NoError(t, s.Run(t.Context()))
		require.NoError(t, m.Close())
	}
	native := tflite.Options{Delegate: standIn(t, e), DelegateOptions: map[string]string{"bias": "-2"}}
	other := tfltest.Load(t, e, "multi", &common.Options{Native: native})
	sum, _ := delegated(t, other)
	require.Zero(t, sum)

	text, err := os.ReadFile(log)
	require.NoError(t, err)
	lines := strings.Fields(strings.ReplaceAll(string(text), " 40", ""))
	live, working := 0, 0
	for _, line := range lines {
		switch line {
		case "create":
			live, working = live+1, working+1
		case "free":
			working--
		case "destroy":
			live--
		}
		require.LessOrEqual(t, working, live, "%s: a delegate is destroyed while its interpreter is there", lines)
	}
	require.Zero(t, live, "%s", lines)
	require.GreaterOrEqual(t, len(lines), 2*2*3)
}

func TestRefusedDelegates(t *testing.T) {
	e := open(t)
	text := filepath.Join(t.TempDir(), "text.so")
	require.NoError(t, os.WriteFile(text, []byte("no library"), 0o666))
	option := func(key, value string) tflite.Options {
		return tflite.Options{Delegate: standIn(t, e), DelegateOptions: map[string]string{key: value}}
	}
	for name, test := range map[string]struct {
		native tflite.Options
		kind   error
		text   string
	}{
		"missing":         {tflite.Options{Delegate: "/nowhere/delegate.so"}, common.ErrOption, "/nowhere/delegate.so"},
		"no library":      {tflite.Options{Delegate: text}, common.ErrOption, text},
		"another library": {tflite.Options{Delegate: e.Info().Library}, common.ErrOption, "lacks tflite_plugin_create"},
		"its options":     {option("chips", "3"), common.ErrOption, "the stand-in knows no option so named:; chips"},
		"its model":       {option("fail", "prepare"), common.ErrModel, ""},
		"options alone":   {tflite.Options{DelegateOptions: map[string]string{}}, common.ErrOption, "without a Delegate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := e.Load(t.Context(), enginetest.File(t, "multi.tflite"), &common.Options{Native: test.native})
			require.ErrorIs(t, err, test.kind)
			require.NotErrorIs(t, err, common.ErrNotAvailable)
			require.ErrorContains(t, err, test.text)
			t.Log(err)
		})
	}
}
