// SPDX-License-Identifier: Apache-2.0

package flatbuf

import (
	"math"
	"strconv"
	"strings"
)

// Layout is a table of a schema.
type Layout struct {
	Name    string
	Columns []Column
}

// Column is a field of a table in a schema.
type Column struct {
	Name     string
	Type     string // from the schema, possibly an alias
	IsVector bool
	Of       []*Layout // of the field's table, or of a union's members by number

	kind      byte // i, u, f: numbers; s: string; t: table or union
	size      int64
	union     bool  // the column before has the member's number
	value     int64 // the default
	low, high int64 // exclusive
}

// Unknown is the layout of tables that are not in the schema, because later schemas
// add members to unions. Only such a table's own bytes are checked.
var Unknown = &Layout{}

// member returns the layout of a union's member by its number, which starts at 1.
func (c Column) member(number int64) *Layout {
	if number > int64(len(c.Of)) {
		return Unknown
	}
	return c.Of[number-1]
}

var kinds = map[string]Column{
	"i8": {kind: 'i', size: 1}, "u8": {kind: 'u', size: 1}, "u16": {kind: 'u', size: 2},
	"i32": {kind: 'i', size: 4}, "u32": {kind: 'u', size: 4}, "f32": {kind: 'f', size: 4},
	"i64": {kind: 'i', size: 8}, "u64": {kind: 'u', size: 8}, "str": {kind: 's', size: 4},
}

// Schema has the layouts of tables by name.
type Schema map[string]*Layout

// Parse parses a schema. It has a line for each table, continued by lines with tabs:
// its name and its fields in order; files may have fewer or more fields. A field is
// name:type, then =default if that is not 0, then >low and <high, the exclusive
// bounds of its value or of each element. The types are i8, u8, u16, i32, u32, i64,
// u64, f32, str and the names of tables and unions, in brackets for a vector; aliases
// map further names to a type of numbers with its default and bounds. The line of a
// union is the word union, its name, and its tables from number 1 on; a table without
// a line of its own has no fields.
func Parse(text string, aliases map[string]string) Schema {
	all, unions := Schema{}, map[string][]*Layout{}
	table := func(name string) *Layout {
		if all[name] == nil {
			all[name] = &Layout{Name: name}
		}
		return all[name]
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(text, "\n\t", " ")), "\n")
	for _, line := range lines {
		if words := strings.Fields(line); words[0] == "union" {
			for _, name := range words[2:] {
				unions[words[1]] = append(unions[words[1]], table(name))
			}
		}
	}
	for _, line := range lines {
		words := strings.Fields(line)
		if words[0] == "union" {
			continue
		}
		l := table(words[0])
		for _, word := range words[1:] {
			name, rest, _ := strings.Cut(word, ":")
			end := strings.IndexAny(rest+"=", "=<>")
			word, attributes := strings.Trim(rest[:end], "[]"), rest[end:]
			typ := word
			if alias, ok := aliases[word]; ok {
				end := strings.IndexAny(alias+"=", "=<>")
				typ, attributes = alias[:end], alias[end:]+attributes
			}
			c, ok := kinds[typ]
			if !ok {
				c = Column{kind: 't', size: 4, Of: unions[typ], union: unions[typ] != nil}
				if !c.union {
					c.Of = []*Layout{table(typ)}
				}
			}
			c.Name, c.Type, c.IsVector = name, word, rest[0] == '['
			c.low, c.high = math.MinInt64, math.MaxInt64
			for attributes != "" {
				end := strings.IndexAny(attributes[1:]+"=", "=<>") + 1
				n, _ := strconv.ParseInt(attributes[1:end], 10, 64)
				*map[byte]*int64{'=': &c.value, '>': &c.low, '<': &c.high}[attributes[0]] = n
				attributes = attributes[end:]
			}
			l.Columns = append(l.Columns, c)
		}
	}
	return all
}

// Required reports whether the field must be present, as its default is out of range.
func (c Column) Required() bool { return !c.IsVector && c.kind == 'i' && !c.within(c.value) }

func (c Column) bounded() bool { return c.low != math.MinInt64 || c.high != math.MaxInt64 }

func (c Column) within(n int64) bool { return n > c.low && n < c.high }
