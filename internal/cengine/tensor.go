// SPDX-License-Identifier: Apache-2.0

package cengine

import (
	"fmt"
	"math"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// info converts a description from C.
func (t *tensor) info() (info common.TensorInfo, err error) {
	if info.Name = text(t.name, &err); err != nil {
		return info, err
	}
	if t.dtype < 0 || int(t.dtype) >= len(dtypes) || dtypes[t.dtype] == 0 {
		return info, errBadReturn(common.ErrDType, "the element type %d for tensor %q", t.dtype, info.Name)
	}
	info.DType = dtypes[t.dtype]
	if info.Shape, err = t.shape.toShape(); err != nil || t.scales == 0 {
		return info, err
	}
	perAxis := t.axis >= 0 && int(t.axis) < len(info.Shape) && info.Shape[t.axis] == int(t.scales)
	if t.scales != 1 && (t.scales < 0 || !perAxis) || t.scale == 0 || t.zeroPoint == 0 {
		return info, errBadReturn(common.ErrModel, "%d scales on axis %d for tensor %q of shape %v", t.scales, t.axis, info.Name, info.Shape)
	}
	info.Quant = &common.Quantization{Scale: make([]float32, t.scales), ZeroPoint: make([]int64, t.scales)}
	if perAxis {
		info.Quant.Axis = int(t.axis)
	}
	dylib.CopyOut(info.Quant.Scale, t.scale)
	dylib.CopyOut(info.Quant.ZeroPoint, t.zeroPoint)
	return info, nil
}

// toShape converts a shape from C.
func (s *shape) toShape() (common.Shape, error) {
	if s.rank == -1 {
		return nil, nil
	}
	if s.rank < 0 || s.rank > maxRank {
		return nil, errBadReturn(common.ErrModel, "a shape of rank %d", s.rank)
	}
	dims := make(common.Shape, s.rank)
	for i, d := range s.dims[:s.rank] {
		if d < -1 || d > math.MaxInt32 {
			return nil, errBadReturn(common.ErrModel, "the dimension %d", d)
		}
		dims[i] = int(d)
	}
	return dims, nil
}

// set makes s the shape of a tensor.
func (s *shape) set(dims common.Shape) error {
	if len(dims) > maxRank {
		return &common.Error{Kind: common.ErrShape, Message: fmt.Sprintf("the tensor has %d dimensions; engines accept up to %d", len(dims), maxRank)}
	}
	*s = shape{rank: int32(len(dims))}
	for i, d := range dims {
		s.dims[i] = int64(d)
	}
	return nil
}
