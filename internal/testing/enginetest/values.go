// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"fmt"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
)

// differ says how got differs from want, which has its type and shape, by
// more than limit(want); "" where it does not.
func differ(want, got *common.Tensor, limit func(float64) float64) string {
	if want.DType() == common.String {
		w, _ := common.Data[string](want)
		g, _ := common.Data[string](got)
		if !slices.Equal(w, g) {
			return fmt.Sprintf("it is %q, not %q", g, w)
		}
		return ""
	}
	if bytes.Equal(want.Bytes(), got.Bytes()) {
		return ""
	}
	worst, at := 0.0, -1
	w, g := values.Float64s(want), values.Float64s(got)
	for i := range w {
		// The comparison is so that a NaN counts as a difference.
		if d := math.Abs(g[i] - w[i]); !(d <= limit(w[i])) && !(d <= worst) {
			worst, at = d, i
		}
	}
	if at < 0 {
		if limit(1) == 0 {
			return "the bits differ" // -0 or a wide integer
		}
		return ""
	}
	return fmt.Sprintf("element %d is %v, not %v", at, g[at], w[at])
}

func exactly(float64) float64 { return 0 }

// assign copies the elements of src, which has dst's type and shape.
func assign(dst, src *common.Tensor) {
	copy(dst.Bytes(), src.Bytes())
	to, _ := common.Data[string](dst)
	from, _ := common.Data[string](src)
	copy(to, from)
}

// unaligned is a copy of x one element away from an aligned address.
func unaligned(x *common.Tensor) (*common.Tensor, error) {
	switch x.DType() {
	case common.String: // has no address
		return x.Clone(), nil
	case common.Bool:
		return shift[bool](x)
	case common.Float16:
		return shift[common.Half](x)
	case common.BFloat16:
		return shift[common.BHalf](x)
	case common.Int8:
		return shift[int8](x)
	case common.Int16:
		return shift[int16](x)
	case common.Int32:
		return shift[int32](x)
	case common.Int64:
		return shift[int64](x)
	case common.Uint8:
		return shift[uint8](x)
	case common.Uint16:
		return shift[uint16](x)
	case common.Uint32:
		return shift[uint32](x)
	case common.Uint64:
		return shift[uint64](x)
	case common.Float32:
		return shift[float32](x)
	}
	return shift[float64](x)
}

func shift[T common.Elem](x *common.Tensor) (*common.Tensor, error) {
	data, err := common.Data[T](x)
	if err != nil {
		return nil, err
	}
	aligned, err := common.NewTensor(x.DType(), len(data)+1)
	if err != nil {
		return nil, err
	}
	buffer, err := common.Data[T](aligned)
	if err != nil {
		return nil, err
	}
	copy(buffer[1:], data)
	return common.FromSlice(buffer[1:], x.Shape()...)
}
