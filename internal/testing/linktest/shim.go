// SPDX-License-Identifier: Apache-2.0

package linktest

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

// Shim tests the tag of an engine that compiles a shim in C or C++, whose
// linked*.go are written by hand, with a user's program. It is built with the
// tag only where the one of the test is, for what that needs is then there.
func Shim(t *testing.T, engine string) {
	path, err := exec.Command("go", "list").Output()
	require.NoError(t, err)
	dir := Module(t, fstest.MapFS{"main.go": {Mode: 0o666, Data: fmt.Appendf(nil, `package main

import (
	"fmt"
	"log"

	"github.com/anyinfer/anyinfer/common"
	_ %q
)

func main() {
	e, err := common.Open(%q, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(e.Info().Library)
}
`, strings.TrimSpace(string(path)), engine)}})
	build := func(cgo string) (string, error) {
		cmd := exec.Command("go", "build", "-tags", engine, "-o", "program")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED="+cgo, "GOFLAGS=", "GOPROXY=off")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Run("without cgo", func(t *testing.T) {
		out, err := build("0")
		require.Error(t, err)
		require.Regexp(t, "undefined: the_tag_"+engine+`_compiles_\w+_with_cgo__set_CGO_ENABLED_to_1_and_have_a_\w+_compiler`, out)
	})
	t.Run("linked", func(t *testing.T) {
		open(t, dylib.Spec{Engine: engine})
		out, err := build("1")
		require.NoError(t, err, out)
		library, err := exec.Command(filepath.Join(dir, "program")).Output()
		require.NoError(t, err)
		require.Equal(t, "linked", string(library))
	})
}

// Module is a folder with files and a go.mod like the one here, which has all
// dependencies vendored.
func Module(t *testing.T, files fs.FS) string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	require.NoError(t, err)
	here := strings.TrimSpace(string(root))
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, files))
	sum, err := os.ReadFile(filepath.Join(here, "go.sum"))
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(here, "go.mod"))
	require.NoError(t, err)
	_, requires, _ := strings.Cut(string(mod), "\n") // all but its name
	text := "module program\n" + requires + "\nrequire github.com/anyinfer/anyinfer v0.0.0\nreplace github.com/anyinfer/anyinfer => " + here + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o666))
	vendor := exec.Command("go", "mod", "vendor")
	vendor.Dir, vendor.Env = dir, append(os.Environ(), "GOFLAGS=", "GOPROXY=off")
	out, err := vendor.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}
