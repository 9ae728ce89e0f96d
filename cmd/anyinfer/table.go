// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	tableWidth = 100 // a table's maximal width in columns of a terminal
	tableGap   = 2   // spaces between two columns
	tableCell  = 12  // the minimal width to which columns are reduced
)

// table prints aligned columns. It wraps cells that do not fit.
type table struct {
	w    io.Writer
	rows [][]string // the first has the names of the columns
	// path is set if the last column has files. A file that does not fit is
	// shortened to the end of its path.
	path bool
}

func newTable(w io.Writer, columns ...string) *table {
	t := &table{w: w}
	t.row(columns...)
	return t
}

// row adds a line. It makes cells printable, because names in a model's file can
// have tabs and escape sequences. The last cell of a row with fewer cells may extend
// into the next columns.
func (t *table) row(cells ...string) {
	var row []string
	for _, c := range cells {
		row = append(row, printable(c))
	}
	t.rows = append(t.rows, row)
}

func (t *table) flush() error {
	var b strings.Builder
	widths := t.widths()
	for _, row := range t.rows {
		lines, height := make([][]string, len(row)), 0
		for i, cell := range row {
			limit := widths[i]
			if i == len(row)-1 && i < len(widths)-1 {
				limit = tableWidth
			}
			lines[i] = wrap(cell, limit)
			height = max(height, len(lines[i]))
		}
		for n := range height {
			line := ""
			for i := range row {
				part := ""
				if n < len(lines[i]) {
					part = lines[i][n]
				}
				line += part + strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(part), 0)+tableGap)
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

// widths returns the widths of the columns: the widths of their cells, or less for
// the widest columns if the table would be too wide.
func (t *table) widths() []int {
	n := len(t.rows[0])
	widths, all := make([]int, n), tableGap*(n-1)
	for _, row := range t.rows {
		for i, cell := range row {
			if i < len(row)-1 || len(row) == n {
				widths[i] = max(widths[i], utf8.RuneCountInString(cell))
			}
		}
	}
	for _, w := range widths {
		all += w
	}
	if last := n - 1; t.path && all > tableWidth {
		width := max(tableWidth-all+widths[last], tableCell)
		for _, row := range t.rows[1:] {
			row[last] = shortPath(row[last], width)
		}
		all += width - widths[last]
		widths[last] = width
	}
	for ; all > tableWidth; all-- {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= tableCell {
			break
		}
		widths[widest]--
	}
	return widths
}

// wrap breaks s into lines of at most width characters: at spaces, or after a
// separator in a name or path, or anywhere.
func wrap(s string, width int) (lines []string) {
	for rest := []rune(s); ; {
		if len(rest) <= width {
			return append(lines, string(rest))
		}
		cut, skip := width, 0
		if i := lastIndex(rest[1:width+1], func(r rune) bool { return r == ' ' }); i >= width/3 {
			cut, skip = i+1, 1
		} else if i := lastIndex(rest[:width], func(r rune) bool { return strings.ContainsRune("/.:;,_-", r) }); i >= 0 {
			cut = i + 1
		}
		lines, rest = append(lines, string(rest[:cut])), rest[cut+skip:]
	}
}

func lastIndex(s []rune, f func(rune) bool) int {
	for i := len(s) - 1; i >= 0; i-- {
		if f(s[i]) {
			return i
		}
	}
	return -1
}

// shortPath returns path, or "..." and its end if it is longer than width.
func shortPath(path string, width int) string {
	if utf8.RuneCountInString(path) <= width {
		return path
	}
	for rest := path; ; {
		i := strings.IndexAny(rest[1:], `/\`)
		if i < 0 {
			return path
		}
		rest = rest[1+i:]
		if short := "..." + rest; utf8.RuneCountInString(short) <= width {
			return short
		}
	}
}

// paragraph prints text, wrapped at spaces to the width of a table. All lines but
// the first start with indent.
func paragraph(w io.Writer, text, indent string) {
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > tableWidth:
			fmt.Fprintln(w, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(w, line)
}

// printable returns s with "?" for characters that cannot be printed.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// printLoaded prints how a model was loaded, without empty details.
func printLoaded(w io.Writer, engine, version, device string, details ...string) {
	details = slices.DeleteFunc(details, func(d string) bool { return d == "" })
	paragraph(w, fmt.Sprintf("%s %s on %s: %s", engine, shortVersion(version), device, printable(strings.Join(details, ", "))), "  ")
}

// shortVersion returns a version without its build.
func shortVersion(v string) string {
	v, _, _ = strings.Cut(v, "-")
	return v
}

func threads(n int) string {
	if n == 0 {
		return "" // the engine does not report it
	}
	return fmt.Sprintf("threads: %d", n)
}
