// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
)

// table prints aligned columns.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer, columns ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row(columns...)
	return t
}

// row prints a line. What a model's file says stays in its cell: a name can
// hold tabs, and sequences that a terminal obeys.
func (t table) row(cells ...string) {
	var line []string
	for _, c := range cells {
		line = append(line, plain(c))
	}
	fmt.Fprintln(t, strings.Join(line, "\t"))
}

func (t table) flush() error { return t.Flush() }

// plain is s with "?" for whatever cannot be printed.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// printLoaded prints how a model was loaded, with details where there are some.
func printLoaded(w io.Writer, engine, version, device string, details ...string) {
	details = slices.DeleteFunc(details, func(d string) bool { return d == "" })
	fmt.Fprintf(w, "%s %s on %s: %s\n", engine, shortVersion(version), device, plain(strings.Join(details, ", ")))
}

// shortVersion is a version without its build.
func shortVersion(v string) string {
	v, _, _ = strings.Cut(v, "-")
	return v
}

func threads(n int) string {
	if n == 0 {
		return "" // the engine does not tell
	}
	return fmt.Sprintf("threads: %d", n)
}
