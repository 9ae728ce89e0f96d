// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

const maxRank = 8 // LITERT_TENSOR_MAX_RANK

// layout is a LiteRtLayout.
type layout struct {
	bits uint32 // the rank, 7 bits
	dims [maxRank]int32
	_    [maxRank]uint32 // strides
}

// newLayouts makes the layouts of n tensors, with spare memory behind them: LiteRT writes all dimensions of a tensor,
// even if there are more than maxRank.
func newLayouts(n int) []layout { return make([]layout, n+8)[:n] }

func (l *layout) rank() uint32 { return l.bits & 0x7f }

// shape appends the dimensions to s. It returns nil if there are more than maxRank.
func (l *layout) shape(s common.Shape) common.Shape {
	if l.rank() > maxRank {
		return nil
	}
	for _, d := range l.dims[:l.rank()] {
		s = append(s, int(d))
	}
	return s
}

// tensorType is a LiteRtRankedTensorType.
type tensorType struct {
	element int32 // LiteRtElementType
	layout  layout
}

func newTensorType(t *common.Tensor) *tensorType {
	shape := t.Shape()
	typ := &tensorType{element: tfl.Code(t.DType()), layout: layout{bits: uint32(len(shape))}}
	for i, d := range shape {
		typ.layout.dims[i] = int32(d)
	}
	return typ
}
