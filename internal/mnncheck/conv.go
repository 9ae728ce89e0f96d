// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"fmt"
	"math"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// common checks the parameters of all two-dimensional convolutions.
func (n *node) common() (table, error) {
	c, kind := n.p.Table("common")
	if kind == 0 {
		return c, fmt.Errorf("it has no common")
	}
	minKernel, minOutputs := int64(1), int64(1)
	if len(n.in) > 1 {
		minKernel, minOutputs = 0, 0 // the weights input determines them
	} else if n.name == "Im2Col" {
		minOutputs = 0
	}
	for _, f := range []struct {
		name      string
		low, high int64
	}{
		{"kernelX", minKernel, maxNumber}, {"kernelY", minKernel, maxNumber}, {"strideX", 1, maxNumber}, {"strideY", 1, maxNumber},
		{"dilateX", 1, maxNumber}, {"dilateY", 1, maxNumber}, {"padX", -maxNumber, maxNumber}, {"padY", -maxNumber, maxNumber},
		{"padMode", 0, math.MaxInt8}, {"group", 1, maxElements}, {"outputCount", minOutputs, maxElements}, {"inputCount", 0, maxElements},
	} {
		if err := checkRange(f.name, c.Int(f.name), f.low, f.high); err != nil {
			return c, err
		}
	}
	for _, name := range []string{"pads", "outPads"} {
		v := c.Vector(name)
		if c.Has(name) && (name == "pads" && v.Len() < 4 || v.Len() < 2 || v.Len() > 2*maxRank) {
			return c, fmt.Errorf("%s has %d elements", name, v.Len())
		}
		for i := range v.Len() {
			if err := checkRange(fmt.Sprintf("%s[%d]", name, i), v.Int(i), -maxNumber, maxNumber); err != nil {
				return c, err
			}
		}
	}
	return c, nil
}

func (n *node) convolution() error {
	c, err := n.common()
	if err != nil {
		return err
	}
	if first := n.dims(0); first != nil {
		shape := unknownShape(len(first))
		n.setShape(shape)
		if len(shape) > 1 && c.Int("outputCount") > 0 {
			switch n.in[0].format {
			case nhwc:
				shape[len(shape)-1] = c.Int("outputCount")
			case -1:
			default:
				shape[1] = c.Int("outputCount")
			}
		}
		if len(first) < 2 || len(first) > 4 {
			return fmt.Errorf("its input has %d dimensions", len(first))
		}
	}
	if n.out[0].volume = n.in[0].volume * n.scale(c); n.out[0].volume > float64(maxElements) {
		return flatbuf.Unsupported(fmt.Sprintf("its output has more than %d elements", maxElements))
	}
	switch n.name {
	case "Im2Col", "Col2Im", "Conv2DBackPropFilter":
		n.setShape(nil)
		return nil
	}
	if c.Int("hasOutputShape") != 0 && len(n.in) < 2 && (n.name == "Deconvolution" || n.name == "DeconvolutionDepthwise") {
		return fmt.Errorf("it has no input for the shape of its output")
	}
	if len(n.in) > 1 && c.Int("hasOutputShape") == 0 {
		return nil
	}
	return n.weights(c)
}

// scale estimates the ratio of the sizes of a convolution's output and input.
func (n *node) scale(c table) float64 {
	area := float64(c.Int("strideX") * c.Int("strideY"))
	switch n.name {
	case "Convolution", "ConvInt8":
		return float64(c.Int("outputCount")) / float64(max(c.Int("inputCount"), n.channels(0), 1)) / area
	case "Deconvolution":
		return float64(c.Int("outputCount")) / float64(max(c.Int("inputCount"), n.channels(0), 1)) * area
	case "DeconvolutionDepthwise":
		return area
	}
	return 1 / area
}

