// SPDX-License-Identifier: Apache-2.0

package tnncheck

import (
	"fmt"
	"strconv"
)

// maxElements is the number of elements of four bytes that TNN can count: it stores
// sizes in an int.
const maxElements = 1<<29 - 1

// checkShapes checks that inputs of these shapes fit the layers and their weights: with
// other shapes, also those that a caller chooses for a valid model, TNN reads and writes
// outside of its memory. After a layer that is not in shapesOf, or has parameters that
// are not as expected, shapes are not known, so they are not checked.
func (n *net) checkShapes(w *weights, inputs []blob) error {
	known := map[string][]int{} // dims, nil if not known
	for name, c := range w.constants {
		known[name] = c.dims
	}
	for _, b := range inputs {
		if product(b.dims) < 1 {
			return fmt.Errorf("input %.100q: the shape %v is not one that TNN supports", b.name, b.dims)
		}
		known[b.name] = b.dims
	}
	for _, l := range n.layers {
		f := shapesOf[l.kind]
		if f == nil || len(l.outputs) != 1 {
			continue
		}
		var in [][]int
		for _, name := range l.inputs {
			in = append(in, known[name])
		}
		dims, err := f(l, in, w.layers[l.name])
		if err == nil && dims != nil && product(dims) < 1 {
			err = fmt.Errorf("the shape %v of its output is not one that TNN supports", dims)
		}
		if err != nil {
			return fmt.Errorf("layer %.100q, %.100s: %w", l.name, l.kind, err)
		}
		known[l.outputs[0]] = dims
	}
	return nil
}

// shapesOf has, for each kind of layer, a function that returns the shape of its output;
// nil if it is not known.
var shapesOf = map[string]func(l layer, in [][]int, own []raw) ([]int, error){
	"Convolution": convolution, "InnerProduct": innerProduct, "Pooling": pooling, "Flatten": flatten,
	"Add": broadcastShape, "Sub": broadcastShape, "Mul": broadcastShape, "Div": broadcastShape, "Maximum": broadcastShape, "Minimum": broadcastShape,
	"ReLU": sameShape, "ReLU6": sameShape, "Sigmoid": sameShape, "Tanh": sameShape, "Abs": sameShape, "Exp": sameShape, "Neg": sameShape, "Sqrt": sameShape, "HardSwish": sameShape,
	"Dropout": sameShape, "Identity": sameShape, "Softmax": sameShape,
}

// ints returns the parameters of a layer, and the last of defaults to make them n; or nil
// if there are too few, or one is not a number from -1 to maxElements.
func (l layer) ints(n int, defaults ...int) []int {
	var p []int
	for _, w := range l.params {
		v, err := strconv.Atoi(w)
		if err != nil || v < -1 || v > maxElements {
			return nil
		}
		p = append(p, v)
	}
	if len(p)+len(defaults) < n {
		return nil
	}
	return append(p, defaults[min(len(p)+len(defaults)-n, len(defaults)):]...)
}

// windowCount returns the number of windows that fit into size with padding on both
// sides; -1 if that is not known.
func windowCount(size, window, stride, pad, padKind int, roundUp bool) (int, error) {
	if stride < 1 || pad < 0 || padKind < -1 || padKind > 1 {
		return -1, nil
	}
	rest := size + 2*pad - window
	switch {
	case padKind == 0: // one window for each stride
		return (size + stride - 1) / stride, nil
	case padKind == 1:
		rest, roundUp = size-window, false
	}
	if rest < 0 {
		return 0, fmt.Errorf("windows of %d do not fit into %d", window, size)
	}
	n := rest/stride + 1
	if roundUp && rest%stride != 0 {
		n++
	}
	return n, nil
}

// checkPadding returns an error if a column of windows is completely in the padding,
// because TNN then writes beyond the end of a row.
func checkPadding(size, out, window, stride, pad, padKind int) error {
	switch padKind {
	case 0:
		pad = max(0, (out-1)*stride+window-size) / 2
	case 1:
		pad = 0
	}
	if (pad+stride-1)/stride > out || window-1-pad > size {
		return fmt.Errorf("a padding of %d for windows of %d on an input of %d, which crashes TNN", pad, window, size)
	}
	return nil
}

