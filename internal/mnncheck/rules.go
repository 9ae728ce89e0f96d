// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"fmt"
	"math"
	"slices"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// node is an operator with the known properties of its tensors.
type node struct {
	*graph
	name    string
	p       table // its parameter
	in, out []*tensor
}

// rules checks MNN's assumptions, as far as possible before a run, and infers the
// outputs' dimensions.
func (n *node) rules() error {
	p := n.p
	first := n.dims(0)
	rank := len(first)
	known := first != nil
	n.setShape(nil)
	for _, t := range n.out {
		t.format, t.dtype = -1, -1
		if len(n.in) > 0 {
			t.format = n.in[0].format
			if keepsType[n.name] {
				t.dtype, t.volume = n.in[0].dtype, n.in[0].volume
			}
		}
	}
	if needsFourBytes[n.name] {
		for i, t := range n.in {
			if t.dtype >= 0 && t.dtype != float && t.dtype != int32Type && (i == 0 || n.name != "LayerNorm") {
				return fmt.Errorf("input %d has elements of type %d", i, t.dtype)
			}
		}
	}
	if needsNC4HW4[n.name] && n.in[0].format >= 0 && n.in[0].format != nc4hw4 {
		return fmt.Errorf("its input has format %d, not %d", n.in[0].format, nc4hw4)
	}
	switch n.name {
	case "Input":
		dims := p.Vector("dims")
		if _, err := elements(dims, -1); err != nil {
			return err
		}
		if n.isSubgraph { // it has the shape of the caller's tensor
			return nil
		}
		n.out[0].dtype = elementType(p.Int("dtype"))
		shape := make([]int64, dims.Len())
		for i := range shape {
			if shape[i] = dims.Int(int64(i)); shape[i] == 0 {
				shape[i] = -1
			}
		}
		n.setShape(shape)
		if n.out[0].format = layout(p.Int("dformat")); n.out[0].format == nc4hw4 && len(shape) == 1 {
			return fmt.Errorf("it has 1 dimension, and its format needs channels")
		}
		n.out[0].volume = 1
		dynamic := 0
		for i, d := range shape {
			if d < 0 && i > 0 && dynamic < 2 {
				dynamic, d = dynamic+1, 64
			}
			n.out[0].volume *= max(float64(d), 1)
		}
		if n.out[0].volume > float64(maxElements) {
			return flatbuf.Unsupported(fmt.Sprintf("it has more than %d elements", maxElements))
		}
	case "If":
		return n.branch()
	case "While":
		switch l := p.Layout(); {
		case l == nil:
			return fmt.Errorf("it has no parameter")
		case l.Name == "LoopParam":
			return n.loop()
		case l.Name == "WhileParam":
			return n.while()
		default:
			return fmt.Errorf("its parameter is %s", l.Name)
		}
	case "RNN", "LSTM":
		return n.recurrent()
	case "RNNSequenceGRU":
		return n.gru()
	case "Rank", "Size":
		n.setShape([]int64{})
		n.out[0].dtype = int32Type
	case "Shape":
		if known && rank == 0 {
			return fmt.Errorf("its input has no dimensions")
		}
		n.out[0].dtype = int32Type
		if known && p.Layout() == nil {
			n.setShape([]int64{int64(rank)})
		}
	case "Raster":
		if !n.isType("Extra") {
			return fmt.Errorf("it has no parameter")
		}
		return n.raster()
	case "ReLU", "ReLU6", "PReLU", "ELU", "Selu", "Sigmoid", "TanH", "Scale", "Cast", "Softmax", "LRN", "Normalize", "CumSum", "CumProd",
		"ZerosLike", "Dropout", "LayerNorm", "InstanceNorm", "UnaryOp", "FloatToInt8", "Int8ToFloat", "Reverse", "ReverseSequence",
		"Threshold", "MatrixBandPart":
		n.setShape(first)
		return n.elementwise()
	case "BinaryOp", "Select", "Eltwise", "EltwiseInt8":
		n.setShape(n.broadcast())
		if n.name != "BinaryOp" {
			return nil
		}
		if op := p.Int("opType"); !isBinary(op, n.in[0].dtype) {
			return fmt.Errorf("opType is %d", op)
		}
		if a, b := n.in[0].dtype, n.in[1].dtype; a >= 0 && b >= 0 && a != b {
			return fmt.Errorf("its inputs have elements of types %d and %d", a, b)
		}
	case "Convolution", "ConvolutionDepthwise", "Deconvolution", "DeconvolutionDepthwise", "ConvInt8", "DepthwiseConvInt8",
		"Dilation2D", "Im2Col", "Col2Im", "Conv2DBackPropFilter":
		return n.convolution()
	case "Convolution3D", "ConvTranspose3D":
		return n.convolution3D()
	case "Pooling", "PoolGrad":
		return n.pooling()
	case "Pooling3D":
		return n.pooling3D()
	case "ConvertTensor":
		if known {
			n.setShape(convertedShape(first, n.in[0].format, layout(p.Int("dest"))))
		}
		n.out[0].format = layout(p.Int("dest"))
	case "Concat":
		shape := unknownShape(rank)
		for i, t := range n.in {
			if t.dims != nil && known && len(t.dims) != rank {
				return fmt.Errorf("input %d has %d dimensions, not %d", i, len(t.dims), rank)
			}
		}
		if known {
			axis, err := n.axis("axis", rank)
			copy(shape, first)
			if err != nil {
				return err
			}
			shape[axis] = 0
			for _, t := range n.in {
				if t.dims == nil || t.dims[axis] < 0 {
					shape[axis] = -1
					break
				}
				shape[axis] += t.dims[axis]
			}
			n.setShape(shape)
			return nil
		}
		_, err := n.axis("axis", maxRank)
		return err
	case "Pack":
		if rank >= maxRank {
			return fmt.Errorf("its input has %d dimensions", rank)
		}
		if known {
			n.setShape(unknownShape(rank + 1))
			_, err := n.axis("axis", rank+1)
			return err
		}
		_, err := n.axis("axis", maxRank)
		return err
	case "Unpack":
		if known && rank > 0 {
			n.setShape(unknownShape(rank - 1))
			_, err := n.axis("axis", rank)
			return err
		}
		_, err := n.axis("axis", maxRank)
		return err
	case "Slice":
		return n.slice()
	case "ExpandDims":
		if rank >= maxRank {
			return fmt.Errorf("its input has %d dimensions", rank)
		}
		if len(n.in) == 1 && p.Layout() == nil {
			return fmt.Errorf("it has no parameter")
		}
		if known {
			n.setShape(unknownShape(rank + 1))
			if len(n.in) == 1 {
				_, err := n.axis("axis", rank+1)
				return err
			}
		}
	case "Reshape":
		if !n.isType("Reshape") && !n.isType("QuantizedReshape") {
			return fmt.Errorf("it has no parameter")
		}
		if len(n.in) == 1 {
			dims := p.Vector("dims")
			if !p.Has("dims") || dims.Len() > maxRank {
				return fmt.Errorf("dims has %d elements", dims.Len())
			}
			n.setShape(firstElements(dims))
		} else if dims, ok := n.ints(1); ok {
			if len(dims) > maxRank {
				return fmt.Errorf("dims has %d elements", len(dims))
			}
			n.setShape(dims)
		}
	case "Permute":
		dims := p.Vector("dims")
		if !p.Has("dims") {
			n.setShape(unknownShapeIf(known, rank))
			return nil
		}
		if known && int64(rank) != dims.Len() || dims.Len() > maxRank {
			return fmt.Errorf("dims has %d elements for a rank of %d", dims.Len(), rank)
		}
		seen, shape := [maxRank]bool{}, unknownShape(int(dims.Len()))
		for i := range dims.Len() {
			d := dims.Int(i)
			if d < 0 || d >= dims.Len() || seen[d] {
				return fmt.Errorf("dims[%d] is %d", i, d)
			}
			seen[d] = true
			if known {
				shape[i] = first[d]
			}
		}
		n.setShape(shape)
	case "Transpose":
		n.setShape(unknownShapeIf(known, rank))
	case "Squeeze", "Unsqueeze":
		dims := p.Vector("squeezeDims")
		if dims.Len() > maxRank {
			return fmt.Errorf("squeezeDims has %d elements", dims.Len())
		}
		for i := range dims.Len() {
			if d := dims.Int(i); d < -maxRank || d >= maxRank {
				return fmt.Errorf("squeezeDims[%d] is %d", i, d)
			}
		}
		k := int(dims.Len())
		if k == 0 && len(n.in) > 1 {
			axes, ok := n.ints(1)
			if !ok {
				return nil
			}
			k = len(axes)
		}
		if n.name == "Unsqueeze" && known && rank+k <= maxRank {
			n.setShape(unknownShape(rank + k))
		} else if n.name == "Squeeze" && known && k > 0 && rank >= k {
			n.setShape(unknownShape(rank - k))
		}
	case "Reduction":
		dims := p.Vector("dim")
		if op := p.Int("operation"); op < 0 {
			return fmt.Errorf("operation %d", op)
		}
		limit := maxRank
		if known {
			limit = rank
		}
		axes := firstElements(dims)
		if !p.Has("dim") && len(n.in) > 1 {
			all, ok := n.ints(1)
			if !ok {
				return nil
			}
			axes = all
		}
		for i, d := range axes {
			if d < -int64(limit) || d >= int64(limit) {
				return fmt.Errorf("dim[%d] is %d", i, d)
			}
		}
		if known && p.Int("keepDims") != 0 {
			n.setShape(unknownShape(rank))
		}
	case "Flatten":
		axis, end := p.Int("axis"), p.Int("endAxis")
		limit := int64(maxRank)
		if known {
			limit = int64(rank)
		}
		if axis < -limit || axis > limit || end < -limit || end >= max(limit, 1) {
			return fmt.Errorf("axis %d, endAxis %d", axis, end)
		}
	case "StridedSlice":
		return n.stridedSlice()
	case "Interp", "Interp3D":
		return n.interp()
	case "MatMul", "BatchMatMul":
		if known && len(n.dims(1)) > 0 {
			n.setShape(unknownShape(max(rank, len(n.dims(1)))))
		}
	case "BatchToSpaceND", "SpaceToBatchND":
		return n.spaceBatch()
	case "DepthToSpace", "SpaceToDepth":
		n.setShape(unknownShapeIf(known, rank))
		return n.positive("blockSize")
	case "TensorArray":
		if p.Vector("element_shape").Len() > maxRank {
			return fmt.Errorf("element_shape has %d dimensions", p.Vector("element_shape").Len())
		}
	case "GatherV2", "Gather":
		return n.gather()
	case "InnerProduct":
		return n.innerProduct()
	case "ArgMax", "ArgMin":
		axis := p.Int("axis")
		if axis != 10000 && (axis < -maxRank || axis >= maxRank) || known && axis != 10000 && (axis < -int64(rank) || axis >= int64(rank)) {
			return fmt.Errorf("axis is %d", axis)
		}
	case "OneHot":
		if rank >= maxRank {
			return fmt.Errorf("its input has %d dimensions", rank)
		}
		if axis := p.Int("axis"); axis < -maxRank || axis > maxRank {
			return fmt.Errorf("axis is %d", axis)
		}
		if a, b := n.in[2].dtype, n.in[3].dtype; a >= 0 && b >= 0 && a != b {
			return fmt.Errorf("its values are of types %d and %d", a, b)
		}
		return n.checkInts(1, 1)
	case "Crop":
		if !p.Has("offset") {
			return fmt.Errorf("it has no offset")
		}
	case "ImageProcess":
		if len(n.in) == 1 && p.Vector("shape").Len() < 4 {
			return fmt.Errorf("shape has %d dimensions", p.Vector("shape").Len())
		}
	case "Padding":
		return n.padding()
	case "GridSample":
		n.setShape(unknownShapeIf(known, rank))
		for i := range n.in {
			if d := n.dims(i); i < 2 && d != nil && len(d) != 4 && len(d) != 5 {
				return fmt.Errorf("input %d has %d dimensions", i, len(d))
			}
		}
		if p.Int("backward") != 0 && len(n.in) < 3 {
			return fmt.Errorf("it has %d inputs", len(n.in))
		}
	case "ROIAlign", "ROIPooling":
		if r := p.Int("samplingRatio"); r < -1 || r > 64 {
			return fmt.Errorf("samplingRatio is %d", r)
		}
		if p.Int("outputGrad") != 0 && len(n.in) < 4 {
			return fmt.Errorf("it has %d inputs", len(n.in))
		}
		if regions := n.dims(1); len(regions) > 0 && regions[0] >= 0 {
			if err := n.checkInts(2, int(regions[0])); err != nil {
				return err
			}
		}
		if batches, ok := n.ints(2); ok {
			for i, b := range batches {
				if b < 0 || rank > 0 && first[0] >= 0 && b >= first[0] {
					return fmt.Errorf("region %d is of batch %d", i, b)
				}
			}
		}
		return n.positive("pooledWidth", "pooledHeight")
	case "SliceTf":
		for i := 1; i < 3; i++ {
			if d := n.dims(i); d != nil && len(d) != 1 {
				return fmt.Errorf("input %d has %d dimensions", i, len(d))
			}
			if err := n.checkInts(i, max(rank, 1)); err != nil {
				return err
			}
		}
		n.setShape(unknownShapeIf(known, rank))
		if sizes, ok := n.ints(2); ok && known && slices.Min(sizes) >= 0 {
			n.setShape(sizes[:rank])
		}
	case "Tile":
		if times, ok := n.ints(1); ok && len(times) > 0 && slices.Min(times) < 0 {
			return fmt.Errorf("its repetitions are %d", times)
		}
		return n.checkInts(1, rank)
	case "TopKV2":
		for i := 1; i < len(n.in); i++ {
			if err := n.checkInts(i, 1); err != nil {
				return err
			}
		}
		axis := int64(rank - 1)
		if all, ok := n.ints(2); ok {
			if axis = all[0]; axis < 0 {
				axis += int64(rank)
			}
			if known && (axis < 0 || axis >= int64(rank)) {
				return fmt.Errorf("axis is %d for a rank of %d", all[0], rank)
			}
		} else if len(n.in) > 2 {
			axis = -1
		}
		if k, ok := n.ints(1); ok && (k[0] < 0 || k[0] > maxElements || rank > 0 && axis >= 0 && first[axis] >= 0 && k[0] > first[axis]) {
			return fmt.Errorf("k is %d", k[0])
		}
	case "Stft":
		if err := n.positive("n_fft"); err != nil {
			return err
		}
		return n.positive("hop_length")
	}
	return nil
}

