// SPDX-License-Identifier: Apache-2.0

// Package headercheck compares what Go believes of a C library with the
// library's own headers: a C compiler reads the headers and, after them, a
// declaration of each function, which must agree, and an assertion for each
// constant and each member of a struct.
package headercheck

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

// Check is what to compare with which headers.
type Check struct {
	Dir     string   // the folder for -I
	Headers []string // in it
	Table   []dylib.Decl
	Values  map[string]int64 // by the constant's name in C
	Structs []Struct
	// Uncovered has the reason for each function, constant and struct above
	// that these headers do not have.
	Uncovered map[string]string
}

// Struct says that a Go struct has the layout of a C struct.
type Struct struct {
	C       string // its typedef
	Go      any
	Members string // the C names of Go's fields, in order; _ for padding and bit-fields
	Begins  bool   // Go has the first members only
}

// Run is the check.
func Run(t *testing.T, c Check) {
	t.Helper()
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		missing(t, "no C compiler to read headers with: %v", err)
	}
	require.NoError(t, c.run(cc))
}

// missing skips, or fails where CI promises that all is there.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func (c Check) run(cc string) error {
	var source strings.Builder
	for _, h := range append([]string{"stddef.h"}, c.Headers...) {
		fmt.Fprintf(&source, "#include <%s>\n", h)
	}
	text, err := c.compile(cc, source.String(), "-E", "-dD") // -dD: constants may be macros
	if err != nil {
		return err
	}
	var problems []error
	asked := map[string]bool{}
	// covered reports whether the headers have name, as Uncovered says.
	covered := func(name, pattern string) bool {
		asked[name] = true
		there := regexp.MustCompile(`\b` + name + pattern).MatchString(text)
		if listed := c.Uncovered[name] != ""; there == listed {
			problems = append(problems, fmt.Errorf("%s: in the headers: %t, in Uncovered: %t", name, there, listed))
		}
		return there
	}
	for _, d := range c.Table {
		if covered(d.Name(), `\s*\(`) {
			fmt.Fprintf(&source, "%s;\n", strings.ReplaceAll(d.C, "()", "(void)")) // () would agree with anything
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Values)) {
		if covered(name, `\b`) {
			assert(&source, "%s == %d", name, c.Values[name])
		}
	}
	for _, s := range c.Structs {
		if covered(s.C, `\b`) {
			problems = append(problems, s.write(&source))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Uncovered)) {
		if !asked[name] {
			problems = append(problems, fmt.Errorf("%s: nothing in this check, but in Uncovered", name))
		}
	}
	_, err = c.compile(cc, source.String(), "-fsyntax-only")
	return errors.Join(append(problems, err)...)
}

// write asserts the sizes and offsets of a struct.
func (s Struct) write(source *strings.Builder) error {
	goType, members := reflect.TypeOf(s.Go), strings.Fields(s.Members)
	if len(members) != goType.NumField() {
		return fmt.Errorf("%s: %d members are named for the %d fields of %v", s.C, len(members), goType.NumField(), goType)
	}
	if !s.Begins {
		assert(source, "sizeof(%s) == %d", s.C, goType.Size())
	}
	for i, m := range members {
		if f := goType.Field(i); m != "_" {
			assert(source, "offsetof(%s, %s) == %d", s.C, m, f.Offset)
			assert(source, "sizeof(((%s *)0)->%s) == %d", s.C, m, f.Type.Size())
		}
	}
	return nil
}

func assert(source *strings.Builder, format string, args ...any) {
	condition := fmt.Sprintf(format, args...)
	fmt.Fprintf(source, "_Static_assert(%s, %q);\n", condition, condition)
}

// compile returns what the compiler printed.
func (c Check) compile(cc, source string, args ...string) (string, error) {
	cmd := exec.Command(cc, append(args, "-x", "c", "-std=c11", "-I", c.Dir, "-")...)
	cmd.Stdin = strings.NewReader(source)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}