// weights checks that a convolution has all its weights and biases.
func (n *node) weights(c table) error {
	p := n.p
	in, out, group := c.Int("inputCount"), c.Int("outputCount"), c.Int("group")
	area := c.Int("kernelX") * c.Int("kernelY")
	if area > maxWeights || area*out > maxWeights {
		return flatbuf.Unsupported(fmt.Sprintf("it has more than %d weights", maxWeights))
	}
	depthwise := n.name == "ConvolutionDepthwise" || n.name == "DeconvolutionDepthwise" || n.name == "DepthwiseConvInt8" || n.name == "Dilation2D"
	have := n.channels(0)
	fits := func(count int64) bool {
		each := area * out
		if count <= 0 || count > maxWeights || count%each != 0 {
			return false
		}
		channels := count / each * group // of the input
		switch {
		case depthwise:
			return count == each && (have < 0 || have == out)
		case out%group != 0 || in > 0 && in != channels && in != count/each:
			return false
		}
		return have < 0 || have == channels
	}
	if e := p.Vector("external"); e.Len() > 1 {
		if err := checkExternal(e, 3, 0, false); err != nil {
			return err
		}
		switch {
		case !p.Has("quanParameter") && (!fits(e.Int(1)/4) || e.Int(2) != 4*out):
			return fmt.Errorf("it has %d bytes of weights and %d of biases in another file", e.Int(1), e.Int(2))
		case p.Has("quanParameter") && p.Vector("bias").Len() != out && (e.Len() < 4 || e.Int(3) != 0 && e.Int(3) != 4*out):
			return fmt.Errorf("it has no biases")
		}
		return nil
	}
	q, quantized := p.Table("quanParameter")
	s, symmetric := p.Table("symmetricQuan")
	bias := p.Vector("bias")
	switch {
	case symmetric != 0 && s.Vector("weight").Len() > 0:
		if !fits(s.Vector("weight").Len()) {
			return fmt.Errorf("it has %d weights", s.Vector("weight").Len())
		}
	case quantized != 0:
		count, err := n.quantized(q, out)
		if err != nil {
			return fmt.Errorf("quanParameter: %w", err)
		}
		if count >= 0 && !fits(count) {
			return fmt.Errorf("it has %d weights", count)
		}
	default:
		if w := p.Vector("weight"); !fits(w.Len()) {
			return fmt.Errorf("it has %d weights", w.Len())
		}
	}
	if symmetric != 0 {
		for _, name := range []string{"bias", "scale"} {
			if v := s.Vector(name); s.Has(name) && v.Len() != out {
				return fmt.Errorf("symmetricQuan has %d of %s", v.Len(), name)
			}
		}
	}
	if !(symmetric != 0 && s.Has("bias")) && bias.Len() != out {
		return fmt.Errorf("it has %d biases", bias.Len())
	}
	return nil
}

// quantized returns the number of quantized weights, or -1 if the encoding is not
// known.
func (n *node) quantized(q table, out int64) (int64, error) {
	b := q.Vector("buffer").Bytes()
	alphas := q.Vector("alpha").Len()
	if err := n.Spend(int64(len(b)) / 8); err != nil { // many operators can share it
		return 0, err
	}
	if q.Int("scaleStorage") == 1 {
		if !q.Has("alphaFp16") {
			return 0, fmt.Errorf("it has no alphaFp16")
		}
		alphas = q.Vector("alphaFp16").Len()
	}
	if index := q.Vector("index"); q.Has("index") { // floats other than 0
		count := q.Int("weightSize")
		if err := n.Spend(index.Len()); err != nil {
			return 0, err
		}
		if alphas != index.Len() {
			return 0, fmt.Errorf("it has %d values and %d indexes", alphas, index.Len())
		}
		for i := range index.Len() {
			if index.Int(i) >= count {
				return 0, fmt.Errorf("index[%d] is %d of %d", i, index.Int(i), count)
			}
		}
		return count, nil
	}
	kind := q.Int("type")
	if kind == 3 && q.Int("has_scaleInt") != 0 {
		return 0, fmt.Errorf("its weights are floats, and it computes with integers")
	}
	if q.Int("has_scaleInt") != 0 && (n.name == "Deconvolution" || n.name == "DeconvolutionDepthwise") {
		return 0, fmt.Errorf("it computes with integers")
	}
	each := out // the number of alphas
	if q.Int("readType") != 0 || kind == 4 && q.Int("aMin") == 0 {
		each *= 2
	}
	if kind != 3 && (alphas == 0 || alphas%each != 0 && alphas%out != 0) {
		return 0, fmt.Errorf("it has %d scales for %d channels", alphas, out)
	}
	r := reader{b: b}
	switch kind {
	case 1:
		count := r.shape(q.Int("shapeInt32") != 0)
		samples := int64(len(r.samples()))
		indexes := r.take((indexBits(samples)*count + 7) / 8)
		if r.bad || count < 1 {
			return 0, fmt.Errorf("the buffer has %d bytes for %d weights", len(b), count)
		}
		return count, checkIndices(indexes, indexBits(samples), count, samples)
	case 2:
		return n.sparse(&r, q)
	case 3:
		if len(b)%2 != 0 {
			return 0, fmt.Errorf("the buffer has %d bytes", len(b))
		}
		return int64(len(b)) / 2, nil
	case 4:
		return int64(len(b)), nil
	}
	if kind > 4 {
		return -1, nil
	}
	return 0, fmt.Errorf("type %d", kind)
}

