// SPDX-License-Identifier: Apache-2.0

//go:build linux

package toolchain

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/platform"
)

// TestCrossCompile compiles an SDK and its shim for another processor.
func TestCrossCompile(t *testing.T) {
	goarch, machine := "arm64", elf.EM_AARCH64
	if runtime.GOARCH == goarch {
		goarch, machine = "arm", elf.EM_ARM
	}
	cxx, err := CXX.For(goarch).Compiler()
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	native, err := CXX.Compiler()
	require.NoError(t, err)
	r, err := recipe().For("linux/" + goarch)
	require.NoError(t, err)

	t.Setenv("CXX", cxx[0])
	place, err := r.SDK.Find(buildSDK(t, "lib/"+platform.Linux[goarch].Triplet+"/libtiny.so")) // the folder of multiarch packages
	require.NoError(t, err)
	t.Setenv("CXX", "")
	file := filepath.Join(t.TempDir(), r.Library())
	require.NoError(t, r.Build(t.Context(), place, file, io.Discard))
	f, err := elf.Open(file)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, machine, f.Machine)

	// A compiler for this machine cannot link that SDK. With another SDK it compiles for the wrong processor.
	t.Setenv("CXX", native[0])
	require.Error(t, r.Build(t.Context(), place, file, io.Discard))
	place, err = r.SDK.Find(buildSDK(t, "lib/libtiny.so"))
	require.NoError(t, err)
	require.ErrorContains(t, r.Build(t.Context(), place, file, io.Discard), "not for "+platform.Linux[goarch].Name+": name one for linux/"+goarch+" in $CXX")
	require.NoFileExists(t, file)
}

func TestTarget(t *testing.T) {
	r, err := recipe().For("")
	require.NoError(t, err)
	require.Equal(t, runtime.GOARCH, r.SDK.GOARCH())
	for _, target := range []string{"arm64", "linux/sparc", "darwin/arm64", "linux/"} {
		_, err := recipe().For(target)
		require.ErrorContains(t, err, "they are for linux/386, linux/amd64, linux/arm, linux/arm64, linux/riscv64")
	}
	t.Setenv("CXX", "")
	t.Setenv("PATH", t.TempDir())
	for goarch, p := range platform.Linux {
		if goarch != runtime.GOARCH {
			_, err := CXX.For(goarch).Compiler()
			require.ErrorContains(t, err, "none of "+p.Triplet+"-g++ is installed")
		}
	}
	_, err = CXX.For("amd64").Compiler()
	if runtime.GOARCH != "amd64" {
		require.ErrorContains(t, err, "apt install g++-x86-64-linux-gnu", "package names must contain no underscore")
	}
}
