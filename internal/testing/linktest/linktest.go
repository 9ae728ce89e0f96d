// SPDX-License-Identifier: Apache-2.0

// Package linktest writes and tests the files by which an engine's build tag links its SDK. An engine has
// this, and runs `go generate` when its table of functions changes:
//
//	//go:generate go test -run ^TestLinked$ -update
//
//	func TestLinked(t *testing.T) { linktest.Run(t, spec, table) }
package linktest

import (
	"bytes"
	"cmp"
	_ "embed"
	"flag"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"text/template"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the linked*.go files of the package anew")

var (
	//go:embed linked.go.tmpl
	linked string
	//go:embed linked_nocgo.go.tmpl
	linkedNoCgo string
)

// Run fails where the package's files are not those of table, or do not link as they should. In a program
// with the engine's tag it also opens the engine.
func Run(t *testing.T, spec dylib.Spec, table []dylib.Decl) {
	t.Run("files", func(t *testing.T) { files(t, spec, table) })
	t.Run("link", func(t *testing.T) { link(t, spec, table) })
	t.Run("open", func(t *testing.T) { open(t, spec) })
}

func files(t *testing.T, spec dylib.Spec, table []dylib.Decl) {
	wd, err := os.Getwd()
	require.NoError(t, err)
	for name, text := range map[string]string{"linked.go": linked, "linked_nocgo.go": linkedNoCgo} {
		var b bytes.Buffer
		require.NoError(t, template.Must(template.New(name).Parse(text)).Execute(&b, map[string]any{
			"Package": filepath.Base(wd), "Spec": spec, "Table": table,
		}))
		want, err := format.Source(b.Bytes())
		require.NoError(t, err)
		if *update {
			require.NoError(t, os.WriteFile(name, want, 0o666))
		}
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), "%s is stale: run `go generate` in its folder", name)
	}
}

// link links the C part of linked.go with libraries that have all of the functions, or not all.
func link(t *testing.T, spec dylib.Spec, table []dylib.Decl) {
	if runtime.GOOS != "linux" {
		t.Skip("written for ELF")
	}
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		enginetest.Missing(t, "no C compiler: "+err.Error())
	}
	dir := t.TempDir()
	compile := func(source string, args ...string) (string, error) {
		cmd := exec.Command(cc, append([]string{"-fPIC", "-x", "c", "-"}, args...)...)
		cmd.Stdin = strings.NewReader(source)
		return output(cmd, dir, "LC_ALL=C")
	}
	// library makes one with all functions that wanted reports.
	library := func(folder string, wanted func(int) bool) string {
		source := ""
		for i, d := range table {
			if wanted(i) {
				source += fmt.Sprintf("void %s(void) {}\n", d.Name())
			}
		}
		file := filepath.Join(folder, "lib"+spec.Stem+".so")
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o777))
		out, err := compile(source, "-shared", "-Wl,-soname,"+filepath.Base(file), "-o", file)
		require.NoError(t, err, out)
		return "-L" + folder
	}
	text, err := os.ReadFile("linked.go")
	require.NoError(t, err)
	_, code, _ := strings.Cut(string(text), "/*\n")
	code, _, _ = strings.Cut(code, "*/")
	_, code, _ = strings.Cut(code, "\n") // the line for cgo
	program := fmt.Sprintf(`%s
#include <stdio.h>
int main(void) {
	void *f[%d];
	functions(f);
	for (int i = 0; i < %[2]d; i++) putchar(f[i] ? 'f' : '-');
}`, code, len(table))
	flag := "-l" + spec.Stem

	required := func(i int) bool { return table[i].Since == "" }
	out, err := compile(program, "-o", "program", library("poor", func(i int) bool { return i > 0 }), flag)
	require.Error(t, err, "linked without a required function")
	require.Contains(t, out, table[0].Name())

	var all, some string
	for i := range table {
		all += "f"
		some += map[bool]string{true: "f", false: "-"}[required(i)]
	}
	library("full", func(int) bool { return true })
	library("old", required)
	for _, with := range []string{"full", "old"} {
		out, err := compile(program, "-o", "program", "-L"+with, flag)
		require.NoError(t, err, out)
		for there, want := range map[string]string{"full": all, "old": some} {
			out, err := output(exec.Command(filepath.Join(dir, "program")), dir, "LD_LIBRARY_PATH="+filepath.Join(dir, there))
			require.NoError(t, err, out)
			require.Equal(t, want, out, "linked with the %s library, run with the %s", with, there)
		}
	}
}

func output(cmd *exec.Cmd, dir string, env ...string) (string, error) {
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func open(t *testing.T, spec dylib.Spec) {
	t.Setenv(spec.Env(), t.TempDir()) // is for searching
	e, err := common.Open(spec.Engine, nil)
	if err != nil {
		require.ErrorIs(t, err, common.ErrNotAvailable)
		t.Skip("built without the tag ", spec.Engine)
	}
	require.Equal(t, "linked", e.Info().Library)
	require.NoError(t, e.Close())
	_, err = common.Open(spec.Engine, &common.Config{Library: "some.so"})
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "build without -tags "+spec.Engine)
}

// Shim tests the tag of an engine that compiles a shim in C or C++, whose linked*.go are written by hand,
// with a user's program. It is built with the tag only where the one of the test is, for what that needs is
// then there.
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
		return output(exec.Command("go", "build", "-tags", engine, "-o", "program"), dir, "CGO_ENABLED="+cgo, "GOFLAGS=", "GOPROXY=off")
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

// Module is a folder with files and a go.mod like the one here, which has all dependencies vendored.
func Module(t *testing.T, files fs.FS) string {
	t.Helper()
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	require.NoError(t, err)
	here, dir := strings.TrimSpace(string(root)), t.TempDir()
	require.NoError(t, os.CopyFS(dir, files))
	sum, err := os.ReadFile(filepath.Join(here, "go.sum"))
	require.NoError(t, err)
	mod, err := os.ReadFile(filepath.Join(here, "go.mod"))
	require.NoError(t, err)
	_, requires, _ := strings.Cut(string(mod), "\n") // all but its name
	text := "module program\n" + requires + "\nrequire github.com/anyinfer/anyinfer v0.0.0\nreplace github.com/anyinfer/anyinfer => " + here + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o666))
	out, err := output(exec.Command("go", "mod", "vendor"), dir, "GOFLAGS=", "GOPROXY=off")
	require.NoError(t, err, out)
	return dir
}