// elementwise checks the parameters of operators whose output has the input's shape.
func (n *node) elementwise() error {
	p := n.p
	rank := len(n.dims(0))
	switch n.name {
	case "UnaryOp":
		if op := p.Int("opType"); op < 0 {
			return fmt.Errorf("opType is %d", op)
		}
	case "LayerNorm":
		return n.layerNorm()
	case "CumSum", "CumProd":
		if n.dims(0) != nil && rank == 0 {
			return fmt.Errorf("its input has no dimensions")
		}
		if axis, ok := n.ints(1); ok && n.dims(0) != nil && (len(axis) == 0 || axis[0] < -int64(rank) || axis[0] >= int64(rank)) {
			return fmt.Errorf("axis is %v for a rank of %d", axis, rank)
		}
	case "Softmax":
		limit := maxRank
		if n.dims(0) != nil {
			limit = rank
		}
		if rank > 0 || n.dims(0) == nil {
			_, err := n.axis("axis", limit)
			return err
		}
	case "FloatToInt8", "Int8ToFloat":
		if p.Vector("tensorScale").Len() == 0 {
			return fmt.Errorf("it has no tensorScale")
		}
	case "Scale":
		if e := p.Vector("external"); e.Len() > 1 {
			return checkExternal(e, 2, 4*max(n.channels(0), 1), true)
		}
		scale, bias := p.Vector("scaleData"), p.Vector("biasData")
		if have := n.channels(0); have > scale.Len() {
			return fmt.Errorf("it has %d scales for %d channels", scale.Len(), have)
		}
		if !p.Has("scaleData") || p.Has("biasData") && bias.Len() != scale.Len() {
			return fmt.Errorf("it has %d scales and %d biases", scale.Len(), bias.Len())
		}
	case "PReLU":
		if count := p.Int("slopeCount"); count < 1 || p.Vector("slope").Len() != count {
			return fmt.Errorf("slopeCount is %d for %d slopes", count, p.Vector("slope").Len())
		}
	}
	return nil
}

