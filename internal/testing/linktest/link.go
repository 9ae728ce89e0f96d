// SPDX-License-Identifier: Apache-2.0

package linktest

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

// link links the C part of linked.go with libraries that have all of the
// functions, or not all.
func link(t *testing.T, spec dylib.Spec, table []dylib.Decl) {
	if runtime.GOOS != "linux" {
		t.Skip("written for ELF")
	}
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("no C compiler: ", err)
	}
	require.NoError(t, err)
	dir := t.TempDir()
	compile := func(source string, args ...string) (string, error) {
		cmd := exec.Command(cc, append([]string{"-fPIC", "-x", "c", "-"}, args...)...)
		cmd.Dir, cmd.Env, cmd.Stdin = dir, append(os.Environ(), "LC_ALL=C"), strings.NewReader(source)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	// library makes one with the functions that are wanted.
	library := func(folder string, wanted func(int) bool) string {
		var source strings.Builder
		for i, d := range table {
			if wanted(i) {
				fmt.Fprintf(&source, "void %s(void) {}\n", d.Name())
			}
		}
		file := filepath.Join(folder, "lib"+spec.Stem+".so")
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o777))
		out, err := compile(source.String(), "-shared", "-Wl,-soname,"+filepath.Base(file), "-o", file)
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
			cmd := exec.Command(filepath.Join(dir, "program"))
			cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(dir, there))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Equal(t, want, string(out), "linked with the %s library, run with the %s", with, there)
		}
	}
}
