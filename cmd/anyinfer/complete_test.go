// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// complete returns the completions after args, and cobra's directive.
func complete(t *testing.T, args ...string) ([]string, cobra.ShellCompDirective) {
	t.Helper()
	code, stdout, stderr := command(t, append([]string{"__complete"}, args...)...)
	require.Zero(t, code, stderr)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var directive cobra.ShellCompDirective
	_, err := fmt.Sscanf(lines[len(lines)-1], ":%d", &directive)
	require.NoError(t, err)
	for i, l := range lines {
		lines[i], _, _ = strings.Cut(l, "\t") // the description
	}
	return lines[:len(lines)-1], directive
}

func TestComplete(t *testing.T) {
	root := t.TempDir()
	t.Setenv(sdkdir.EnvRoot, root)
	putSDK(t, root, "openvino", "9.0", runtime.GOOS, runtime.GOARCH)
	const files, dirs, none = cobra.ShellCompDirectiveFilterFileExt, cobra.ShellCompDirectiveFilterDirs, cobra.ShellCompDirectiveNoFileComp
	for _, test := range []struct {
		args, want string
		how        cobra.ShellCompDirective
	}{
		{"be", "bench", none},
		{"run --engine ", "openvino tflite", none},
		{"bench --engine openvino,", "openvino,tflite", none},
		{"bench --engine=tflite,o", "tflite,openvino", none},
		{"doctor --engine tflite,", "tflite,openvino", none},
		{"doctor tflite ", "openvino", none},
		{"inspect --engine ", "openvino tflite", none},
		{"inspect ", "onnx xml tflite pb pdmodel ort", files},
		{"run a.xml ", "onnx xml tflite pb pdmodel bin", files},
		{"run --out ", "", dirs},
		{"sdk install ", "openvino tflite", none},
		{"sdk install tflite ", "openvino", none},
		{"sdk install openvino --version ", "2026.4.1 2025.4.1 2024.6.0", none | cobra.ShellCompDirectiveKeepOrder},
		{"sdk install tflite --version ", "2.17.1", none | cobra.ShellCompDirectiveKeepOrder},
		{"sdk install tflite --os ", "linux darwin windows", none | cobra.ShellCompDirectiveKeepOrder},
		{"sdk install --from ", "whl", files},
		{"sdk remove ", "openvino", none},
		{"sdk env openvino --version ", "9.0", none | cobra.ShellCompDirectiveKeepOrder},
		{"sdk env --dir ", "", dirs},
		{"sdk install mn", "mnn", none},
		{"shim ", "build", none},
		{"build ", "", dirs},
		{"build --target ", "linux/arm64 linux/arm/v7", none | cobra.ShellCompDirectiveKeepOrder},
		{"pack ", "onnx xml tflite", files},
		{"pack --engine tflite,", "tflite,openvino", none},
		{"pack --target ", "linux/arm64 linux/arm/v7", none | cobra.ShellCompDirectiveKeepOrder},
		{"pack --out ", "tar.gz", files},
		{"build --tags tflite,", "tflite,openvino tflite,mnn", none},
		{"shim build ", "mnn tnn", none},
		{"shim build --root ", "", dirs},
		{"shim build --out ", "so", files},
	} {
		got, how := complete(t, strings.Split(test.args, " ")...)
		require.Subset(t, append(got, ""), strings.Split(test.want, " "), test.args)
		require.Equal(t, test.how, how, test.args)
	}
	hidden, _ := complete(t, "bench-")
	require.Empty(t, hidden)
}

func TestCompleteDevice(t *testing.T) {
	requireEngines(t)
	got, _ := complete(t, "bench", "--engine", "tflite", "--device", "")
	require.Equal(t, []string{"CPU"}, got)
	got, _ = complete(t, "run", "--device", "")
	require.True(t, slices.Contains(got, "CPU") && len(slices.Compact(got)) == len(got), got)
}