// sparse returns the number of weights of an encoding that stores only nonzero weights.
func (n *node) sparse(r *reader, q table) (int64, error) {
	count := r.shape(q.Int("shapeInt32") != 0)
	stored := r.uint(4)
	step := r.uint(1)
	steps := r.take((step*stored + 7) / 8)
	samples := r.samples()
	width := indexBits(int64(len(samples)))
	indexes := r.take((width*stored + 7) / 8)
	if r.bad || count < 1 || stored > count || step < 1 || step > 8 || stored < 0 {
		return 0, fmt.Errorf("the buffer has %d bytes for %d of %d weights", len(r.b), stored, count)
	}
	at := int64(0)
	for i := range stored {
		at += number(steps, i, step)
	}
	if at >= count {
		return 0, fmt.Errorf("weight %d of %d is stored", at, count)
	}
	different := map[byte]bool{}
	for _, s := range samples {
		different[s] = true
	}
	return count, checkIndices(indexes, width, stored, int64(len(different)))
}

// number returns element i of an array of numbers of width bits.
func number(b []byte, i, width int64) int64 {
	bit := i * width
	both := int64(b[bit/8]) << 8
	if bit/8+1 < int64(len(b)) {
		both |= int64(b[bit/8+1])
	}
	return both >> (16 - width - bit%8) & (1<<width - 1)
}

// checkIndices checks that count numbers of width bits are all less than limit.
func checkIndices(b []byte, width, count, limit int64) error {
	if limit == 1<<width {
		return nil
	}
	for i := range count {
		if k := number(b, i, width); k >= limit {
			return fmt.Errorf("weight %d is sample %d of %d", i, k, limit)
		}
	}
	return nil
}

// indexBits returns the number of bits of MNN's indices of samples.
func indexBits(samples int64) int64 {
	n := int64(1)
	for 1<<n < samples {
		n++
	}
	return n
}

// reader reads the header of a buffer. It sets bad if the header is not valid.
type reader struct {
	b   []byte
	at  int64
	bad bool
}

func (r *reader) take(n int64) []byte {
	if n < 0 || n > int64(len(r.b))-r.at {
		r.bad = true
		return nil
	}
	r.at += n
	return r.b[r.at-n : r.at]
}

func (r *reader) uint(size int64) int64 {
	n := int64(0)
	for i, b := range r.take(size) {
		n |= int64(b) << (8 * i)
	}
	return n
}

// shape returns the product of the dimensions.
func (r *reader) shape(wide bool) int64 {
	rank := r.uint(1)
	if rank < 1 || rank > 4 {
		r.bad = true
		return 0
	}
	n := int64(1)
	for range rank {
		size := int64(2)
		if wide {
			size = 4
		}
		if n *= r.uint(size); n > maxWeights {
			r.bad = true
			return 0
		}
	}
	return n
}

// samples returns the different values of weights.
func (r *reader) samples() []byte {
	n := r.uint(1)
	if n == 0 {
		n = 256
	}
	return r.take(n)
}