// checkWeights checks the number of a layer's first weights, which TNN finds by the
// layer's name.
func checkWeights(own []raw, count int) error {
	first := raw{}
	if len(own) > 0 {
		first = own[0]
	}
	if first.known() && first.count() != count {
		return fmt.Errorf("it has %d weights, and needs %d", first.count(), count)
	}
	return nil
}

func convolution(l layer, in [][]int, own []raw) ([]int, error) {
	x, p := in[0], l.ints(14, 1, 1, 0)
	if len(x) != 4 || p == nil || p[0] < 1 {
		return nil, nil
	}
	if x[1]%p[0] != 0 || p[1] != x[1] && p[1] != x[1]/p[0] {
		return nil, fmt.Errorf("%d channels in %d groups for an input of %v", p[1], p[0], x)
	}
	if err := checkWeights(own, product([]int{p[2], x[1] / p[0], p[3], p[4]})); err != nil {
		return nil, err
	}
	y := []int{x[0], p[2], 0, 0}
	for i := range 2 {
		window, stride, pad := p[11+i]*(p[3+i]-1)+1, p[5+i], p[7+i]
		n, err := windowCount(x[2+i], window, stride, pad, p[10], false)
		if err == nil && n >= 0 {
			err = checkPadding(x[2+i], n, window, stride, pad, p[10])
		}
		if err != nil || n < 0 {
			return nil, err
		}
		y[2+i] = n
	}
	return y, nil
}

func innerProduct(l layer, in [][]int, own []raw) ([]int, error) {
	x, p := in[0], l.ints(4)
	if len(x) < 2 || p == nil {
		return nil, nil
	}
	if p[2] != 0 || p[3] != 1 { // TNN ignores both parameters
		return nil, fmt.Errorf("transposed %d, from axis %d", p[2], p[3])
	}
	return []int{x[0], p[0]}, checkWeights(own, product(append([]int{p[0]}, x[1:]...)))
}

func pooling(l layer, in [][]int, _ []raw) ([]int, error) {
	x, p := in[0], l.ints(14, -1, -1, 0, 0, 0, 0, 0)
	if len(x) != 4 || p == nil || max(p[7], p[8]) > 3 {
		return nil, nil
	}
	if p[11] == 1 {
		return []int{x[0], x[1], p[12], p[13]}, nil
	}
	y := []int{x[0], x[1], 0, 0}
	for i := range 2 {
		kernel := p[1+i]
		if kernel == 0 {
			kernel = x[2+i]
		}
		if at := max(p[7+i], p[8]); at >= 0 {
			kernel = x[at]
		}
		n, err := windowCount(x[2+i], kernel, p[3+i], p[5+i], p[9], p[10] == 1)
		if err != nil || n < 0 {
			return nil, err
		}
		y[2+i] = n
	}
	return y, nil
}

func flatten(l layer, in [][]int, _ []raw) ([]int, error) {
	x, p := in[0], l.ints(1)
	if p == nil || p[0] < 0 || p[0] > len(x) || x == nil {
		return nil, nil
	}
	return []int{product(x[:p[0]]), product(x[p[0]:])}, nil
}

func broadcastShape(_ layer, in [][]int, own []raw) ([]int, error) {
	if len(own) > 0 {
		if len(in) != 1 || own[0].count() == 0 || own[0].dims == nil {
			return nil, nil // TNN infers the shape, or refuses the layer
		}
		in = append(in, own[0].dims)
	}
	var out []int
	for _, x := range in {
		if x == nil {
			return nil, nil
		}
		out = append(make([]int, max(0, len(x)-len(out))), out...)
		for i, d := range x {
			at := len(out) - len(x) + i
			if o := max(out[at], 1); o != d && o != 1 && d != 1 {
				return nil, fmt.Errorf("inputs of %v", in)
			}
			out[at] = max(out[at], d)
		}
	}
	return out, nil
}

func sameShape(_ layer, in [][]int, _ []raw) ([]int, error) { return in[0], nil }

// product returns the product of dims, or -1 if it is too large for TNN.
func product(dims []int) int {
	n := 1
	for _, d := range dims {
		if d < 0 || d > maxElements/max(n, 1) {
			return -1
		}
		n *= d
	}
	return n
}
