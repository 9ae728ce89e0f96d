// SPDX-License-Identifier: Apache-2.0

package tnncheck

import (
	"errors"
	"fmt"
)

// infer returns the shape of a layer's output; nil if it is not known.
func (l layer) infer(known map[string][]int, w *weights) ([]int, error) {
	var in [][]int
	for _, name := range l.inputs {
		dims := known[name]
		if c, ok := w.constants[name]; ok {
			dims = c.dims
		}
		in = append(in, dims)
	}
	own, ok := w.layers[l.name]
	if _, has := layouts[baseKind(l.kind)]; ok && has && own.kind != baseKind(l.kind) {
		return nil, fmt.Errorf("its weights are those of a layer %.100s", own.kind)
	}
	f := checks[l.kind]
	if f == nil {
		return nil, nil
	}
	if len(l.outputs) != 1 {
		return nil, fmt.Errorf("it has %d outputs", len(l.outputs))
	}
	return f(l, in, own)
}

var checks = map[string]func(l layer, in [][]int, own resource) ([]int, error){
	"Convolution": convolution, "InnerProduct": innerProduct, "Pooling": pooling, "Flatten": flatten, "Softmax": softmax,
	"Add": broadcastShape, "Sub": broadcastShape, "Mul": broadcastShape, "Div": broadcastShape, "Maximum": broadcastShape, "Minimum": broadcastShape,
	"ReLU": sameShape, "ReLU6": sameShape, "Sigmoid": sameShape, "Tanh": sameShape, "Abs": sameShape, "Exp": sameShape, "Neg": sameShape, "Sqrt": sameShape, "HardSwish": sameShape,
	"Dropout": sameShape, "Identity": sameShape,
}

// extent returns the length of an input that a window covers.
func extent(kernel, dilation int) (int, error) {
	if kernel < 1 || dilation < 1 || kernel > maxElements/dilation {
		return 0, fmt.Errorf("a kernel of %d with a dilation of %d", kernel, dilation)
	}
	return dilation*(kernel-1) + 1, nil
}

// windowCount returns the number of windows of an extent that fit into size with
// padding on both sides.
func windowCount(size, extent, stride, pad, padKind int, roundUp bool) (int, error) {
	if stride < 1 || pad < 0 || pad >= extent || padKind < -1 {
		return 0, fmt.Errorf("a stride of %d and a padding of %d, kind %d, for windows of %d", stride, pad, padKind, extent)
	}
	rest := size + 2*pad - extent
	switch {
	case padKind == 0: // one window for each stride
		return (size + stride - 1) / stride, nil
	case padKind == 1:
		rest, roundUp = size-extent, false
	}
	if rest < 0 {
		return 0, fmt.Errorf("windows of %d do not fit into %d", extent, size)
	}
	n := rest/stride + 1
	if roundUp && rest%stride != 0 {
		if n++; (n-1)*stride-pad >= size {
			return 0, errors.New("a window begins beyond the input")
		}
	}
	return n, nil
}

// checkPadding returns an error if a column of windows is completely in the padding,
// because TNN then writes beyond the end of a row.
func checkPadding(size, out, extent, stride, pad, padKind int) error {
	switch padKind {
	case 0:
		pad = max(0, (out-1)*stride+extent-size) / 2
	case 1:
		pad = 0
	}
	if (pad+stride-1)/stride > out || extent-1-pad > size {
		return fmt.Errorf("a padding of %d for windows of %d on an input of %d, which crashes TNN", pad, extent, size)
	}
	return nil
}

// checkCount checks the number of weights, and that they are not quantized, because
// quantized layers are of another kind.
func (r resource) checkCount(i, count int) error {
	if len(r.raws) > i && !r.raws[i].known() {
		return nil
	}
	if len(r.raws) <= i || r.raws[i].count() != count {
		got := 0
		if len(r.raws) > i {
			got = r.raws[i].count()
		}
		return fmt.Errorf("it has %d weights, not %d", got, count)
	}
	if t := r.raws[i].dtype; t != 0 && t != 1 {
		return fmt.Errorf("its weights are of type %d", t)
	}
	return nil
}