func (n *node) convolution3D() error {
	p := n.p
	c, kind := p.Table("common")
	if kind == 0 {
		return fmt.Errorf("it has no common")
	}
	if first := n.dims(0); first != nil {
		if len(first) != 5 {
			return fmt.Errorf("its input has %d dimensions", len(first))
		}
		n.setShape(unknownShape(5))
	}
	count := int64(1)
	for _, f := range []struct {
		name string
		low  int64
	}{{"kernels", 1}, {"strides", 1}, {"dilates", 1}, {"pads", -maxNumber}, {"outPads", -maxNumber}} {
		v := c.Vector(f.name)
		if v.Len() < 3 && (f.name != "outPads" || c.Has("outPads")) || v.Len() > 2*maxRank {
			return fmt.Errorf("%s has %d elements", f.name, v.Len())
		}
		for i := range v.Len() {
			d := v.Int(i)
			if err := checkRange(fmt.Sprintf("%s[%d]", f.name, i), d, f.low, maxNumber); err != nil {
				return err
			}
			if f.name == "kernels" && i < 3 {
				count *= d
			}
		}
	}
	in, out, group := c.Int("inputCount"), c.Int("outputCount"), c.Int("group")
	if in < 0 || out < 1 || group < 1 || max(in, out) > maxNumber || count > maxElements {
		return fmt.Errorf("inputCount is %d, outputCount %d, group %d", in, out, group)
	}
	if p.Vector("external").Len() > 0 {
		return fmt.Errorf("its weights are in another file")
	}
	if w := p.Vector("weight").Len(); w == 0 || w%(count*out) != 0 && w%(count*max(in, 1)) != 0 || in > 0 && w != count*in*out/group {
		return fmt.Errorf("it has %d weights", w)
	}
	if b := p.Vector("bias").Len(); b != out {
		return fmt.Errorf("it has %d biases", b)
	}
	return nil
}

func (n *node) pooling() error {
	p := n.p
	first := n.dims(0)
	n.setShape(unknownShapeIf(first != nil, len(first)))
	n.out[0].volume = n.in[0].volume / float64(max(p.Int("strideX"), 1)*max(p.Int("strideY"), 1))
	if first != nil && (len(first) < 3 || len(first) > 4) {
		return fmt.Errorf("its input has %d dimensions", len(first))
	}
	for _, f := range []string{"type", "padType", "countType"} {
		if v := p.Int(f); v < 0 {
			return fmt.Errorf("%s is %d", f, v)
		}
	}
	for _, f := range []string{"padX", "padY"} {
		if err := checkRange(f, p.Int(f), -maxNumber, maxNumber); err != nil {
			return err
		}
	}
	v := p.Vector("pads")
	if p.Has("pads") && v.Len() != 2 && v.Len() != 4 {
		return fmt.Errorf("pads has %d elements", v.Len())
	}
	for i := range v.Len() {
		if err := checkRange(fmt.Sprintf("pads[%d]", i), v.Int(i), -maxNumber, maxNumber); err != nil {
			return err
		}
	}
	if p.Int("isGlobal") != 0 {
		return nil
	}
	return n.positive("kernelX", "kernelY", "strideX", "strideY")
}

func (n *node) pooling3D() error {
	p := n.p
	first := n.dims(0)
	n.setShape(unknownShapeIf(first != nil, len(first)))
	if p.Int("isGlobal") != 0 {
		if first != nil && len(first) < 3 {
			return fmt.Errorf("its input has %d dimensions", len(first))
		}
		return nil
	}
	if first != nil && len(first) != 5 {
		return fmt.Errorf("its input has %d dimensions", len(first))
	}
	for _, f := range []struct {
		name string
		low  int64
	}{{"kernels", 1}, {"strides", 1}, {"pads", 0}} {
		v := p.Vector(f.name)
		if v.Len() < 3 || v.Len() > 2*maxRank {
			return fmt.Errorf("%s has %d elements", f.name, v.Len())
		}
		for i := range v.Len() {
			if err := checkRange(fmt.Sprintf("%s[%d]", f.name, i), v.Int(i), f.low, maxNumber); err != nil {
				return err
			}
		}
	}
	return nil
}
