// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

func TestPins(t *testing.T) {
	digests, paths := map[string]bool{}, map[string]bool{}
	for _, p := range Pins() {
		require.Regexp(t, regexp.MustCompile(`^[0-9a-f]{64}$`), p.SHA256)
		require.False(t, paths[p.Path()], "%s", p)
		paths[p.Path()] = true
		require.NotEmpty(t, p.Publisher.Publisher)
		require.Equal(t, p.Engine == "tflite", p.Publisher.ThirdParty != "", "%s", p)
		if p.headers != nil {
			require.Len(t, p.headers.sha256, 64)
			recipe, ok := toolchain.Find(p.Engine)
			require.True(t, ok)
			require.Equal(t, "lib/"+recipe.Library(), p.Library)
		}
		require.False(t, digests[p.SHA256], "two SDKs have the same digest: %s", p)
		digests[p.SHA256] = true
		require.Regexp(t, regexp.MustCompile(`^lib/[A-Za-z_]+(\.so|\.dll|\.dylib|\.[0-9]+\.dylib|\.so\.[0-9]+)$`), p.Library)
		require.Regexp(t, regexp.MustCompile(`^[a-z_]+-`+regexp.QuoteMeta(p.PackageVersion)+`-.*\.whl$`), p.File)
	}
}

func TestFind(t *testing.T) {
	p, err := Find("openvino", "", "linux", "amd64")
	require.NoError(t, err)
	require.Equal(t, releases[0].version, p.Version)
	p, err = Find("openvino", "", "darwin", "amd64")
	require.NoError(t, err)
	require.Equal(t, "2025.4.1", p.Version, "want the newest version for the target")

	for _, test := range []struct{ engine, version, os, arch, want string }{
		{"onnx", "", "linux", "amd64", `engine "onnx"; there is one for: openvino, tflite, litert, onnxruntime`},
		{"openvino", "1.0", "linux", "amd64", "version 1.0; there are: 2026.4.1, 2025.4.1, 2024.6.0"},
		{"tflite", "", "linux", "riscv64", "no tflite SDK for linux/riscv64; there is one for: linux/amd64, linux/arm64, linux/arm,"},
		{"onnxruntime", "", "linux", "arm", "linux/amd64, linux/arm64, darwin/arm64, windows/amd64, windows/arm64 (choose with --os and --arch), and Debian 13 has libonnxruntime1.21"},
		{"openvino", "2026.4.1", "darwin", "amd64", "no openvino 2026.4.1 SDK for darwin/amd64"},
	} {
		_, err := Find(test.engine, test.version, test.os, test.arch)
		require.ErrorContains(t, err, test.want)
	}

	for _, p := range Pins() {
		if _, err := Find(p.Engine, p.Version, p.OS, p.Arch); p.headers == nil || p.OS == runtime.GOOS {
			require.NoError(t, err)
		}
	}
	old := releases
	t.Cleanup(func() { releases = old })
	releases = []release{{"mnn", "7.0", "MNN", "7.0", alibaba, nil, []archive{{"plan9", "amd64", "mnn.whl", 10, "", ""}}}}
	_, err = Find("mnn", "", "plan9", "amd64")
	require.ErrorContains(t, err, "is compiled on plan9, and this is "+runtime.GOOS)
}

func TestWheelArgs(t *testing.T) {
	for file, want := range map[string]string{
		"openvino-2026.4.1-22982-cp311-cp311-manylinux_2_28_x86_64.whl":        "--implementation cp --abi cp311 --platform manylinux_2_28_x86_64",
		"pymicro_wakeword-2.5.0-py3-none-win_amd64.whl":                        "--implementation py --abi none --platform win_amd64",
		"mnn-3.6.1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl": "--implementation cp --abi cp311 --platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64",
	} {
		require.Equal(t, "--no-deps --only-binary=:all: --python-version 3.11 "+want, strings.Join(pypi.Args(file), " "))
	}
}

func TestLinkNames(t *testing.T) {
	for library, want := range map[string]string{
		"lib/libopenvino_c.so.2641":    "lib/libopenvino_c.so",
		"lib/libopenvino_c.2641.dylib": "lib/libopenvino_c.dylib",
		"lib/libonnxruntime.so.1":      "lib/libonnxruntime.so",
		"lib/libx.so":                  "lib/libx.so",
		"lib/libx.dylib":               "lib/libx.dylib",
		"lib/openvino_c.dll":           "lib/openvino_c.dll",
	} {
		require.Equal(t, want, versionInName.ReplaceAllString(library, "$1$2"))
	}
}

// TestInstallEveryPin downloads every pinned archive, about 600 MB.
func TestInstallEveryPin(t *testing.T) {
	if os.Getenv("ANYINFER_TEST_PINS") == "" {
		t.Skip("ANYINFER_TEST_PINS is not set")
	}
	for _, p := range Pins() {
		t.Run(p.String(), func(t *testing.T) {
			root := newRoot(t)
			sdk, _, err := Install(t.Context(), InstallOptions{Engine: p.Engine, Version: p.Version, OS: p.OS, Arch: p.Arch, Root: root})
			require.NoError(t, err)
			require.FileExists(t, sdk.LibraryPath())
			require.FileExists(t, sdk.Dir+"/licenses/LICENSE")
		})
	}
}
