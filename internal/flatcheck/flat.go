// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
)

// A flat file is a FlatBuffer under check. Positions in it are int64, which no
// sum of two offsets overflows.
type flat struct {
	data   []byte
	budget int64 // of table slots and vector elements looked at: shared parts count each time
}

// spend bounds the work that a file can cause by its size.
func (f *flat) spend(n int64) error {
	if f.budget -= n; f.budget < 0 {
		return fmt.Errorf(": its parts are shared beyond reason")
	}
	return nil
}

func (f *flat) size() int64           { return int64(len(f.data)) }
func (f *flat) u16(at int64) int64    { return int64(binary.LittleEndian.Uint16(f.data[at:])) }
func (f *flat) u32(at int64) int64    { return int64(binary.LittleEndian.Uint32(f.data[at:])) }
func (f *flat) target(at int64) int64 { return at + f.u32(at) }

// has reports whether n bytes at a multiple of align are there.
func (f *flat) has(at, n, align int64) bool {
	return at >= 0 && n >= 0 && at%align == 0 && n <= f.size()-at
}

// column is a field of a table in the schema.
type column struct {
	name      string
	kind      byte // i, u, f: numbers; s: string; t: table or union
	size      int64
	vector    bool
	graph     bool      // the index of a subgraph
	of        []*layout // what it refers to: a table, or a union's by number
	union     bool      // the column before has the number
	value     int64     // where the field is absent
	low, high int64     // exclusive
}

type layout struct {
	name    string
	columns []column
}

var kinds = map[string]column{
	"i8": {kind: 'i', size: 1}, "u8": {kind: 'u', size: 1}, "u16": {kind: 'u', size: 2},
	"i32": {kind: 'i', size: 4}, "u32": {kind: 'u', size: 4}, "f32": {kind: 'f', size: 4},
	"i64": {kind: 'i', size: 8}, "u64": {kind: 'u', size: 8}, "str": {kind: 's', size: 4},
	"graph":      {kind: 'i', size: 4, graph: true},
	"TensorType": {kind: 'i', size: 1, low: -1, high: int64(len(elementBits))},
}

// schema is schemaText by table.
var schema = sync.OnceValue(func() map[string]*layout {
	all, unions := map[string]*layout{}, map[string][]*layout{}
	table := func(name string) *layout {
		if all[name] == nil {
			all[name] = &layout{name: name}
		}
		return all[name]
	}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(schemaText, "\n\t", " ")), "\n")
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
			typ, marks := strings.Trim(rest[:end], "[]"), rest[end:]
			c, ok := kinds[typ]
			if !ok {
				c = column{kind: 't', size: 4, of: unions[typ], union: unions[typ] != nil}
				if !c.union {
					c.of = []*layout{table(typ)}
				}
			}
			c.name, c.vector = name, rest[0] == '['
			if c.high == 0 {
				c.low, c.high = math.MinInt64, math.MaxInt64
			}
			for marks != "" {
				end := strings.IndexAny(marks[1:]+"=", "=<>") + 1
				n, _ := strconv.ParseInt(marks[1:end], 10, 64)
				*map[byte]*int64{'=': &c.value, '>': &c.low, '<': &c.high}[marks[0]] = n
				marks = marks[end:]
			}
			l.columns = append(l.columns, c)
		}
	}
	return all
})

// verify checks that all that belongs to a table lies in the file. A schema's
// tables do not nest in themselves, so neither does verify.
func (f *flat) verify(l *layout, at int64) error {
	if err := f.spend(1 + int64(len(l.columns))); err != nil {
		return err
	}
	if !f.has(at, 4, 4) {
		return fmt.Errorf(": the table at %d is not in the file", at)
	}
	vt := at - int64(int32(f.u32(at)))
	if !f.has(vt, 4, 2) || f.u16(vt) < 4 || f.u16(vt)%2 != 0 || !f.has(vt, f.u16(vt), 2) ||
		f.u16(vt+2) < 4 || !f.has(at, f.u16(vt+2), 4) {
		return fmt.Errorf(": the table at %d is damaged", at)
	}
	t := Table{f, l, at}
	for i, c := range l.columns {
		at := t.slot(i)
		if at == 0 {
			continue
		}
		size := c.size
		if c.vector {
			size = 4
		}
		if off := at - t.at; off < 4 || off+size > f.u16(vt+2) || at%size != 0 {
			return fmt.Errorf(".%s is not in its table", c.name)
		}
		if err := f.column(t, i, c, at); err != nil {
			return fmt.Errorf(".%s%w", c.name, err)
		}
	}
	return nil
}

