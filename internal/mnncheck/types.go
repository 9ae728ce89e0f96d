// SPDX-License-Identifier: Apache-2.0

package mnncheck

// needsNC4HW4 has the operators whose kernels assume the memory layout NC4HW4.
var needsNC4HW4 = map[string]bool{
	"Convolution": true, "ConvolutionDepthwise": true, "Deconvolution": true, "DeconvolutionDepthwise": true, "ConvInt8": true,
	"DepthwiseConvInt8": true, "Pooling": true, "Pooling3D": true, "PReLU": true, "Scale": true, "Interp": true, "Interp3D": true,
	"ROIAlign": true, "ROIPooling": true, "GridSample": true, "InstanceNorm": true, "Resize": true,
}

// needsFourBytes has the operators whose kernels assume elements of four bytes.
var needsFourBytes = map[string]bool{
	"Convolution": true, "ConvolutionDepthwise": true, "Deconvolution": true, "DeconvolutionDepthwise": true, "Pooling": true,
	"Scale": true, "PReLU": true, "Softmax": true, "LayerNorm": true, "GridSample": true, "ROIAlign": true, "ROIPooling": true,
	"MatMul": true, "BatchMatMul": true, "InstanceNorm": true, "ELU": true, "Selu": true, "LRN": true, "UnaryOp": true,
	"RNN": true, "LSTM": true, "Reduction": true, "ArgMax": true, "ArgMin": true, "TopKV2": true, "CumSum": true,
	"Sigmoid": true, "TanH": true, "Normalize": true, "Range": true, "OneHot": true, "Interp3D": true, "CropAndResize": true,
}

// keepsType has the operators whose outputs have the type of the first input.
var keepsType = map[string]bool{
	"Reshape": true, "Permute": true, "Transpose": true, "Squeeze": true, "Unsqueeze": true, "ExpandDims": true, "Flatten": true,
	"ConvertTensor": true, "Concat": true, "Slice": true, "StridedSlice": true, "SliceTf": true, "Padding": true, "Tile": true,
	"Pack": true, "Unpack": true, "ReLU": true, "ReLU6": true, "GatherV2": true, "Gather": true, "Convolution": true,
	"ConvolutionDepthwise": true, "Pooling": true, "Scale": true, "PReLU": true, "Softmax": true, "LayerNorm": true,
	"UnaryOp": true, "Identity": true, "BroadcastTo": true, "DepthToSpace": true, "SpaceToDepth": true,
}
