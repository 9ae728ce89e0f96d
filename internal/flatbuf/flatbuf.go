// SPDX-License-Identifier: Apache-2.0

// Package flatbuf reads untrusted FlatBuffers with a schema in text.
package flatbuf

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/anyinfer/anyinfer/common"
)

// maxNesting limits the depth of tables in tables, as SDKs' own verifiers do.
const maxNesting = 64

// File is a FlatBuffer. Positions in it are int64, so that the sum of two offsets
// cannot overflow.
type File struct {
	data   []byte
	budget int64 // table slots and vector elements that may still be read; shared objects count each time
	depth  int
}

// New returns a file with a budget of table slots and vector elements to read.
func New(data []byte, budget int64) *File { return &File{data: data, budget: budget} }

// Data returns the whole file.
func (f *File) Data() []byte { return f.data }

// Unsupported is an error about a file that may be valid, but exceeds the limits of
// the check or of the SDK's own types.
type Unsupported string

func (u Unsupported) Error() string { return string(u) }

// Refuse returns the error for a file in which a check found err.
func Refuse(err error) error {
	text := "the file is damaged: "
	if errors.As(err, new(Unsupported)) {
		text = "the file is not supported: "
	}
	return &common.Error{Kind: common.ErrModel, Message: text + err.Error()}
}

// Spend takes n from the budget, which bounds the work that a file can cause.
func (f *File) Spend(n int64) error {
	if f.budget -= n; f.budget < 0 {
		return Unsupported(": too many shared objects")
	}
	return nil
}

// Root returns the file's root table. It must be verified before it is read.
func (f *File) Root(l *Layout) Table {
	if len(f.data) < 4 {
		return Table{f, l, -1}
	}
	return Table{f, l, f.target(0)}
}

// Size returns the number of bytes.
func (f *File) Size() int64           { return int64(len(f.data)) }
func (f *File) u16(at int64) int64    { return int64(binary.LittleEndian.Uint16(f.data[at:])) }
func (f *File) u32(at int64) int64    { return int64(binary.LittleEndian.Uint32(f.data[at:])) }
func (f *File) target(at int64) int64 { return at + f.u32(at) }

// has reports whether the file has n bytes at a position that is a multiple of align.
func (f *File) has(at, n, align int64) bool {
	return at >= 0 && n >= 0 && at%align == 0 && n <= f.Size()-at
}

// Verify checks that a table and all objects to which it refers are inside the file.
func (t Table) Verify() error {
	f, at := t.f, t.at
	if f.depth++; f.depth > maxNesting {
		return Unsupported(fmt.Sprintf(": tables are nested more than %d deep", maxNesting))
	}
	defer func() { f.depth-- }()
	if !f.has(at, 4, 4) {
		return fmt.Errorf(": the table at %d is not in the file", at)
	}
	vt := at - int64(int32(f.u32(at)))
	if !f.has(vt, 4, 2) || f.u16(vt) < 4 || f.u16(vt)%2 != 0 || !f.has(vt, f.u16(vt), 2) ||
		f.u16(vt+2) < 4 || !f.has(at, f.u16(vt+2), 4) {
		return fmt.Errorf(": the table at %d is damaged", at)
	}
	if err := f.Spend(1 + int64(len(t.l.Columns)) + f.u16(vt)/2); err != nil {
		return err
	}
	for slot := int64(4); slot+2 <= f.u16(vt); slot += 2 { // also those of fields that the schema does not have
		if off := f.u16(vt + slot); off != 0 && (off < 4 || off >= f.u16(vt+2)) {
			return fmt.Errorf(": field %d of the table at %d lies outside of it", (slot-4)/2, at)
		}
	}
	for i, c := range t.l.Columns {
		at := t.slot(i)
		if at == 0 {
			continue
		}
		size := c.size
		if c.IsVector {
			size = 4
		}
		if at-t.at+size > f.u16(vt+2) || at%size != 0 {
			return fmt.Errorf(".%s lies outside its table", c.Name)
		}
		if err := t.column(i, c, at); err != nil {
			return fmt.Errorf(".%s%w", c.Name, err)
		}
	}
	return nil
}