// column checks what is at a field: itself, or what it refers to.
func (f *flat) column(t Table, i int, c column, at int64) error {
	if !c.vector && c.kind != 's' && c.kind != 't' {
		return c.within(f.number(c, at))
	}
	at = f.target(at)
	switch {
	case c.vector:
		if !f.has(at, 4, 4) || !f.has(at+4, f.u32(at)*c.size, c.size) {
			return fmt.Errorf(": the vector at %d is not in the file", at)
		}
		v := Vector{f, c, at + 4, f.u32(at)}
		if c.kind == 't' || c.low != math.MinInt64 || c.high != math.MaxInt64 {
			if err := f.spend(v.n); err != nil {
				return err
			}
			for i := range v.n {
				var err error
				if c.kind == 't' {
					err = f.verify(c.of[0], f.target(v.at+4*i))
				} else {
					err = c.within(v.Int(i))
				}
				if err != nil {
					return fmt.Errorf("[%d]%w", i, err)
				}
			}
		}
	case c.kind == 's':
		if !f.has(at, 4, 4) || !f.has(at+4, f.u32(at)+1, 1) || f.data[at+4+f.u32(at)] != 0 {
			return fmt.Errorf(": the string at %d is not in the file", at)
		}
	case c.union:
		number := t.Int(t.l.columns[i-1].name)
		if number == 0 {
			return nil
		}
		if number > int64(len(c.of)) {
			return fmt.Errorf(" is of kind %d, of %d known", number, len(c.of))
		}
		return f.verify(c.of[number-1], at)
	default:
		return f.verify(c.of[0], at)
	}
	return nil
}

func (c column) within(n int64) error {
	if n <= c.low || n >= c.high {
		return fmt.Errorf(" is %d", n)
	}
	return nil
}

// number reads one, which a float is the bits of.
func (f *flat) number(c column, at int64) int64 {
	switch {
	case c.size == 1 && c.kind == 'i':
		return int64(int8(f.data[at]))
	case c.size == 1:
		return int64(f.data[at])
	case c.size == 2:
		return f.u16(at)
	case c.size == 4 && c.kind == 'i':
		return int64(int32(f.u32(at)))
	case c.size == 4:
		return f.u32(at)
	}
	return int64(binary.LittleEndian.Uint64(f.data[at:])) // u64 beyond int64 becomes negative
}

// Table is one that verify found good; the zero Table has every field absent.
// Its fields are asked for by their names in the schema.
type Table struct {
	f  *flat
	l  *layout
	at int64
}

// slot is the position of field i, or 0 where it is absent.
func (t Table) slot(i int) int64 {
	if t.f == nil {
		return 0
	}
	vt := t.at - int64(int32(t.f.u32(t.at)))
	if at := int64(4 + 2*i); at+2 <= t.f.u16(vt) && t.f.u16(vt+at) != 0 {
		return t.at + t.f.u16(vt+at)
	}
	return 0
}

func (t Table) find(name string) (*column, int64) {
	if t.l == nil {
		return &column{}, 0
	}
	for i := range t.l.columns {
		if c := &t.l.columns[i]; c.name == name {
			return c, t.slot(i)
		}
	}
	return &column{}, 0
}

// Has reports whether a field is there.
func (t Table) Has(name string) bool { _, at := t.find(name); return at != 0 }

// Int is a number, or the schema's default. A float is its bits.
func (t Table) Int(name string) int64 {
	c, at := t.find(name)
	if at == 0 {
		return c.value
	}
	return t.f.number(*c, at)
}

// Text is a string.
func (t Table) Text(name string) string {
	_, at := t.find(name)
	if at == 0 {
		return ""
	}
	at = t.f.target(at)
	return string(t.f.data[at+4 : at+4+t.f.u32(at)])
}

// Table is what a field refers to, and of which kind a union is: 0 for none.
func (t Table) Table(name string) (Table, int64) {
	c, at := t.find(name)
	if at == 0 {
		return Table{}, 0
	}
	kind := int64(1)
	if c.union {
		if kind = t.Int(name + "_type"); kind == 0 {
			return Table{}, 0
		}
	}
	return Table{t.f, c.of[kind-1], t.f.target(at)}, kind
}

// Vector is a field's; the zero Vector where it is absent.
type Vector struct {
	f     *flat
	c     column
	at, n int64
}

// Vector is the elements of a field.
func (t Table) Vector(name string) Vector {
	c, at := t.find(name)
	if at == 0 {
		return Vector{}
	}
	at = t.f.target(at)
	return Vector{t.f, *c, at + 4, t.f.u32(at)}
}

// Len is the number of elements.
func (v Vector) Len() int64 { return v.n }

// Int is element i, which is there, as Table.Int.
func (v Vector) Int(i int64) int64 { return v.f.number(v.c, v.at+i*v.c.size) }

// Table is element i, which is there.
func (v Vector) Table(i int64) Table { return Table{v.f, v.c.of[0], v.f.target(v.at + 4*i)} }

// Bytes is all elements; nil for none.
func (v Vector) Bytes() []byte {
	if v.f == nil {
		return nil
	}
	return v.f.data[v.at : v.at+v.n*v.c.size]
}