func convolution(l layer, in [][]int, own resource) ([]int, error) {
	p, err := l.ints(11)
	if err != nil {
		return nil, err
	}
	p = append(p, []int{1, 1, 0}[min(3, len(p)-11):]...)
	group, channels, out := p[0], p[1], p[2]
	pads := p[10]
	x := in[0]
	if group < 1 || channels < 1 || out < 1 || out%group != 0 || channels%group != 0 && channels*group > maxElements {
		return nil, fmt.Errorf("%d groups for %d channels and %d outputs", group, channels, out)
	}
	if p[13] < 0 {
		return nil, fmt.Errorf("an activation %d", p[13])
	}
	if x != nil {
		if len(x) != 4 || x[1]%group != 0 || channels != x[1] && channels != x[1]/group {
			return nil, fmt.Errorf("%d channels in %d groups for an input of %v", channels, group, x)
		}
		channels = x[1]
	}
	h, err := extent(p[3], p[11])
	if err != nil {
		return nil, err
	}
	w, err := extent(p[4], p[12])
	if err != nil {
		return nil, err
	}
	if x != nil || group == 1 {
		if err := own.checkCount(0, product([]int{out, channels / group, p[3], p[4]})); err != nil {
			return nil, err
		}
	}
	if p[9] != 0 {
		if err := own.checkCount(1, out); err != nil {
			return nil, err
		}
	}
	if x == nil || pads > 1 { // an unknown kind of padding
		return nil, nil
	}
	y := []int{x[0], out, 0, 0}
	for i, extent := range []int{h, w} {
		if y[2+i], err = windowCount(x[2+i], extent, p[5+i], p[7+i], pads, false); err == nil {
			err = checkPadding(x[2+i], y[2+i], extent, p[5+i], p[7+i], pads)
		}
		if err != nil {
			return nil, err
		}
	}
	return y, nil
}

func innerProduct(l layer, in [][]int, own resource) ([]int, error) {
	p, err := l.ints(4)
	if err != nil {
		return nil, err
	}
	n, x := p[0], in[0]
	if n < 1 || p[2] != 0 || p[3] != 1 { // TNN starts at axis 1 and ignores the parameter
		return nil, fmt.Errorf("%d outputs, transposed %d, from axis %d", n, p[2], p[3])
	}
	if p[1] != 0 {
		if err := own.checkCount(1, n); err != nil {
			return nil, err
		}
	}
	if x == nil {
		return nil, nil
	}
	if len(x) < 2 {
		return nil, fmt.Errorf("an input %v", x)
	}
	return []int{x[0], n}, own.checkCount(0, product(append([]int{n}, x[1:]...)))
}

func pooling(l layer, in [][]int, _ resource) ([]int, error) {
	p, err := l.ints(7)
	if err != nil {
		return nil, err
	}
	p = append(p, []int{-1, -1, 0, 0, 0, 0, 0}[min(7, len(p)-7):]...)
	x := in[0]
	if p[0] < 0 || p[7] < -1 || p[7] > 3 || p[8] < -1 || p[8] > 3 || p[10] != 0 && p[10] != 1 || p[11] != 0 && p[11] != 1 {
		return nil, fmt.Errorf("parameters %v", p)
	}
	if x == nil || p[9] > 1 { // an unknown kind of padding
		return nil, nil
	}
	if len(x) != 4 {
		return nil, fmt.Errorf("an input %v", x)
	}
	if p[11] == 1 {
		if p[12] < 1 || p[13] < 1 {
			return nil, fmt.Errorf("an output of %dx%d", p[12], p[13])
		}
		return []int{x[0], x[1], p[12], p[13]}, nil
	}
	out := []int{x[0], x[1], 0, 0}
	for i := range 2 {
		kernel := p[1+i]
		if kernel == 0 {
			kernel = x[2+i]
		}
		if at := max(p[7+i], p[8]); at >= 0 {
			kernel = x[at]
		}
		if kernel, err = extent(kernel, 1); err == nil {
			out[2+i], err = windowCount(x[2+i], kernel, p[3+i], p[5+i], p[9], p[10] == 1)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func flatten(l layer, in [][]int, _ resource) ([]int, error) {
	p, err := l.ints(1)
	if err != nil || in[0] == nil {
		return nil, err
	}
	if p[0] < 0 || p[0] > len(in[0]) {
		return nil, fmt.Errorf("axis %d of %v", p[0], in[0])
	}
	return []int{product(in[0][:p[0]]), product(in[0][p[0]:])}, nil
}

func softmax(l layer, in [][]int, _ resource) ([]int, error) {
	p, err := l.ints(0)
	p = append(p, 1)
	if x := in[0]; err == nil && x != nil && (p[0] < -len(x) || p[0] >= len(x)) {
		return nil, fmt.Errorf("axis %d of %v", p[0], x)
	}
	return in[0], err
}

func broadcastShape(l layer, in [][]int, own resource) ([]int, error) {
	if len(own.raws) > 0 {
		if len(in) != 1 || own.raws[0].count() == 0 || own.raws[0].dims == nil {
			return nil, nil // TNN infers the shape, or refuses the layer
		}
		in = append(in, own.raws[0].dims)
	} else if len(in) < 2 {
		return nil, errors.New("it has one input, and no weights")
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

func sameShape(_ layer, in [][]int, _ resource) ([]int, error) { return in[0], nil }

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
