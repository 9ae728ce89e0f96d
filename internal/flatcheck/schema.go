// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"sync"

	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

var schema = sync.OnceValue(func() flatbuf.Schema { return flatbuf.Parse(schemaText) })

// schemaText is version 3 of TFLite's FlatBuffers schema as of LiteRT 2.3, in the
// syntax of flatbuf.Parse, followed by the part of TFLite Metadata's schema that this
// package reads; other fields are a u32 there. Options without a line have only
// numbers, none of which is a subgraph.
const schemaText = `
Model version:u32 operator_codes:[OperatorCode] subgraphs:[SubGraph] description:str buffers:[Buffer]
	metadata_buffer:[i32] metadata:[Metadata] signature_defs:[SignatureDef]
	external_buffer_groups:[ExternalBufferGroup] external_buffers:[ExternalBuffer]
OperatorCode deprecated_builtin_code:i8 custom_code:str version:i32=1 builtin_code:i32
SubGraph tensors:[Tensor] inputs:[i32] outputs:[i32] operators:[Operator] name:str debug_metadata_index:i32=-1
Tensor shape:[i32] type:i8 buffer:u32 name:str quantization:QuantizationParameters is_variable:u8
	sparsity:SparsityParameters shape_signature:[i32] has_rank:u8 variant_tensors:[VariantSubType] external_buffer:u32
VariantSubType shape:[i32] type:i8 has_rank:u8
QuantizationParameters min:[f32] max:[f32] scale:[f32] zero_point:[i64] details_type:u8 details:QuantizationDetails
	quantized_dimension:i32
CustomQuantization custom:[u8]
BlockwiseQuantization scales:i32 zero_points:i32 block_size:i32 block_shape:[i32]
MultiAxisQuantization scales:i32 zero_points:i32 block_size:i32 quantized_dimensions:[i32]
SparsityParameters traversal_order:[i32] block_map:[i32] dim_metadata:[DimensionMetadata]
DimensionMetadata format:i8 dense_size:i32 array_segments_type:u8 array_segments:SparseIndexVector
	array_indices_type:u8 array_indices:SparseIndexVector
Int32Vector values:[i32]
Uint16Vector values:[u16]
Uint8Vector values:[u8]
Operator opcode_index:u32 inputs:[i32] outputs:[i32] builtin_options_type:u8 builtin_options:BuiltinOptions
	custom_options:[u8] custom_options_format:i8 mutating_variable_inputs:[u8] intermediates:[i32]
	large_custom_options_offset:u64 large_custom_options_size:u64 builtin_options_2_type:u8
	builtin_options_2:BuiltinOptions2 debug_metadata_index:i32=-1
Buffer data:[u8] offset:u64 size:u64
Metadata name:str buffer:u32
SignatureDef inputs:[TensorMap] outputs:[TensorMap] signature_key:str deprecated_tag:str subgraph_index:u32
TensorMap name:str tensor_index:u32
ExternalBufferGroup name:str
ExternalBuffer id:u32 group:u32 offset:u64 length:u64 packing:str
union QuantizationDetails CustomQuantization BlockwiseQuantization MultiAxisQuantization
union SparseIndexVector Int32Vector Uint16Vector Uint8Vector
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
StablehloGatherOptions offset_dims:[i64] collapsed_slice_dims:[i64] start_index_map:[i64] index_vector_dim:i64
	slice_sizes:[i64] indices_are_sorted:u8
StablehloTransposeOptions permutation:[i64]
StablehloDotGeneralOptions lhs_batching_dimensions:[i64] rhs_batching_dimensions:[i64]
	lhs_contracting_dimensions:[i64] rhs_contracting_dimensions:[i64] precision_config:[u32]
StablehloReduceWindowOptions window_dimensions:[i64] window_strides:[i64] base_dilations:[i64] window_dilations:[i64]
	padding:[i64] body_subgraph_index:graph
StablehloWhileOptions cond_subgraph_index:graph body_subgraph_index:graph
StablehloSortOptions dimension:i64 is_stable:u8 comparator_subgraph_index:graph
StablehloBroadcastInDimOptions broadcast_dimensions:[i64]
StablehloDynamicSliceOptions slice_sizes:[i64]
StablehloPadOptions edge_padding_low:[i64] edge_padding_high:[i64] interior_padding:[i64]
StablehloCustomCallOptions call_target_name:str has_side_effect:u8 backend_config:str api_version:i32
	called_computations:[graph] custom_attributes:[u8]
StablehloReduceOptions dimensions:[i64] body_subgraph_index:graph
StablehloSliceOptions start_indices:[i64] limit_indices:[i64] strides:[i64]
StablehloConvolutionOptions window_strides:[i64] padding:[i64] lhs_dilation:[i64] rhs_dilation:[i64]
	window_reversal:[u8] input_batch_dimension:i64 input_feature_dimension:i64 input_spatial_dimensions:[i64]
	kernel_input_feature_dimension:i64 kernel_output_feature_dimension:i64 kernel_spatial_dimensions:[i64]
	output_batch_dimension:i64 output_feature_dimension:i64 output_spatial_dimensions:[i64] feature_group_count:i64
	batch_group_count:i64 precision_config:[u32]
StablehloScatterOptions indices_are_sorted:u8 update_window_dims:[i64] inserted_window_dims:[i64]
	scatter_dims_to_operand_dims:[i64] index_vector_dim:i64 unique_indices:u8 update_computation_subgraph_index:graph
StablehloCaseOptions branch_subgraph_indices:[graph]
ConcatEmbeddingsOptions num_channels:i32 num_columns_per_channel:[i32] embedding_dim_per_channel:[i32]
FullyConnectedOptions fused_activation_function:i8 weights_format:i8 keep_num_dims:u8 asymmetric_quantize_inputs:u8
	quantized_bias_type:i8 quant_spec:[u8]
CallOptions subgraph:graph
ReshapeOptions new_shape:[i32]
SqueezeOptions squeeze_dims:[i32]
IfOptions then_subgraph_index:graph else_subgraph_index:graph
CallOnceOptions init_subgraph_index:graph
WhileOptions cond_subgraph_index:graph body_subgraph_index:graph
VarHandleOptions container:str shared_name:str
BucketizeOptions boundaries:[f32]
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