func (n *node) isType(name string) bool { l := n.p.Layout(); return l != nil && l.Name == name }

// checkRange checks a number. A file with a number above high may be valid, but MNN
// cannot compute with it.
func checkRange(name string, n, low, high int64) error {
	switch {
	case n < low:
		return fmt.Errorf("%s is %d, want at least %d", name, n, low)
	case n > high:
		return flatbuf.Unsupported(fmt.Sprintf("%s is %d, and at most %d is supported", name, n, high))
	}
	return nil
}

func (n *node) positive(fields ...string) error {
	for _, field := range fields {
		if err := checkRange(field, n.p.Int(field), 1, maxNumber); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) interp() error {
	p := n.p
	n.setShape(unknownShapeIf(n.dims(0) != nil, len(n.dims(0))))
	for _, f := range []string{"outputWidth", "outputHeight", "outputDepth"} {
		if err := checkRange(f, p.Int(f), 0, maxNumber); err != nil {
			return err
		}
	}
	for _, f := range []string{"widthScale", "heightScale", "depthScale"} {
		if v := math.Float32frombits(uint32(p.Int(f))); !(v >= 0 && v <= maxNumber) {
			return fmt.Errorf("%s is %g", f, v)
		}
	}
	if t := p.Int("resizeType"); t < 0 {
		return fmt.Errorf("resizeType is %d", t)
	}
	return nil
}

func (n *node) innerProduct() error {
	p := n.p
	if n.dims(0) != nil {
		n.setShape(unknownShape(len(n.dims(0))))
	}
	out := p.Int("outputCount")
	if out < 1 || out > maxElements {
		return fmt.Errorf("outputCount is %d", out)
	}
	w := p.Vector("weight").Len()
	if !p.Has("quanParameter") && (w == 0 || w%out != 0) || p.Vector("bias").Len() != out {
		return fmt.Errorf("it has %d weights and %d biases for %d outputs", w, p.Vector("bias").Len(), out)
	}
	return nil
}

func (n *node) layerNorm() error {
	p, first := n.p, n.dims(0)
	limit := int64(maxRank)
	if first != nil {
		limit = int64(len(first))
	}
	axes := firstElements(p.Vector("axis"))
	for i, a := range axes {
		if a < -limit || a >= limit || i > 0 && a != axes[i-1]+1 {
			return fmt.Errorf("axis[%d] is %d", i, a)
		}
	}
	group := p.Int("group")
	if group < 1 || group > maxElements || p.Has("axis") && len(axes) == 0 {
		return fmt.Errorf("group is %d, axes %d", group, len(axes))
	}
	if e := p.Vector("external"); e.Len() > 1 {
		return checkExternal(e, 3, 0, true)
	}
	gamma, beta := p.Vector("gamma").Len(), p.Vector("beta").Len()
	if p.Has("gamma") != p.Has("beta") || gamma != beta {
		return fmt.Errorf("gamma has %d elements, beta %d", gamma, beta)
	}
	if first == nil || gamma == 0 {
		return nil
	}
	reduced := tensor{dims: first[max(0, len(first)-len(axes)):]}
	if group > 1 || len(axes) == 0 {
		reduced.dims = first[min(1, len(first)):]
	}
	if size := reduced.elements() / group; size > gamma && len(axes) > 0 {
		return fmt.Errorf("gamma has %d elements for %d", gamma, size)
	}
	return nil
}

const lastUnary, lastBinary = 34, 29 // the last known opType

// isBinary reports whether MNN may have a BinaryOp with that opType for that element
// type, which is -1 if not known.
func isBinary(op, dtype int64) bool {
	const notEqual = 22
	switch {
	case op < 0 || op == 3 || op == 4 || op == 5 || op == 18:
		return false
	case dtype == float:
		return op < 21 || op == notEqual || op >= lastBinary
	}
	return true
}
