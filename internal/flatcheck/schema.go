// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"sync"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

var schema = sync.OnceValue(func() flatbuf.Schema { return flatbuf.Parse(schemaText) })

// schemaText is version 3 of TFLite's FlatBuffers schema as of LiteRT 2.3, in the
// syntax of flatbuf.Parse, followed by that of TFLite Metadata, both as far as this
// package reads them: fields of other types are a u32, and tables without a line have no
// fields. SDKs' own verifiers check that those are inside the file.
const schemaText = `
Model version:u32 operator_codes:[OperatorCode] subgraphs:[SubGraph] description:str buffers:[Buffer]
	metadata_buffer:[i32] metadata:[Metadata] signature_defs:[SignatureDef]
	external_buffer_groups:u32 external_buffers:u32
OperatorCode deprecated_builtin_code:i8 custom_code:str version:i32=1 builtin_code:i32
SubGraph tensors:[Tensor] inputs:[i32] outputs:[i32] operators:[Operator] name:str debug_metadata_index:i32=-1
Tensor shape:[i32] type:i8 buffer:u32 name:str quantization:QuantizationParameters is_variable:u8
	sparsity:u32 shape_signature:[i32] has_rank:u8 variant_tensors:u32 external_buffer:u32
QuantizationParameters min:[f32] max:[f32] scale:[f32] zero_point:[i64] details_type:u8 details:QuantizationDetails
	quantized_dimension:i32
Operator opcode_index:u32 inputs:[i32] outputs:[i32] builtin_options_type:u8 builtin_options:BuiltinOptions
	custom_options:[u8] custom_options_format:i8 mutating_variable_inputs:[u8] intermediates:[i32]
	large_custom_options_offset:u64 large_custom_options_size:u64 builtin_options_2_type:u8
	builtin_options_2:BuiltinOptions2 debug_metadata_index:i32=-1
Buffer data:[u8] offset:u64 size:u64
Metadata name:str buffer:u32
SignatureDef inputs:[TensorMap] outputs:[TensorMap] signature_key:str deprecated_tag:str subgraph_index:u32
TensorMap name:str tensor_index:u32
union QuantizationDetails CustomQuantization BlockwiseQuantization MultiAxisQuantization
union BuiltinOptions Conv2DOptions DepthwiseConv2DOptions ConcatEmbeddingsOptions LSHProjectionOptions Pool2DOptions
	SVDFOptions RNNOptions FullyConnectedOptions SoftmaxOptions ConcatenationOptions AddOptions L2NormOptions
	LocalResponseNormalizationOptions LSTMOptions ResizeBilinearOptions CallOptions ReshapeOptions SkipGramOptions
	SpaceToDepthOptions EmbeddingLookupSparseOptions MulOptions PadOptions GatherOptions BatchToSpaceNDOptions
	SpaceToBatchNDOptions TransposeOptions ReducerOptions SubOptions DivOptions SqueezeOptions SequenceRNNOptions
	StridedSliceOptions ExpOptions TopKV2Options SplitOptions LogSoftmaxOptions CastOptions DequantizeOptions
	MaximumMinimumOptions ArgMaxOptions LessOptions NegOptions PadV2Options GreaterOptions GreaterEqualOptions
	LessEqualOptions SelectOptions SliceOptions TransposeConvOptions SparseToDenseOptions TileOptions
	ExpandDimsOptions EqualOptions NotEqualOptions ShapeOptions PowOptions ArgMinOptions FakeQuantOptions PackOptions
	LogicalOrOptions OneHotOptions LogicalAndOptions LogicalNotOptions UnpackOptions FloorDivOptions SquareOptions
	ZerosLikeOptions FillOptions BidirectionalSequenceLSTMOptions BidirectionalSequenceRNNOptions
	UnidirectionalSequenceLSTMOptions FloorModOptions RangeOptions ResizeNearestNeighborOptions LeakyReluOptions
	SquaredDifferenceOptions MirrorPadOptions AbsOptions SplitVOptions UniqueOptions ReverseV2Options AddNOptions
	GatherNdOptions CosOptions WhereOptions RankOptions ReverseSequenceOptions MatrixDiagOptions QuantizeOptions
	MatrixSetDiagOptions HardSwishOptions IfOptions WhileOptions DepthToSpaceOptions NonMaxSuppressionV4Options
	NonMaxSuppressionV5Options ScatterNdOptions SelectV2Options DensifyOptions SegmentSumOptions BatchMatMulOptions
	CumsumOptions CallOnceOptions BroadcastToOptions Rfft2dOptions Conv3DOptions HashtableOptions HashtableFindOptions
	HashtableImportOptions HashtableSizeOptions VarHandleOptions ReadVariableOptions AssignVariableOptions
	RandomOptions BucketizeOptions GeluOptions DynamicUpdateSliceOptions UnsortedSegmentProdOptions
	UnsortedSegmentMaxOptions UnsortedSegmentMinOptions UnsortedSegmentSumOptions ATan2Options SignOptions
	BitcastOptions BitwiseXorOptions RightShiftOptions
union BuiltinOptions2 StablehloConcatenateOptions StablehloBroadcastInDimOptions StablehloSliceOptions
	StablehloConvolutionOptions StablehloCustomCallOptions StablehloReduceOptions StablehloScatterOptions
	StablehloCompareOptions StablehloDynamicSliceOptions StablehloPadOptions StablehloIotaOptions
	StablehloDotGeneralOptions StablehloReduceWindowOptions StablehloSortOptions StablehloWhileOptions
	StablehloGatherOptions StablehloTransposeOptions DilateOptions StablehloRngBitGeneratorOptions ReduceWindowOptions
	StableHLOCompositeOptions StablehloShiftLeftOptions StablehloCaseOptions
StablehloReduceWindowOptions window_dimensions:[i64] window_strides:[i64] base_dilations:[i64] window_dilations:[i64]
	padding:[i64] body_subgraph_index:graph
StablehloWhileOptions cond_subgraph_index:graph body_subgraph_index:graph
StablehloSortOptions dimension:i64 is_stable:u8 comparator_subgraph_index:graph
StablehloCustomCallOptions call_target_name:str has_side_effect:u8 backend_config:str api_version:i32
	called_computations:[graph] custom_attributes:[u8]
StablehloReduceOptions dimensions:[i64] body_subgraph_index:graph
StablehloScatterOptions indices_are_sorted:u8 update_window_dims:[i64] inserted_window_dims:[i64]
	scatter_dims_to_operand_dims:[i64] index_vector_dim:i64 unique_indices:u8 update_computation_subgraph_index:graph
StablehloCaseOptions branch_subgraph_indices:[graph]
CallOptions subgraph:graph
IfOptions then_subgraph_index:graph else_subgraph_index:graph
CallOnceOptions init_subgraph_index:graph
WhileOptions cond_subgraph_index:graph body_subgraph_index:graph
StableHLOCompositeOptions name:str decomposition_subgraph_index:graph composite_attributes:[u8]
	composite_attributes_format:i8 version:i32
ModelMetadata name:str description:str version:str subgraph_metadata:[SubGraphMetadata] author:str license:str
	associated_files:[AssociatedFile] min_parser_version:str
SubGraphMetadata name:str description:str input_tensor_metadata:[TensorMetadata]
	output_tensor_metadata:[TensorMetadata]
TensorMetadata name:str description:str dimension_names:u32 content:u32 process_units:u32 stats:u32
	associated_files:[AssociatedFile]
AssociatedFile name:str description:str type:i8 locale:str
`
