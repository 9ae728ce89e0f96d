// SPDX-License-Identifier: Apache-2.0

package flatbuf

import "encoding/binary"

// These functions damage files for tests. The file must be valid before.

// Drop removes a field.
func (t Table) Drop(name string) {
	old := t.at - int64(int32(t.f.u32(t.at)))
	vt := (t.f.Size() + 3) &^ 3 // a copy, because other tables may share the old one
	t.f.data = append(append(t.f.data, make([]byte, vt-t.f.Size())...), t.f.data[old:old+t.f.u16(old)]...)
	t.f.Put(t.at, 4, t.at-vt)
	for i, c := range t.l.Columns {
		if c.Name == name {
			t.f.Put(vt+4+2*int64(i), 2, 0)
		}
	}
}

// At returns the position of a field, which must be present.
func (t Table) At(name string) int64 {
	_, at := t.find(name)
	if at == 0 {
		panic(name + " is absent")
	}
	return at
}

// Set changes a field, which must be present.
func (t Table) Set(name string, n int64) {
	c, _ := t.find(name)
	t.f.Put(t.At(name), c.size, n)
}

// Set changes an element.
func (v Vector) Set(i, n int64) { v.f.Put(v.at+i*v.c.size, v.c.size, n) }

// SetLen changes the number of elements in the file.
func (v Vector) SetLen(n int64) { v.f.Put(v.at-4, 4, n) }

// Target returns the position to which the offset at another position refers.
func (f *File) Target(at int64) int64 { return f.target(at) }

// Put overwrites size bytes with n.
func (f *File) Put(at, size, n int64) {
	var all [8]byte
	binary.LittleEndian.PutUint64(all[:], uint64(n))
	copy(f.data[at:at+size], all[:])
}
