// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMutants(t *testing.T) {
	require.NoError(t, checkMutants("../..", mutants))
	require.GreaterOrEqual(t, len(mutants), 40)
}

// module is a Go module with one function and its tests.
func module(t *testing.T) string {
	dir := t.TempDir()
	for file, text := range map[string]string{
		"go.mod": "module m\n\ngo 1.26\n",
		"a.go":   "package m\n\nfunc add(a, b int) int { return a + b }\n\nfunc sub(a, b int) int { return a - b }\n",
		"a_test.go": "package m\n\nimport \"testing\"\n\nfunc TestAdd(t *testing.T) {\n\tif add(2, 2) != 4 {\n\t\tt.Fatal()\n\t}\n}\n\n" +
			"func TestFails(t *testing.T) { t.Fatal() }\n\nfunc TestSkips(t *testing.T) { t.Skip(\"there is no SDK\") }\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	}
	return dir
}

func TestCheckMutants(t *testing.T) {
	dir := module(t)
	for says, m := range map[string]mutant{
		"":                             {"a.go", "a + b", "a * b", ".", "-race TestAdd/none"},
		"no such file":                 {"b.go", "a + b", "a * b", ".", "TestAdd"},
		"0 times, not once":            {"a.go", "a / b", "a * b", ".", "TestAdd"},
		"2 times, not once":            {"a.go", "return", "panic", ".", "TestAdd"},
		"the new text is the old one":  {"a.go", "a + b", "a + b", ".", "TestAdd"},
		"package . has no test TestUp": {"a.go", "a + b", "a * b", ".", "TestUp"},
		"missing closing )":            {"a.go", "a + b", "a * b", ".", "Test("},
	} {
		err := checkMutants(dir, []mutant{m})
		if says == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, says)
	}
}

func TestChoose(t *testing.T) {
	all := func() []mutant { return append([]mutant{}, mutants...) }
	five := choose(all(), 5, "0123abcd")
	require.Len(t, five, 5)
	require.Equal(t, five, choose(all(), 5, "0123abcd"))
	require.NotEqual(t, five, choose(all(), 5, "0123abce"))
	require.ElementsMatch(t, mutants, choose(all(), 1000, ""))
}

// TestRunner has breaks that a test notices, that none does, that do not
// compile, and tests that prove nothing.
func TestRunner(t *testing.T) {
	r := runner{root: module(t), unbroken: map[string]outcome{}}
	t.Setenv("CI", "")
	verdict := func(new, test string) string {
		what, why := r.judge(mutant{"a.go", "a + b", new, ".", test})
		return what + why
	}
	require.Equal(t, "caught", verdict("a - b", "TestAdd"))
	require.Contains(t, verdict("a * b", "TestAdd"), "SURVIVES")
	require.Contains(t, verdict("a + c", "TestAdd"), "UNKNOWN: the test does not compile")
	require.Contains(t, verdict("a - b", "TestFails"), "UNKNOWN: the test fails on the code as it is")
	require.Contains(t, verdict("a - b", "TestSkips"), "skipped\n")
	t.Setenv("CI", "true")
	require.Contains(t, verdict("a - b", "TestSkips"), "UNKNOWN: the test is skipped")
	text, err := os.ReadFile(filepath.Join(r.root, "a.go"))
	require.NoError(t, err)
	require.Contains(t, string(text), "a + b", "the tree stays as it is")
}

func TestRead(t *testing.T) {
	err := errors.New("exit status 1")
	for out, want := range map[string]string{
		"--- FAIL: TestA (0.00s)\nFAIL\nFAIL\tm\t0.001s\n":       failed,
		"panic: test timed out after 3m0s\nFAIL\tm\t180.005s\n":  failed,
		"SIGSEGV: segmentation violation\nFAIL\tm\t1.5s\n":       failed,
		"a.go:3:40: undefined: c\nFAIL\tm [build failed]\n":      notCompiled,
		"no required module provides it\nFAIL\tm [setup failed]": notCompiled,
	} {
		require.Equal(t, want, read(out, err).kind, out)
	}
	require.Equal(t, notCompiled, read("testing: warning: no tests to run\nok  \tm\t0.001s [no tests to run]\n", nil).kind)
}
