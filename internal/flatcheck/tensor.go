// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// elementBits has the size of an element by TensorType; 0 if it is not fixed.
var elementBits = [...]int64{32, 16, 32, 8, 64, 0, 8, 16, 64, 8, 64, 128, 64, 0, 0, 32, 16, 4, 16, 2, 4, 8, 8}

const int32Type, uint8Type, int64Type, stringType, boolType, int16Type, int8Type, resourceType = 2, 3, 4, 5, 6, 7, 9, 13

// tensor is a tensor of a subgraph.
type tensor struct {
	Table
	dtype    int64
	shape    Vector
	data     []byte // of a constant
	constant bool
	ready    bool // has a value before the checked operator
}

// bits returns the size of an element, or 0 if it is not fixed or not known.
func (t *tensor) bits() int64 {
	if t.dtype >= int64(len(elementBits)) {
		return 0
	}
	return elementBits[t.dtype]
}

// isUnknown reports whether the rules for single operators do not apply to the tensor,
// because of its type or rank.
func (t *tensor) isUnknown() bool {
	return t.dtype >= int64(len(elementBits)) || t.shape.Len() > maxRank
}

func (t *tensor) init(c *checker, tab Table) error {
	*t = tensor{Table: tab, dtype: tab.Int("type"), shape: tab.Vector("shape")}
	sig := t.Vector("shape_signature")
	if sig.Len() != 0 && sig.Len() != t.shape.Len() {
		return fmt.Errorf(" has %d dimensions and %d in its signature", t.shape.Len(), sig.Len())
	}
	n, positive := int64(1), int64(1) // the product without dimensions of 0, which SDKs also compute
	for i := range t.shape.Len() {
		d := t.shape.Int(i)
		if sig.Len() != 0 && sig.Int(i) != -1 && sig.Int(i) != d {
			return fmt.Errorf(" has %d for dimension %d, and %d in its signature", d, i, sig.Int(i))
		}
		n *= d
		if positive *= max(d, 1); positive > math.MaxInt32 { // SDKs count elements in 32 bits
			return flatbuf.Unsupported(fmt.Sprintf(" has more than %d elements", math.MaxInt32))
		}
	}
	if b := t.Int("buffer"); b != 0 {
		if b >= c.buffers.Len() {
			return fmt.Errorf(" has buffer %d of %d", b, c.buffers.Len())
		}
		t.data = Content(c.buffers.Table(b))
	}
	t.constant = len(t.data) > 0
	t.ready = t.constant || n == 0 || t.Int("is_variable") != 0 || t.Int("external_buffer") != 0
	if err := t.quantization(c); err != nil {
		return fmt.Errorf(", quantization: %w", err)
	}
	if !t.constant {
		return nil
	}
	if t.dtype == stringType {
		return t.strings(c)
	}
	if s, kind := t.Table.Table("sparsity"); kind != 0 {
		var err error
		if n, err = t.sparsity(c, s); err != nil {
			return fmt.Errorf(", sparsity: %w", err)
		}
	}
	if bits := t.bits(); bits != 0 && n >= 0 && (n*bits+7)/8 != int64(len(t.data)) {
		return fmt.Errorf(" needs %d bytes, has %d", (n*bits+7)/8, len(t.data))
	}
	return nil
}

// smallestNormal is the smallest float32 that is not denormal.
const smallestNormal = 0x1p-126

func (t *tensor) quantization(c *checker) error {
	q, _ := t.Table.Table("quantization")
	scale, axis := q.Vector("scale"), q.Int("quantized_dimension")
	if scale.Len() == 0 {
		return nil
	}
	zero := q.Vector("zero_point")
	if zero.Len() != scale.Len() {
		return fmt.Errorf("%d scales, %d zero points", scale.Len(), zero.Len())
	}
	low, high := int64(math.MinInt32), int64(math.MaxInt32)
	switch bits := t.bits(); t.dtype {
	case uint8Type:
		low, high = 0, 255
	case int8Type, int16Type:
		low, high = -1<<(bits-1), 1<<(bits-1)-1
	}
	if details, _ := q.Table("details"); details.Layout() == flatbuf.Unknown {
		return c.Spend(scale.Len())
	}
	if axis < 0 || scale.Len() > 1 && (axis >= t.shape.Len() || t.shape.Int(axis) != scale.Len()) {
		return fmt.Errorf("%d scales for dimension %d", scale.Len(), axis)
	}
	for i := range scale.Len() {
		s := math.Float32frombits(uint32(scale.Int(i)))
		if scale.Len() == 1 && s < smallestNormal || !(s >= 0 && s <= math.MaxFloat32) { // a channel's scale may be 0
			return fmt.Errorf("scale %d is %v", i, s)
		}
		if z := zero.Int(i); z < low || z > high {
			return fmt.Errorf("zero point %d is %d", i, z)
		}
	}
	return c.Spend(scale.Len())
}

