// SPDX-License-Identifier: Apache-2.0

//go:build linux

package dylib_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

// TestPreparedArguments checks calls with no argument to more arguments than there
// are registers: each arrives in its place, and the stack is aligned.
func TestPreparedArguments(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	const most = 10
	var code strings.Builder
	code.WriteString("#include <stdio.h>\n#include <stdint.h>\n#include <string.h>\n")
	var table []dylib.Decl
	for n := range most + 1 {
		var params []string
		sum := "0"
		for i := range n {
			params = append(params, fmt.Sprintf("intptr_t a%d", i))
			sum += fmt.Sprintf(" + %d * a%d", i+1, i)
		}
		declared := fmt.Sprintf("intptr_t weigh%d(%s)", n, strings.Join(append(params, "void")[:max(n, 1)], ", "))
		// Printing a float uses vector instructions that trap on an unaligned stack.
		fmt.Fprintf(&code, "%s { char text[64]; double d = %d.5; snprintf(text, sizeof text, \"%%.1f\", d); return %s + (intptr_t)strlen(text); }\n", declared, n%10, sum)
		table = append(table, dylib.Decl{C: declared})
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "weigh.c"), filepath.Join(dir, "libweigh.so")
	require.NoError(t, os.WriteFile(source, []byte(code.String()), 0o600))
	output, err := exec.Command(cc, "-O2", "-shared", "-fPIC", "-o", library, source).CombinedOutput()
	require.NoError(t, err, "%s", output)
	lib, err := dylib.Open(dylib.Spec{Engine: "weigh", Stem: "weigh"}, table, library)
	require.NoError(t, err)
	for n := range most + 1 {
		var args []dylib.Arg
		want := 3 // the length of "1.5"
		for i := range n {
			value := -(i*i + 5)
			args = append(args, dylib.Int(value))
			want += (i + 1) * value
		}
		call := lib.Prepare(n, args...)
		for range 2 {
			require.Equal(t, want, int(call.Do()), "%d arguments", n)
		}
		require.Equal(t, want, int(lib.Call(n, args...)))
		if n > 0 {
			call.Set(n-1, 1000)
			require.Equal(t, want-n*-((n-1)*(n-1)+5)+1000*n, int(call.Do()))
		}
	}
}
