// SPDX-License-Identifier: Apache-2.0

package tnncheck

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
)

// weights are what a .tnnmodel has.
type weights struct {
	layers    map[string]resource
	constants map[string]raw
	partial   bool // what follows is not known
}

// resource is what a layer has there.
type resource struct {
	kind string
	raws []raw // at the places that layouts gives them; empty where there are none
}

// raw is an array.
type raw struct {
	dtype, bytes int
	dims         []int
}

// sizes are those of the types that an array can have: float32, float16, int8, int32, bfloat16, int64, uint32.
var sizes = []int{4, 2, 1, 4, 2, 8, 4}

const int8Type = 2

// known reports whether the size of the elements is.
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

// layouts say what a kind of layer has, letter by letter: s a string, r an
// array, b an integer, an array and, if the integer is not 0, another, i an
// array if an integer before it is 1, t one if a byte before it is not 0, x
// one if the first was of int8, z an array and, if that is of int8, another,
// q the same if the first was of int8.
var layouts = map[string]string{
	"Convolution": "sbq", "Deconvolution": "sbq", "Convolution1D": "sb", "Convolution3D": "sb", "InnerProduct": "srrq",
	"BatchNormCxx": "rr", "BatchNormalization": "rr", "InstBatchNormCxx": "rr", "Scale": "sb", "BiasAdd": "r", "PReLU": "sr",
	"Add": "r", "Sub": "r", "Mul": "r", "Div": "r", "Maximum": "r", "Minimum": "r", "SquaredDifference": "r", "And": "r",
	"Greater": "r", "Less": "r", "Const": "r", "ConstantOfShape": "r", "MatMul": "rx", "Gather": "iix", "DetectionPostProcess": "sr",
	"HDRGuide": "rrrrrr", "Scatter": "tt", "ScatterND": "tt", "BlobScale": "zr",
}

// plain is a kind of layer without what its name says of its arithmetic.
func plain(kind string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(kind, "DynamicRange"), "Quantized"), "_nhwc")
}

func readWeights(data []byte) (*weights, error) {
	r := &reader{data: data}
	if m := r.uint32(); later(m) {
		return nil, errLater
	} else if m != magic && m != magicV2 {
		r.at = 0 // an old file
	}
	n := int(r.uint32() & 0x1FFFFFFF)
	if r.err == nil && n >= 10000 {
		return nil, errors.New("the .tnnmodel does not begin as one")
	}
	w := &weights{layers: map[string]resource{}, constants: map[string]raw{}}
	for i := 0; i < n && r.err == nil; i++ {
		number, kind, name := int32(r.uint32()), r.string(), r.string()
		layout, ok := layouts[plain(kind)]
		switch {
		case r.err != nil:
		case number < 0 || number > 10000:
			return nil, fmt.Errorf("the .tnnmodel has weights of a layer of number %d", number)
		case !ok: // where its weights end is not known
			w.partial = true
			return w, nil
		}
		w.layers[name] = resource{plain(kind), r.layout(layout)}
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
		r.err = fmt.Errorf("the .tnnmodel has %d bytes too many", len(data)-r.at)
	}
	return w, r.err
}

// reader reads on until something is not there.
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
	if later(m) {
		r.err = errLater
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
