// SPDX-License-Identifier: Apache-2.0

package flatbuf

import (
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
	Type     string // from the schema
	IsVector bool
	Of       []*Layout // of the field's table, or of a union's members by number

	kind  byte // i, u, f: numbers; s: string; t: table or union
	size  int64
	union bool  // the column before has the member's number
	value int64 // the default
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
	"graph": {kind: 'i', size: 4}, // the index of a subgraph
}

// Schema has the layouts of tables by name.
type Schema map[string]*Layout

// Parse parses a schema. It has a line for each table, continued by lines with tabs:
// its name and its fields in order; files may have fewer or more fields. A field is
// name:type, then =default if that is not 0. The types are i8, u8, u16, i32, u32, i64,
// u64, f32, str, graph (an i32) and the names of tables and unions, in brackets for a
// vector. The line of a union is the word union, its name, and its tables from number
// 1 on; a table without a line of its own has no fields.
func Parse(text string) Schema {
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
			word, value, _ := strings.Cut(rest, "=")
			typ := strings.Trim(word, "[]")
			c, ok := kinds[typ]
			if !ok {
				c = Column{kind: 't', size: 4, Of: unions[typ], union: unions[typ] != nil}
				if !c.union {
					c.Of = []*Layout{table(typ)}
				}
			}
			c.Name, c.Type, c.IsVector = name, typ, rest[0] == '['
			c.value, _ = strconv.ParseInt(value, 10, 64)
			l.Columns = append(l.Columns, c)
		}
	}
	return all
}
