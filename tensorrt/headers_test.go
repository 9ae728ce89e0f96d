// SPDX-License-Identifier: Apache-2.0

package tensorrt_test

import (
	"os"
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/headercheck"
	"github.com/anyinfer/anyinfer/internal/toolchain"
	"github.com/anyinfer/anyinfer/internal/toolchain/sources"
	"github.com/stretchr/testify/require"
)

// TestHeaders compiles the shim with genuine headers, those of the newest
// TensorRT: all tests may run on a stand-in, whose headers are our own.
func TestHeaders(t *testing.T) {
	if _, err := toolchain.CXX.Compiler(); err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	flags := []string{"-std=c++17", "-Wall", "-Wextra", "-Werror", "-c", "-isystem", headercheck.TensorRT(t)}
	files, _ := sources.Find("tensorrt")
	require.NoError(t, toolchain.CXX.Compile(t.Context(), t.TempDir()+"/shim.o", []string{"shim.cc"}, flags, nil, files))
}
