// SPDX-License-Identifier: Apache-2.0

package reference_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/cinclude/reference"
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/testing/linktest"
	"github.com/anyinfer/anyinfer/internal/toolchain"
	"github.com/anyinfer/anyinfer/internal/toolchain/sources"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
)

const libraryVariable = "ANYINFER_REFERENCE_LIBRARY"

// TestMain compiles the engine if it is not linked and ANYINFER_REFERENCE_LIBRARY is
// not set.
func TestMain(m *testing.M) {
	isolate.Main()
	e, err := common.Open("reference", nil)
	linked := err == nil && e.Info().Library == "linked"
	e.Close()
	if linked || os.Getenv(libraryVariable) != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "anyinfer-reference")
	if err != nil {
		panic(err)
	}
	library := filepath.Join(dir, "libanyinfer_reference.so")
	files, _ := sources.Find("reference")
	if err := toolchain.C.Compile(context.Background(), library, []string{"reference.c"}, toolchain.Strict, []string{"-lm"}, files); err != nil {
		fmt.Fprintln(os.Stderr, err) // the tests then fail or skip without a library
	}
	os.Setenv(libraryVariable, library)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{Name: "reference", Formats: []string{"reference"}, Skip: map[string]string{
		"options/threads": "the engine reports that it has one thread",
	}})
}

func TestShim(t *testing.T) { linktest.Shim(t, "reference") }

// run loads a model with one input and runs it on zeros.
func run(t *testing.T, cfg *common.Config, src common.Source, o *common.Options) common.Tensors {
	t.Helper()
	m := enginetest.Load(t, enginetest.Open(t, "reference", cfg), src, o)
	info := m.Signatures()[0].Inputs[0]
	x, err := common.NewTensor(info.DType, info.Shape...)
	require.NoError(t, err)
	out, err := m.Run(context.Background(), common.Tensors{info.Name: x})
	require.NoError(t, err)
	return out
}

// TestVerbose checks that Options.Verbose makes the engine log.
func TestVerbose(t *testing.T) {
	var log enginetest.Log
	run(t, &common.Config{Logger: log.Logger()}, enginetest.File(t, "digits.ref"), &common.Options{Native: reference.Options{Verbose: true}})
	log.Wait(t, `level=DEBUG msg="softmax writes scores" engine=reference`)
}

// TestUnalignedWeights checks that weights, which are used in place, may have any
// address.
func TestUnalignedWeights(t *testing.T) {
	for _, model := range []string{"digits", "digits_int8", "scalar"} {
		data, err := os.ReadFile("../../testdata/" + model + ".ref")
		require.NoError(t, err)
		want := run(t, nil, common.Bytes(data).As("reference"), nil)
		for n := 1; n < 8; n++ {
			require.Equal(t, want, run(t, nil, common.Bytes(append(make([]byte, n), data...)[n:]).As("reference"), nil))
		}
	}
}
