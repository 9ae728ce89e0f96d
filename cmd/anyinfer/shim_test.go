// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// TestShimBuildTNN: an SDK that does not tell its version.
func TestShimBuildTNN(t *testing.T) {
	recipe, _ := toolchain.Find("tnn")
	if _, err := recipe.Locate(""); err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	root := t.TempDir()
	t.Setenv(sdkdir.EnvRoot, root)
	t.Setenv("ANYINFER_TNN_LIBRARY", "")
	code, stdout, stderr := command(t, "shim", "build", "tnn")
	require.Zero(t, code, stderr)
	require.Regexp(t, `\nbuilt: `+root+`/tnn/0\.3/\S+/lib/libanyinfer_tnn\.so `, stdout)
	_, stdout, _ = process(t, "doctor", "tnn")
	require.Regexp(t, `^tnn is ready\n  version 0\.3( standin)?\n  library `+root+`/tnn/(.*\n)+  device  NAIVE`, stdout)
	t.Setenv(sdkdir.EnvRoot, t.TempDir())
	_, stdout, _ = process(t, "doctor")
	require.Regexp(t, `\ntnn +missing +- +- +TNN_ROOT=\.\.\. anyinfer shim build tnn\n`, stdout)
	code, _, stderr = command(t, "run", fixtures+"digits.tnnproto")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "tnn is not installed; type 'TNN_ROOT=... anyinfer shim build tnn'")
}

// TestShimBuild compiles MNN's shim on the MNN that the environment names or
// that is installed, and opens it.
func TestShimBuild(t *testing.T) {
	recipe, _ := toolchain.Find("mnn")
	from, err := recipe.Locate("", recipe.Installed()...)
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Setenv("MNN_ROOT", from.Root)
	root := filepath.Join(t.TempDir(), "sdk")
	require.NoError(t, os.Mkdir(root, 0o755))
	t.Setenv(sdkdir.EnvRoot, root)
	t.Setenv("ANYINFER_MNN_LIBRARY", "")

	code, _, stderr := command(t, "shim", "build", "mnn", "--root", root)
	require.Equal(t, 1, code)
	require.Equal(t, "anyinfer: --root: "+root+" has no include/MNN/MNNDefine.h\n", stderr)

	code, stdout, stderr := command(t, "shim", "build", "mnn")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "shim.cc with ")
	require.Regexp(t, `\nbuilt: `+root+`/mnn/3\.\S+/lib/libanyinfer_mnn\.so \(\d+\.\d MB\)\n$`, stdout)
	_, stdout, _ = process(t, "doctor", "mnn")
	require.Regexp(t, `^mnn is ready\n  version 3\..*\n  library `+root+`/mnn/.*\n  device  CPU`, stdout)

	file := filepath.Join(t.TempDir(), "x.so")
	code, stdout, stderr = command(t, "shim", "build", "mnn", "--out", file)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "\nbuilt: "+file+" (")
	require.Contains(t, stdout, "\nSet ANYINFER_MNN_LIBRARY="+file+", so that the engine finds it.\n")
	t.Setenv("ANYINFER_MNN_LIBRARY", file)
	_, stdout, _ = process(t, "doctor", "mnn")
	require.Regexp(t, `^mnn is ready\n  version 3\..*\n  library `+file+`\n  device  CPU`, stdout)
}
