// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"sync"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

var schema = sync.OnceValue(func() flatbuf.Schema { return flatbuf.Parse(schemaText, nil) })

// schemaText is the part of the FlatBuffers schema of MNN 3.6 that this package
// reads, in the syntax of flatbuf.Parse. Enumerations are numbers without upper
// bounds, because later schemas add values. A table that no rule reads has no fields
// here; MNN's own verifier checks them.
const schemaText = `
union OpParameter QuantizedAdd ArgMax AsString Axis BatchNorm BinaryOp Blob CastParam Convolution2D Crop CropAndResize Dequantize DetectionOutput Eltwise ExpandDims Fill Flatten Gather GatherV2 InnerProduct Input Interp LRN LSTM MatMul NonMaxSuppressionV2 Normalize PackParam Permute Plugin Pool PRelu PriorBox Proposal QuantizedAvgPool QuantizedBiasAdd QuantizedConcat QuantizedLogistic QuantizedMatMul QuantizedMaxPool QuantizedRelu QuantizedRelu6 QuantizedReshape QuantizedSoftmax QuantizeMaxMin QuantizeV2 Range Rank ReduceJoin ReductionParam Relu Relu6 RequantizationRange Requantize Reshape Resize RoiParameters Scale Selu Size Slice SliceTf SpaceBatch SqueezeParam StridedSliceParam TensorConvertInfo TfQuantizedConv2D TopKV2 Transpose UnaryOp MomentsParam RNNParam BatchMatMulParam QuantizedFloatParam DepthSpaceParam EltwiseInt8 ReverseSequenceParam Extra Pool3D Convolution3D ELU DetectionPostProcessParam OneHotParam PadParam WhileParam IfParam RandomUniform LayerNorm TensorArray LSTMBlockCell GridSample LoopParam ImageProcessParam CumSum GroupNorm FmhaV2Param FmhcaParam AttentionParam StftParam LinearAttentionParam ShapeParam RoPEParam
Net bizCode:str extraTensorDescribe:[TensorDescribe] extraInfo:ExtraInfo oplists:[Op] outputName:[str]
	preferForwardType:i8 sourceType:i8 tensorName:[str] tensorNumber:i32 usage:i8 subgraphs:[SubGraphProto]
	mnn_uuid:str
ExtraInfo buffer:[i8] name:str version:str
Op inputIndexes:[i32] main_type:u8 main:OpParameter name:str outputIndexes:[i32] type:i32
	defaultDimentionFormat:i8=1 externalPath:str
SubGraphProto name:str inputs:[i32] outputs:[i32] tensors:[str] nodes:[Op]
	extraTensorDescribe:[TensorDescribe]
TensorDescribe blob:Blob index:i32 name:str regions:[Region] quantInfo:TensorQuantInfo
TensorQuantInfo scale:f32 zero:f32 min:f32 max:f32 type:i32
Region src:View dst:View size:[i32] origin:i32
View offset:i32 stride:[i32]
Blob dims:[i32] dataFormat:i8>-1 dataType:i32=1>-1 uint8s:[u8] int8s:[i8] int32s:[i32] int64s:[i64] float32s:[f32]
	strings:[str] external:[i64]
Attribute s:str i:i32 b:u8 key:str type:i32 f:f32 tensor:Blob list:ListValue func:u32
ListValue s:[str] i:[i32] f:[f32] b:[u8] type:[i32]
Extra type:str engine:str info:[i8] attr:[Attribute] vector:u8
StringVec data:[str]
WhileParam cond_graph:str body_graph:str aliases_inputs:[StringVec] aliases_outputs:[str]
	aliases_updates:[StringVec]
IfParam then_graph:str else_graph:str aliases_inputs:[StringVec] aliases_outputs:[StringVec]
LoopParam tensorNumber:i32 outputIndexes:[i32] inputIndexes:[i32] extraTensorInfos:[TensorDescribe]
	parallel:u8=1 loopNumber:i32 commands:[RegionCommand] initCommand:[RegionCommand]
RegionCommand op:Op steps:[i32] size:[i32] indexes:[i32] view:[View] fuse:i32=-1 iterIndexes:[i32]
Input dims:[i32] dtype:i32=1>-1 dformat:i8=2>-1
Axis axis:i32
ArgMax outMaxVal:i32 topK:i32 axis:i32 softmaxThreshold:i32
BinaryOp opType:i32 T:i32=1 activationType:i32
CastParam srcT:i32 dstT:i32>-1
Convolution2D common:Convolution2DCommon weight:[f32] bias:[f32] quanParameter:IDSTQuan
	symmetricQuan:QuantizedFloatParam sparseParameter:SparseCommon external:[i64]
Convolution2DCommon padX:i32 padY:i32 kernelX:i32=1 kernelY:i32=1 strideX:i32=1 strideY:i32=1 dilateX:i32=1
	dilateY:i32=1 padMode:i8 group:i32=1 outputCount:i32 inputCount:i32 relu:u8 relu6:u8 pads:[i32] outPads:[i32]
	hasOutputShape:u8
IDSTQuan buffer:[i8] alpha:[f32] type:i32 useInt32:u8 quantScale:f32 scaleIn:f32 scaleOut:f32 aMaxOrBits:i32
	aMin:i32 readType:i32 has_scaleInt:u8 shapeInt32:u8 weightSize:u32 index:[u32] alphaFp16:[u16] scaleStorage:i8
QuantizedFloatParam weight:[i8] bias:[i32] scale:[f32] tensorScale:[f32] method:i8 nbits:i32=8 zeroPoint:i8
	outputZeroPoint:i8 clampMin:i8=-128 clampMax:i8=127 winogradAttr:[i32] outputDataType:i32=6 floatzeros:[f32]
SparseCommon method:i8 args:[Attribute]
Convolution3D common:Convolution3DCommon weight:[f32] bias:[f32] external:[i64]
Convolution3DCommon dilates:[i32] strides:[i32] kernels:[i32] pads:[i32] padMode:i8 inputCount:i32
	outputCount:i32 relu:u8 relu6:u8 group:i32=1 outPads:[i32] hasOutputShape:u8
Pool padX:i32 padY:i32 isGlobal:u8 kernelX:i32 kernelY:i32 strideX:i32 strideY:i32 type:i8 padType:i8
	dataType:i32=1>-1 ceilModel:u8=1 pads:[i32] countType:i8
Pool3D strides:[i32] kernels:[i32] pads:[i32] type:i8 padType:i8 isGlobal:u8
InnerProduct outputCount:i32 biasTerm:i32 weightSize:i32 weight:[f32] bias:[f32] axis:i32 transpose:u8
	quanParameter:IDSTQuan
MatMul T:i32 transposeA:u8 transposeB:u8 weight:[f32] bias:[f32]
BatchMatMulParam adjX:u8 adjY:u8
Scale channels:i32 scaleData:[f32] biasData:[f32] external:[i64]
BatchNorm channels:i32 slopeData:[f32] meanData:[f32] varData:[f32] biasData:[f32] Adata:[f32] Bdata:[f32]
	epsilon:f32
PRelu slopeCount:i32 slope:[f32]
LayerNorm axis:[i32] epsilon:f32 gamma:[f32] beta:[f32] group:i32=1 external:[i64] useRMSNorm:u8
Reshape dims:[i32] dimType:i8>-1
Permute dims:[i32]
Slice axis:i32 slicePoints:[i32] sourceType:i8
SqueezeParam squeezeDims:[i32]
StridedSliceParam Index:i32 T:i32 beginMask:i32 endMask:i32 ellipsisMask:i32 newAxisMask:i32
	shrinkAxisMask:i32 fromType:i32
ReductionParam operation:i8 dim:[i32] coeff:f32 keepDims:u8 dType:i32=1
PackParam dataType:i32 axis:i32
Flatten axis:i32 endAxis:i32
Interp widthScale:f32 heightScale:f32 outputWidth:i32 outputHeight:i32 resizeType:i32 alignCorners:u8
	halfPixelCenters:u8 widthOffset:f32 heightOffset:f32 cubicCoeffA:f32 ctm:i8 depthScale:f32 outputDepth:i32
	depthOffset:f32
Resize xScale:f32 yScale:f32
LRN regionType:i32 localSize:i32 alpha:f32 beta:f32 bias:f32
Normalize acrossSpatial:i32 channelShared:i32 eps:f32 scale:[f32]
LSTM outputCount:i32 weightSize:i32 clippingThreshold:f32 weightI:Blob weightH:Blob bias:Blob weightIQ:Blob
	weightIA:Blob quantScale:f32
RNNParam numUnits:i32 isBidirectionalRNN:u8 linearBeforeReset:u8 keepAllOutputs:u8 fwGateWeight:Blob
	fwGateBias:Blob fwCandidateWeight:Blob fwCandidateBias:Blob fwRecurrentBias:Blob bwGateWeight:Blob
	bwGateBias:Blob bwCandidateWeight:Blob bwCandidateBias:Blob bwRecurrentBias:Blob
SpaceBatch blockShape:Blob padding:Blob
DepthSpaceParam blockSize:i32 mode:i8
Crop axis:i32=2 offset:[i32]
ExpandDims T:i32 Tdim:i32 axis:i32
UnaryOp opType:i32 T:i32 tableInt8:[i8]
TopKV2 T:i32=1 sorted:u8 largest:u8=1
OneHotParam dType:i32=1 axis:i32=-1
PadParam mode:i8
TensorConvertInfo source:i8>-1 dest:i8>-1
GridSample mode:i8 paddingMode:i8 alignCorners:u8 backward:u8
ImageProcessParam filterType:i8 sourceFormat:i32 destFormat:i32 wrap:i8 mean:[f32] normal:[f32]
	transform:[f32] paddingValue:i8 shape:[i32] outputType:i32 draw:u8
ReverseSequenceParam batchDim:i32 seqDim:i32
RoiParameters pooledWidth:i32 pooledHeight:i32 spatialScale:f32 samplingRatio:i32=-1 aligned:u8 poolType:i8=1
	outputGrad:u8
TensorArray dynamic_size:u8 identical_element_shapes:u8 element_shape:[i32] T:i32=1 axis:i32 keepdims:u8=1
	new_axis:u8
Proposal featStride:i32 baseSize:i32 preNmsTopN:i32 afterNmsTopN:i32 nmsThreshold:f32 minSize:i32 ratios:Blob
	scales:Blob anchors:Blob
PriorBox minSizes:[f32] maxSizes:[f32] aspectRatios:[f32] variances:[f32] flip:u8 clip:u8 imageWidth:i32
	imageHeight:i32 stepWidth:i32 stepHeight:i32 offset:f32
DetectionOutput classCount:i32 nmsThresholdold:f32 nmsTopK:i32 keepTopK:i32 confidenceThreshold:f32
	shareLocation:i32 backgroundLable:i32 varianceEncodedTarget:i32 codeType:i32 objectnessScore:f32
DetectionPostProcessParam maxDetections:i32 maxClassesPerDetection:i32 detectionsPerClass:i32
	nmsScoreThreshold:f32 iouThreshold:f32 numClasses:i32 useRegularNMS:u8 centerSizeEncoding:[f32]
RandomUniform seed:i32 seed2:i32 type:i32=1 low:f32 high:f32
StftParam n_fft:i32 hop_length:i32 abs:u8=1
Eltwise type:i8 coeff:[f32]
EltwiseInt8 type:i8 inputQuan0:QuantizedFloatParam inputQuan1:QuantizedFloatParam
	outputQuan:QuantizedFloatParam
Gather Tindices:i32 Tparams:i32 validateIndices:u8 axis:i32
MomentsParam dim:[i32] keepDims:u8=1 dType:i32=1
`
