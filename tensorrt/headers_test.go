// SPDX-License-Identifier: Apache-2.0

package tensorrt_test

import (
	"os"
	"testing"

	"github.com/anyinfer/anyinfer/internal/cengine/shim"
	"github.com/anyinfer/anyinfer/internal/shims/sources"
	"github.com/anyinfer/anyinfer/internal/testing/headercheck"
	"github.com/stretchr/testify/require"
)

// TestHeaders compiles the shim with genuine headers, those of the newest
// TensorRT: all tests may run on a stand-in, whose headers are our own.
func TestHeaders(t *testing.T) {
	if _, err := shim.CXX.Compiler(); err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	flags := []string{"-std=c++17", "-Wall", "-Wextra", "-Werror", "-c", "-isystem", headercheck.TensorRT(t)}
	files, _ := sources.Find("tensorrt")
	require.NoError(t, shim.CXX.Compile(t.Context(), t.TempDir()+"/shim.o", []string{"shim.cc"}, flags, nil, files))
}
