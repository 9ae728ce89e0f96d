// SPDX-License-Identifier: Apache-2.0

package tnncheck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// weights is the content of a .tnnmodel.
type weights struct {
	layers    map[string][]raw // in the order of layouts; an absent array is empty
	constants map[string]raw
	partial   bool // the rest of the file was not read
}

// raw is an array of weights.
type raw struct {
	dtype, bytes int
	dims         []int
}

// sizes has the sizes of the element types: float32, float16, int8, int32, bfloat16, int64, uint32.
var sizes = []int{4, 2, 1, 4, 2, 8, 4}

const int8Type = 2

// known reports whether the size of the elements is known.
func (r raw) known() bool { return r.dtype < len(sizes) }

func (r raw) count() int {
	if r.bytes == 0 {
		return 0
	}
	if !r.known() {
		return -1
	}
	return r.bytes / sizes[r.dtype]
}

// layouts has a letter for each part of the weights of a kind of layer: s is a string;
// r is an array; b is an integer, an array and, if the integer is not 0, another
// array; i is an integer and, if that is 1, an array; t is a byte and, if that is not
// 0, an array; x is an array if the first one is of int8; z is an array and, if that
// is of int8, another; q is the same as z if the first array is of int8.
var layouts = map[string]string{
	"Convolution": "sbq", "Deconvolution": "sbq", "Convolution1D": "sb", "Convolution3D": "sb", "InnerProduct": "srrq",
	"BatchNormCxx": "rr", "BatchNormalization": "rr", "InstBatchNormCxx": "rr", "Scale": "sb", "BiasAdd": "r", "PReLU": "sr",
	"Add": "r", "Sub": "r", "Mul": "r", "Div": "r", "Maximum": "r", "Minimum": "r", "SquaredDifference": "r", "And": "r",
	"Greater": "r", "Less": "r", "Const": "r", "ConstantOfShape": "r", "MatMul": "rx", "Gather": "iix", "DetectionPostProcess": "sr",
	"HDRGuide": "rrrrrr", "Scatter": "tt", "ScatterND": "tt", "BlobScale": "zr",
}

// baseKind returns a kind of layer without the prefixes and suffixes for quantization.
func baseKind(kind string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(kind, "DynamicRange"), "Quantized"), "_nhwc")
}

func readWeights(data []byte) (*weights, error) {
	r := &reader{data: data}
	if m := r.uint32(); isNewer(m) {
		return nil, errNewer
	} else if m != magic && m != magicV2 {
		r.at = 0 // a file of the old format has no magic number
	}
	n := int(r.uint32() & 0x1FFFFFFF)
	if r.err == nil && n >= 10000 {
		return nil, errors.New("the .tnnmodel does not start with its magic number")
	}
	w := &weights{layers: map[string][]raw{}, constants: map[string]raw{}}
	for i := 0; i < n && r.err == nil; i++ {
		number, kind, name := int32(r.uint32()), r.string(), r.string()
		layout, ok := layouts[baseKind(kind)]
		switch {
		case r.err != nil:
		case number < 0 || number > 10000:
			return nil, fmt.Errorf("the .tnnmodel has a layer with the number %d", number)
		case !ok: // the size of its weights is not known
			w.partial = true
			return w, nil
		}
		w.layers[name] = r.layout(layout)
	}
	if r.err == nil && r.at < len(data) { // constants
		r.uint32()
		n := int(int32(r.uint32()))
		for i := 0; i < n && r.err == nil; i++ {
			name := r.string()
			w.constants[name] = r.raw()
		}
	}
	if r.err == nil && r.at < len(data) {
		r.err = fmt.Errorf("the .tnnmodel has %d bytes after its end", len(data)-r.at)
	}
	return w, r.err
}

// reader reads until the data ends or is invalid.
type reader struct {
	data []byte
	at   int
	err  error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && (n < 0 || n > len(r.data)-r.at) {
		r.err = errors.New("the .tnnmodel ends too early")
	}
	if r.err != nil {
		return nil
	}
	r.at += n
	return r.data[r.at-n : r.at]
}

func (r *reader) uint32() uint32 {
	b := r.take(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

func (r *reader) string() string { return string(r.take(int(int32(r.uint32())))) }

func (r *reader) raw() (a raw) {
	m, dtype := r.uint32(), int(r.uint32())
	a = raw{dtype: dtype, bytes: int(int32(r.uint32()))}
	if r.err != nil {
		return raw{}
	}
	if a.bytes == 0 {
		return raw{}
	}
	if isNewer(m) {
		r.err = errNewer
		return raw{}
	}
	if dtype < 0 || a.bytes < 0 || a.known() && a.bytes%sizes[dtype] != 0 || m != magic && m != magicV2 {
		r.err = errors.New("an array of weights is damaged")
		return raw{}
	}
	if m == magicV2 {
		n := int(int32(r.uint32()))
		if n < 0 {
			r.err = fmt.Errorf("an array of weights has %d dimensions", n)
		}
		count := 1
		for i := 0; i < n && r.err == nil; i++ {
			d := int(int32(r.uint32()))
			if d < 0 || d > math.MaxInt32/max(count, 1) {
				r.err = fmt.Errorf("an array of weights has a dimension of %d", d)
			}
			a.dims, count = append(a.dims, d), count*d
		}
		if r.err == nil && n > 0 && a.known() && count != a.count() {
			r.err = fmt.Errorf("an array of weights has %d bytes, its shape is %v", a.bytes, a.dims)
		}
	}
	r.take(a.bytes)
	return a
}

func (r *reader) layout(letters string) (raws []raw) {
	quantized := func() {
		if raws = append(raws, r.raw()); raws[len(raws)-1].dtype == int8Type {
			raws = append(raws, r.raw())
		}
	}
	for _, l := range letters {
		switch l {
		case 's':
			r.string()
		case 'r':
			raws = append(raws, r.raw())
		case 'b':
			both := r.uint32() != 0
			if raws = append(raws, r.raw()); both {
				raws = append(raws, r.raw())
			} else {
				raws = append(raws, raw{})
			}
		case 'i':
			if r.uint32() == 1 {
				raws = append(raws, r.raw())
			} else {
				raws = append(raws, raw{})
			}
		case 't':
			if b := r.take(1); b != nil && b[0] != 0 {
				raws = append(raws, r.raw())
			}
		case 'q':
			if raws[0].dtype == int8Type {
				quantized()
			}
		case 'z':
			quantized()
		case 'x':
			if raws[0].dtype == int8Type {
				raws = append(raws, r.raw())
			}
		}
	}
	return raws
}
