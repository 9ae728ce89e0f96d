// SPDX-License-Identifier: Apache-2.0

package doccheck

import (
	"go/version"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	self   = "github.com/anyinfer/anyinfer"
	purego = "github.com/ebitengine/purego"
)

// goVersion is the older of the releases that Go supports.
const goVersion = "1.26.0"

// TestGoVersion: a newer go directive would lock users of an older release out, and go get raises it where a dependency
// asks for that.
func TestGoVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../go.mod")
	require.NoError(t, err)
	require.Equal(t, []string{"go " + goVersion}, regexp.MustCompile(`(?m)^(?:go|toolchain) .*$`).FindAllString(string(text), -1))
	for _, m := range modules(t, nil, "-test", "../../../...") {
		path, wants, _ := strings.Cut(m, " ")
		require.LessOrEqual(t, version.Compare("go"+wants, "go"+goVersion), 0, "%s wants go %s", path, wants)
	}
}

// TestDependencies: this is what a program compiles that imports common and engines, isolate, or vision.
func TestDependencies(t *testing.T) {
	t.Parallel()
	allowed := []string{self, purego, "golang.org/x/sync", "golang.org/x/sys"}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, pkg := range []string{"common", "onnxruntime", "openvino", "tflite", "tflite/litert", "mnn", "tnn", "tensorrt", "isolate", "vision", "vision/landmark", "vision/ocr", "vision/overlay", "vision/track", "vision/turbojpeg"} {
			allowed, opens := allowed, pkg != "common"
			if strings.HasPrefix(pkg, "vision") {
				allowed, opens = append(allowed[:len(allowed):len(allowed)], "golang.org/x/image"), pkg == "vision/turbojpeg"
			}
			if pkg == "isolate" && goos == "linux" {
				allowed = append(allowed, "github.com/elastic/go-seccomp-bpf") // for its table of system calls
			}
			if pkg == "vision/overlay" {
				allowed = append(allowed, "golang.org/x/text") // which x/image's fonts want
			}
			for _, m := range modules(t, []string{"GOOS=" + goos, "GOARCH=arm64", "CGO_ENABLED=0"}, self+"/"+pkg) {
				path, _, _ := strings.Cut(m, " ")
				require.Contains(t, allowed, path, "%s on %s", pkg, goos)
				require.False(t, !opens && path == purego, "%s opens no libraries", pkg)
			}
		}
	}
}

// modules are those of the packages that args name and of all that they import, with the Go version that each wants.
func modules(t *testing.T, env []string, args ...string) (all []string) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-deps", "-f", "{{$dir := .Dir}}{{with .Module}}{{.Path}} {{.GoVersion}}\t{{$dir}}{{end}}"}, args...)...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		module, dir, found := strings.Cut(strings.TrimSpace(line), "\t")
		if !found { // the standard library
			continue
		}
		all = append(all, module)
		// The go command takes a result of this test from its cache only while folders that it read are the same.
		_, err := os.ReadDir(dir)
		require.NoError(t, err)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
