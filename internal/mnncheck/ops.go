// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"math"
	"strconv"
	"strings"
	"sync"
)

// operator is an operator of MNN; see opsText.
type operator struct {
	name            string
	parameter       string
	required        bool // the parameter is required
	unknown         bool // only its tensors' indices are checked
	inputs, outputs [2]int64
}

const anyNumber = math.MaxInt32

var operators = sync.OnceValue(func() map[int64]operator {
	all := map[int64]operator{}
	count := func(word string) [2]int64 {
		low, high, isRange := strings.Cut(strings.TrimSuffix(word, "+"), "-")
		n, _ := strconv.ParseInt(low, 10, 64)
		counts := [2]int64{n, n}
		if isRange {
			counts[1], _ = strconv.ParseInt(high, 10, 64)
		} else if strings.HasSuffix(word, "+") {
			counts[1] = anyNumber
		}
		return counts
	}
	for _, line := range strings.Split(strings.Trim(opsText, "\n;"), ";") {
		w := strings.Fields(line)
		code, _ := strconv.ParseInt(w[0], 10, 64)
		parameter, optional := strings.CutSuffix(strings.Trim(w[2], "-"), "?")
		all[code] = operator{w[1], parameter, parameter != "" && !optional, false, count(w[3]), count(w[4])}
	}
	return all
})