// column checks the value of a field, or the object to which it refers.
func (t Table) column(i int, c Column, at int64) error {
	f := t.f
	if !c.IsVector && c.kind != 's' && c.kind != 't' {
		return nil
	}
	at = f.target(at)
	switch {
	case c.IsVector:
		if !f.has(at, 4, 4) || !f.has(at+4, f.u32(at)*c.size, c.size) {
			return fmt.Errorf(": the vector at %d is not in the file", at)
		}
		if c.kind != 't' && c.kind != 's' {
			return nil
		}
		v := Vector{f, c, at + 4, f.u32(at)}
		if err := f.Spend(v.n); err != nil {
			return err
		}
		for i := range v.n {
			var err error
			if c.kind == 't' {
				err = v.Table(i).Verify()
			} else {
				err = f.text(f.target(v.at + 4*i))
			}
			if err != nil {
				return fmt.Errorf("[%d]%w", i, err)
			}
		}
	case c.kind == 's':
		return f.text(at)
	case c.union:
		number := t.Int(t.l.Columns[i-1].Name)
		if number == 0 {
			return nil
		}
		return Table{f, c.member(number), at}.Verify()
	default:
		return Table{f, c.Of[0], at}.Verify()
	}
	return nil
}

// text checks a string.
func (f *File) text(at int64) error {
	if !f.has(at, 4, 4) || !f.has(at+4, f.u32(at)+1, 1) || f.data[at+4+f.u32(at)] != 0 {
		return fmt.Errorf(": the string at %d is not in the file", at)
	}
	return nil
}

// read returns a number; of a float, its bits.
func (f *File) read(c Column, at int64) int64 {
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

// Table is a table that Verify accepted. The zero Table has no fields. The methods
// find fields by their names in the schema.
type Table struct {
	f  *File
	l  *Layout
	at int64
}

// Layout returns the table's layout. It is Unknown for a union's member that the
// schema does not have, and nil for the zero Table.
func (t Table) Layout() *Layout { return t.l }

// File returns the file that has the table.
func (t Table) File() *File { return t.f }

// slot returns the position of field i, or 0 if it is absent.
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

func (t Table) find(name string) (*Column, int64) {
	if t.l == nil {
		return &Column{}, 0
	}
	for i := range t.l.Columns {
		if c := &t.l.Columns[i]; c.Name == name {
			return c, t.slot(i)
		}
	}
	return &Column{}, 0
}

// Has reports whether a field is present.
func (t Table) Has(name string) bool { _, at := t.find(name); return at != 0 }

// Int returns a number, or the schema's default; of a float, its bits.
func (t Table) Int(name string) int64 {
	c, at := t.find(name)
	if at == 0 {
		return c.value
	}
	return t.f.read(*c, at)
}

// Text returns a string, or "" if it is absent.
func (t Table) Text(name string) string {
	_, at := t.find(name)
	if at == 0 {
		return ""
	}
	return t.f.textAt(t.f.target(at))
}

func (f *File) textAt(at int64) string { return string(f.data[at+4 : at+4+f.u32(at)]) }

// Table returns the table to which a field refers, and the number of a union's
// member. The number is 0 if the field is absent, and 1 if it is not a union.
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
	return Table{t.f, c.member(kind), t.f.target(at)}, kind
}

// Vector is the vector of a field. The zero Vector has no elements.
type Vector struct {
	f     *File
	c     Column
	at, n int64
}

// Vector returns a field's vector, or the zero Vector if it is absent.
func (t Table) Vector(name string) Vector {
	c, at := t.find(name)
	if at == 0 {
		return Vector{}
	}
	at = t.f.target(at)
	return Vector{t.f, *c, at + 4, t.f.u32(at)}
}

// Len returns the number of elements.
func (v Vector) Len() int64 { return v.n }

// Int returns element i, which must exist; of a float, its bits.
func (v Vector) Int(i int64) int64 { return v.f.read(v.c, v.at+i*v.c.size) }

// Text returns element i, which must exist.
func (v Vector) Text(i int64) string { return v.f.textAt(v.f.target(v.at + 4*i)) }

// Table returns element i, which must exist.
func (v Vector) Table(i int64) Table { return Table{v.f, v.c.Of[0], v.f.target(v.at + 4*i)} }

// Bytes returns all elements; nil if there are none.
func (v Vector) Bytes() []byte {
	if v.f == nil {
		return nil
	}
	return v.f.data[v.at : v.at+v.n*v.c.size]
}
