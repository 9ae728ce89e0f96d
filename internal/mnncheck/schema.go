// SPDX-License-Identifier: Apache-2.0

package mnncheck

import (
	"sync"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

var schema = sync.OnceValue(func() flatbuf.Schema { return flatbuf.Parse(schemaText) })

// schemaText is the part of the FlatBuffers schema of MNN 3.6 that this package reads, in
// the syntax of flatbuf.Parse. Other tables have no fields here, or are a u32; MNN's own
// verifier checks that they are inside the file.
const schemaText = `
union OpParameter QuantizedAdd ArgMax AsString Axis BatchNorm BinaryOp Blob CastParam Convolution2D Crop CropAndResize
	Dequantize DetectionOutput Eltwise ExpandDims Fill Flatten Gather GatherV2 InnerProduct Input Interp LRN LSTM
	MatMul NonMaxSuppressionV2 Normalize PackParam Permute Plugin Pool PRelu PriorBox Proposal QuantizedAvgPool
	QuantizedBiasAdd QuantizedConcat QuantizedLogistic QuantizedMatMul QuantizedMaxPool QuantizedRelu QuantizedRelu6
	QuantizedReshape QuantizedSoftmax QuantizeMaxMin QuantizeV2 Range Rank ReduceJoin ReductionParam Relu Relu6
	RequantizationRange Requantize Reshape Resize RoiParameters Scale Selu Size Slice SliceTf SpaceBatch SqueezeParam
	StridedSliceParam TensorConvertInfo TfQuantizedConv2D TopKV2 Transpose UnaryOp MomentsParam RNNParam
	BatchMatMulParam QuantizedFloatParam DepthSpaceParam EltwiseInt8 ReverseSequenceParam Extra Pool3D Convolution3D
	ELU DetectionPostProcessParam OneHotParam PadParam WhileParam IfParam RandomUniform LayerNorm TensorArray
	LSTMBlockCell GridSample LoopParam ImageProcessParam CumSum GroupNorm FmhaV2Param FmhcaParam AttentionParam
	StftParam LinearAttentionParam ShapeParam RoPEParam
Net bizCode:str extraTensorDescribe:[TensorDescribe] extraInfo:ExtraInfo oplists:[Op] outputName:[str]
	preferForwardType:i8 sourceType:i8 tensorName:[str] tensorNumber:i32 usage:i8 subgraphs:[SubGraphProto]
	mnn_uuid:str
ExtraInfo buffer:[i8] name:str version:str
Op inputIndexes:[i32] main_type:u8 main:OpParameter name:str outputIndexes:[i32] type:i32 defaultDimentionFormat:i8=1
	externalPath:str
SubGraphProto name:str inputs:[i32] outputs:[i32] tensors:[str] nodes:[Op] extraTensorDescribe:[TensorDescribe]
TensorDescribe blob:Blob index:i32
Blob dims:[i32] dataFormat:i8 dataType:i32=1 uint8s:[u8] int8s:[i8] int32s:[i32] int64s:[i64] float32s:[f32]
	strings:[str] external:[i64]
Attribute s:str i:i32 b:u8 key:str type:i32 f:f32 tensor:Blob list:ListValue func:u32
ListValue s:[str] i:[i32] f:[f32] b:[u8] type:[i32]
Extra type:str engine:str info:[i8] attr:[Attribute] vector:u8
WhileParam cond_graph:str body_graph:str
IfParam then_graph:str else_graph:str
Input dims:[i32]
Convolution2D common:u32 weight:[f32] bias:[f32] quanParameter:u32 symmetricQuan:u32 sparseParameter:u32
	external:[i64]
Convolution3D common:u32 weight:[f32] bias:[f32] external:[i64]
Scale channels:i32 scaleData:[f32] biasData:[f32] external:[i64]
LayerNorm axis:[i32] epsilon:f32 gamma:[f32] beta:[f32] group:i32=1 external:[i64]
`
