// SPDX-License-Identifier: Apache-2.0

package reference_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/cinclude/reference"
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cengine/shim"
	"github.com/anyinfer/anyinfer/internal/enginetest"
)

const variable = "ANYINFER_REFERENCE_LIBRARY"

// TestMain compiles the engine, where it is not linked and the variable does
// not name one.
func TestMain(m *testing.M) {
	e, err := common.Open("reference", nil)
	linked := err == nil && e.Info().Library == "linked"
	e.Close()
	if linked || os.Getenv(variable) != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "anyinfer-reference")
	if err != nil {
		panic(err)
	}
	library := filepath.Join(dir, "libanyinfer_reference.so")
	if err := shim.Build(library, "reference.c", shim.Strict, reference.Sources); err != nil {
		fmt.Fprintln(os.Stderr, err) // the tests then say that there is no library
	}
	os.Setenv(variable, library)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{Name: "reference", Formats: []string{"reference"}, Skip: map[string]string{
		"options/threads": "the engine has one thread, and says so",
	}})
}