// strings checks the strings of a constant: their number, their offsets and the end.
func (t *tensor) strings(c *checker) error {
	size := int64(len(t.data))
	at := func(i int64) int64 { return int64(binary.LittleEndian.Uint32(t.data[4*i:])) }
	if size < 8 || at(0) > size/4-2 || at(1) != 4*(at(0)+2) || at(at(0)+1) != size {
		return fmt.Errorf(" has strings that are not in its buffer")
	}
	for i := range at(0) {
		if at(i+1) > at(i+2) {
			return fmt.Errorf(", string %d is not in its buffer", i)
		}
	}
	return c.Spend(at(0))
}

// sparsity checks that the stored elements of a sparse constant fill its shape, and
// returns their number, or -1 if the format is not known. The tensor's dimensions come
// first, then those of the blocks.
func (t *tensor) sparsity(c *checker, s Table) (int64, error) {
	order, blocks, dims := s.Vector("traversal_order"), s.Vector("block_map"), s.Vector("dim_metadata")
	rank := t.shape.Len()
	if order.Len() != rank+blocks.Len() || dims.Len() != order.Len() {
		return 0, fmt.Errorf("%d dimensions in order, %d described, %d blocks", order.Len(), dims.Len(), blocks.Len())
	}
	sizes, seen := make([]int64, order.Len()), make([]bool, order.Len())
	for i := range rank {
		sizes[i] = t.shape.Int(i)
	}
	for i := range order.Len() {
		d := order.Int(i)
		if d < 0 || d >= order.Len() || seen[d] || (d < rank) != (i < rank) {
			return 0, fmt.Errorf("dimension %d is %d", i, d)
		}
		seen[d] = true
		if i >= rank { // dimension d is one of the blocks'
			b, size := blocks.Int(d-rank), dims.Table(i).Int("dense_size")
			if b < 0 || b >= rank || size < 1 || sizes[b]%size != 0 {
				return 0, fmt.Errorf("block of %d in dimension %d", size, b)
			}
			sizes[d], sizes[b] = size, sizes[b]/size
		}
	}
	n := int64(1)
	for i := range order.Len() {
		d, size := dims.Table(i), sizes[order.Int(i)]
		if d.Int("format") == 0 {
			if n *= size; d.Int("dense_size") != size || n > math.MaxInt32 {
				return 0, fmt.Errorf("dimension %d has %d elements, not %d", i, d.Int("dense_size"), size)
			}
			continue
		}
		segments, _ := d.Table("array_segments")
		indices, _ := d.Table("array_indices")
		if d.Int("format") > 1 || segments.Layout() == flatbuf.Unknown || indices.Layout() == flatbuf.Unknown {
			return -1, nil
		}
		starts, at := segments.Vector("values"), indices.Vector("values")
		if starts.Len() != n+1 || starts.Int(0) != 0 || starts.Int(n) != at.Len() {
			return 0, fmt.Errorf("dimension %d has %d segments of %d indices", i, starts.Len()-1, at.Len())
		}
		if err := c.Spend(n + at.Len()); err != nil {
			return 0, err
		}
		for j := range n {
			last := int64(-1)
			if starts.Int(j) > starts.Int(j+1) || starts.Int(j+1) > at.Len() {
				return 0, fmt.Errorf("dimension %d, segment %d begins at %d", i, j, starts.Int(j+1))
			}
			for k := starts.Int(j); k < starts.Int(j+1); k++ {
				if at.Int(k) <= last || at.Int(k) >= size {
					return 0, fmt.Errorf("dimension %d, index %d is %d of %d", i, k, at.Int(k), size)
				}
				last = at.Int(k)
			}
		}
		n = at.Len()
	}
	return n, nil
}

// elements returns the number of elements. After init it does not overflow.
func (t *tensor) elements() int64 {
	n := int64(1)
	for i := range t.shape.Len() {
		n *= t.shape.Int(i)
	}
	return n
}

// ints returns the elements of a constant of int32 or int64, and none of a tensor that
// is not constant. It returns false for other types and for large constants.
func (t *tensor) ints() ([]int64, bool) {
	var all []int64
	size := int(t.bits() / 8)
	if t.dtype != int32Type && t.dtype != int64Type || len(t.data) > 2*maxRank*size {
		return nil, false
	}
	for i := 0; i < len(t.data); i += size {
		n := int64(int32(binary.LittleEndian.Uint32(t.data[i:])))
		if size == 8 {
			n = int64(binary.LittleEndian.Uint64(t.data[i:]))
		}
		all = append(all, n)
	}
	return all, true
}

// isPermutation reports whether t, if it is constant, has each of n dimensions once.
func (t *tensor) isPermutation(n int64) bool {
	all, ok := t.ints()
	var seen uint64
	for _, d := range all {
		if d < 0 {
			d += n
		}
		if d < 0 || d >= n {
			return false
		}
		seen |= 1 << d
	}
	return ok && (!t.constant || int64(len(all)) == n && seen == 1<<n-1)
}

// validSizes reports whether t, if it is constant, has numbers of at least low, and n
// times their product is a size that SDKs support.
func (t *tensor) validSizes(low, n int64) bool {
	all, ok := t.ints()
	for _, d := range all {
		if n *= max(d, 1); d < low || d > math.MaxInt32 || n > math.MaxInt32 {
			return false
		}
	}
	return ok
}
