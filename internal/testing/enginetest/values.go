// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// differ is how got differs from want: in type, shape, or an element by more
// than limit(want); "" where it does not.
func differ(want, got *common.Tensor, limit func(float64) float64) string {
	if !got.Is(want.DType(), want.Shape()) {
		return fmt.Sprintf("it is %v%v, not %v%v", got.DType(), got.Shape(), want.DType(), want.Shape())
	}
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
	switch {
	case at >= 0:
		return fmt.Sprintf("element %d is %v, not %v", at, g[at], w[at])
	case limit(1) == 0:
		return "the bits differ" // -0 or a wide integer
	}
	return ""
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
func unaligned(t *testing.T, x *common.Tensor) *common.Tensor {
	t.Helper()
	shift := map[common.DType]func(*common.Tensor) (*common.Tensor, error){
		common.Bool: shift[bool], common.Float16: shift[common.Half], common.BFloat16: shift[common.BHalf],
		common.Float32: shift[float32], common.Float64: shift[float64],
		common.Int8: shift[int8], common.Int16: shift[int16], common.Int32: shift[int32], common.Int64: shift[int64],
		common.Uint8: shift[uint8], common.Uint16: shift[uint16], common.Uint32: shift[uint32], common.Uint64: shift[uint64],
	}[x.DType()]
	if shift == nil {
		return x.Clone() // strings have no address
	}
	y, err := shift(x)
	require.NoError(t, err)
	return y
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
