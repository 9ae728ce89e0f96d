// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSteps(t *testing.T) {
	byName := map[string]step{}
	for _, s := range steps {
		require.NotContains(t, byName, s.name)
		require.NotEmpty(t, s.help, s.name)
		byName[s.name] = s
	}
	for _, s := range steps {
		for name := range strings.FieldsSeq(s.needs + " " + s.group) {
			require.Contains(t, byName, name, "for %s", s.name)
		}
	}
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	for name := range strings.FieldsSeq(regexp.MustCompile(`(?m)^STEPS := (.*)`).FindStringSubmatch(string(makefile))[1]) {
		require.Contains(t, byName, name, "for make")
	}
}

// TestPatterns wants that what a step skips is there: a test that is renamed
// would run where nobody meant it to.
func TestPatterns(t *testing.T) {
	var tests bytes.Buffer
	for _, pattern := range []string{"*.go", "*/*.go", "*/*/*.go", "*/*/*/*.go"} {
		files, err := filepath.Glob("../../" + pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			tests.Write(text)
		}
	}
	table, err := os.ReadFile("steps.go")
	require.NoError(t, err)
	patterns := notEmulated + string(table)
	for _, m := range regexp.MustCompile(`\^?(Test\w*)?(/\^)?(?:\(([^)"]*)\))?\$`).FindAllStringSubmatch(patterns, -1) {
		for name := range strings.SplitSeq(m[3], "|") {
			want := `(?m)^func ` + m[1] + name + `\(`
			if m[2] != "" || m[1] == "" && name != "" {
				want = `\{"` + name + `", s\.` // a group of the conformance suite
			}
			require.True(t, regexp.MustCompile(want).Match(tests.Bytes()), "nothing matches %s", want)
		}
	}
}

func TestSchedule(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	inCI = false
	defer func() { inCI = os.Getenv("CI") != "" }()
	log := filepath.Join(t.TempDir(), "log")
	table := []step{
		{name: "needed", optional: true, lines: []string{"echo needed >>" + log + "; false", "echo never >>" + log}},
		{name: "first", needs: "needed", lines: []string{"echo first >>" + log + "; exit 3"}},
		{name: "second", needs: "needed", lines: []string{"echo second >>" + log}},
		{name: "both", group: "first second"},
	}
	r := newSchedule(table)
	require.ErrorContains(t, r.steps["both"](false), "exit status 3")
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"needed", "first", "second"}, strings.Fields(string(text)))
	var summary strings.Builder
	for _, done := range r.done {
		summary.WriteString(done.String() + "\n")
	}
	require.Regexp(t, `needed .* left out, and tests that need it are skipped`, summary.String())
	require.Regexp(t, `first .* failed: exit status 3; again: go run \./internal/ci first\n`, summary.String())
	require.NotRegexp(t, `second .* failed`, summary.String())

	inCI = true
	r = newSchedule(table)
	require.Error(t, r.steps["second"](false), "what is missing is a failure")
	require.ErrorIs(t, runSteps([]string{"unknown"}), errUsage)
}

func TestMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	times := 0
	make := func(inputs string, fails bool) {
		s := &task{out: &bytes.Buffer{}, env: os.Environ()}
		s.made(dir, "echo "+inputs, func() {
			times++
			s.sh("[ ! -e " + dir + "/file ] && touch " + dir + "/file")
			if fails {
				s.sh("false")
			}
		})
		require.Equal(t, fails, s.err != nil)
	}
	make("a", false)
	make("a", false)
	require.Equal(t, 1, times)
	make("b", true)
	make("b", false)
	make("b", false)
	require.Equal(t, 3, times, "what failed is made again")
}