// opsText has MNN's operators: the code, the name, the table of the parameter (with ? if
// it is optional; - if MNN reads none, or one of several), and the numbers of inputs and
// of outputs. MNN has no kernels for operators with 0+ inputs and outputs.
const opsText = `
0 AbsVal - 0+ 0+; 1 QuantizedAdd QuantizedAdd 2 1; 2 ArgMax ArgMax 1 1; 3 AsString - 0+ 0+;
4 InstanceNorm BatchNorm 3 1; 5 BatchToSpaceND SpaceBatch? 1-3 1; 6 Copy - 0+ 0+; 7 BinaryOp BinaryOp 2 1;
8 Bnll - 0+ 0+; 9 Cast CastParam 1+ 1; 10 Concat Axis 1+ 1; 11 Const Blob 0+ 1;
12 Convolution Convolution2D 1-3 1; 13 ConvolutionDepthwise Convolution2D 1-3 1; 14 Crop Crop 2 1;
15 CropAndResize CropAndResize 4 1; 16 ImageProcess ImageProcessParam 1-3 1; 17 Deconvolution Convolution2D 1-4 1;
18 DeconvolutionDepthwise Convolution2D 1-4 1; 19 Dequantize Dequantize 3 1; 20 DetectionOutput DetectionOutput 3-5 1;
21 Dropout - 1 1; 22 Eltwise Eltwise 2+ 1; 23 ELU ELU 1 1; 24 Unique - 1 1-4; 25 Exp - 0+ 0+;
26 ExpandDims ExpandDims? 1-2 1; 27 Fill - 2 1; 28 Flatten Flatten 1 1; 29 Im2Col Convolution2D 1 1;
30 Gather - 1-3 1; 31 GatherV2 - 1-3 1; 32 Im2Seq - 0+ 0+; 33 InnerProduct InnerProduct 1 1; 34 Input Input 0 1;
35 Interp Interp 1-2 1; 36 Log - 0+ 0+; 37 LRN LRN 1 1; 38 LSTM LSTM 1+ 1+; 39 MatMul MatMul 2-3 1; 40 MoE Extra 1+ 1;
41 NonMaxSuppression - 0+ 0+; 42 NonMaxSuppressionV2 - 2-6 1; 43 Normalize Normalize 1 1; 44 Pack PackParam 1+ 1;
45 Padding PadParam? 2-3 1; 46 Permute Permute 1 1; 47 Pooling Pool 1 1-2; 48 Power - 0+ 0+; 49 PReLU PRelu 1 1;
50 PriorBox PriorBox 2 1; 51 Proposal Proposal 3 1-2; 52 QuantizedAvgPool QuantizedAvgPool 1 1;
53 QuantizedBiasAdd - 0+ 0+; 54 QuantizedConcat QuantizedConcat 1+ 1;
55 QuantizedDepthwiseConv2D TfQuantizedConv2D 1 1; 56 QuantizedLogistic QuantizedLogistic 1 1;
57 RasterAndInterpolate - 0+ 0+; 58 QuantizedMaxPool QuantizedMaxPool 1 1; 59 Texture - 0+ 0+; 60 RasterDiff - 0+ 0+;
61 QuantizedReshape QuantizedReshape 1-2 1; 62 QuantizedSoftmax QuantizedSoftmax 1 1; 63 QuantizeMaxMin - 0+ 0+;
64 QuantizeV2 - 0+ 0+; 65 Range - 3 1; 66 Rank - 1 1; 67 ReduceJoin - 0+ 0+; 68 Reduction ReductionParam 1-2 1;
69 ReLU Relu? 1 1; 70 ReLU6 Relu6? 1 1; 71 RequantizationRange - 0+ 0+; 72 Requantize - 0+ 0+;
73 Reshape - 1-2 1; 74 Resize Resize 1 1; 75 RNN LSTM 4+ 2; 76 ROIPooling RoiParameters 2-3 1; 77 Scale Scale 1 1;
78 Selu Selu 1 1; 79 Seq2Out - 0+ 0+; 80 Shape - 1 1; 81 Sigmoid - 1 1; 82 Size - 1 1; 83 Slice Slice 1-2 1+;
84 SliceTf - 3 1; 85 Softmax Axis 1 1; 86 SpaceToBatchND SpaceBatch? 1-3 1; 87 SpatialProduct - 2+ 1+;
88 Col2Im Convolution2D 2 1; 89 Segment - 2 1; 90 Squeeze SqueezeParam 1-2 1; 91 StridedSlice StridedSliceParam 3-5 1;
92 CastLike - 2 1; 93 StringSplit - 0+ 0+; 94 StringToNumber - 0+ 0+; 95 TanH - 1 1;
96 TfQuantizedConv2D TfQuantizedConv2D 1 1; 97 Threshold ELU 1 1; 98 Tile - 2 1; 99 TopKV2 TopKV2 2-3 2;
100 Transpose - 2 1; 101 UnaryOp UnaryOp 1 1; 102 Unpack Axis 1 1+; 103 Where - 1 1; 104 Moments MomentsParam 1 2;
105 RNNSequenceGRU RNNParam 6+ 1+; 106 BatchMatMul BatchMatMulParam 2 1; 107 Unsqueeze SqueezeParam 1-2 1;
108 CosineSimilarity - 3 1; 109 DepthToSpace DepthSpaceParam 1 1; 110 SpaceToDepth DepthSpaceParam 1 1;
111 ReverseSequence ReverseSequenceParam 2 1; 112 Pooling3D Pool3D 1 1; 113 Convolution3D Convolution3D 1 1;
114 MatrixBandPart - 3 1; 115 GatherND - 2 1; 116 DetectionPostProcess DetectionPostProcessParam 3 4;
117 UnravelIndex - 2 1; 118 ScatterNd - 3-4 1; 119 OneHot OneHotParam 4 1; 120 BroadcastTo - 2 1;
121 Dilation2D Convolution2D 1 1; 122 Interp3D Interp 1-2 1; 128 Raster - 1+ 1; 129 ConvertTensor TensorConvertInfo 1 1;
130 ArgMin ArgMax 1 1; 131 LinSpace - 3 1; 132 RandomUniform RandomUniform 1 1; 133 TensorArray TensorArray 1+ 2;
134 TensorArraySize TensorArray? 2 1; 135 TensorArrayRead TensorArray 3 1; 136 TensorArrayWrite TensorArray 4 1;
137 TensorArrayGather TensorArray 3 1; 138 TensorArrayScatter TensorArray 4 1; 139 TensorArraySplit TensorArray 4 1;
140 TensorArrayConcat TensorArray 2 1-2; 141 LSTMBlockCell LSTMBlockCell 8 7; 142 Reverse - 2 1;
143 ROIAlign RoiParameters 2-4 1; 144 RandomNormal RandomUniform 1 1; 145 TensorArrayInsert TensorArray 4 1;
146 TensorArrayErase TensorArray 3 1; 147 EyeLike - 1-2 1; 148 CumSum CumSum 2 1; 149 Det - 1 1; 150 CumProd Axis 1-2 1;
151 ScatterElements - 3-4 1; 152 GatherElements - 2-3 1; 153 Svd - 1 3; 154 Histogram ArgMax 1 1; 155 DynamicQuant - 1 1-4;
156 Stft StftParam 2 1; 256 Plugin Plugin 0+ 0+; 257 Select - 3 1; 258 ZerosLike - 1 1; 259 Broastcast - 0+ 0+;
260 SetDiff1D - 2 1; 261 ReluGrad - 0+ 0+; 262 Identity - 1+ 1+; 263 PoolGrad Pool 3 1; 264 SoftmaxGrad - 0+ 0+;
265 Conv2DBackPropFilter Convolution2D 2 1; 266 TrainableParam Blob 0+ 1; 267 BatchNorm - 0+ 0+;
268 ConvTranspose3D Convolution3D 1 1; 269 ZeroGrad - 1 1; 299 Attention AttentionParam 3+ 1+; 300 FmhaV2 - 1 1; 301 Fmhca - 2 1;
302 SeqLen2Spatial - 4 1; 303 SplitGeLU - 1 1; 304 GroupNorm - 1+ 1+; 305 LinearAttention LinearAttentionParam 4+ 1+;
306 RoPE RoPEParam 4 2; 512 Extra - 0+ 0+; 513 ConvInt8 Convolution2D 1 1; 514 Int8ToFloat QuantizedFloatParam 1 1;
515 DepthwiseConvInt8 Convolution2D 1 1; 517 FloatToInt8 QuantizedFloatParam 1 1; 518 EltwiseInt8 EltwiseInt8 2 1;
600 While - 0+ 0+; 601 If IfParam 1+ 0+; 603 LayerNorm LayerNorm 1-2 1-2; 604 GridSample GridSample 2-3 1
`
