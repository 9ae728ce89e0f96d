// SPDX-License-Identifier: Apache-2.0

package flatcheck

// opsText has TFLite's builtin operators in the order of their codes: the name, the
// table of options (or -), the inputs and the outputs (or -), with a letter for each
// tensor. s is an int32, i an int32 or int64, l a bool, r a resource and x any type;
// all tensors marked a have the same type. The following are like i, and the values
// of constants are checked, too: p is a permutation of the first input's dimensions;
// h has sizes or -1; n has nonnegative and b positive numbers; and m has numbers of
// repetitions of the first input. = after the outputs means that the output has the
// shape of the inputs. A capital letter may be -1 or omitted, a letter before ? may
// be omitted, and a letter before * stands for any number of tensors.
const opsText = `
ADD Add aa a=; AVERAGE_POOL_2D Pool2D a a; CONCATENATION Concatenation aa* a; CONV_2D Conv2D xxX x;
DEPTHWISE_CONV_2D DepthwiseConv2D xxx x; DEPTH_TO_SPACE DepthToSpace a a; DEQUANTIZE Dequantize x x=;
EMBEDDING_LOOKUP - sx x; FLOOR - a a=; FULLY_CONNECTED FullyConnected xxX xx?; HASHTABLE_LOOKUP - xxx xx;
L2_NORMALIZATION L2Norm a a=; L2_POOL_2D Pool2D a a;
LOCAL_RESPONSE_NORMALIZATION LocalResponseNormalization a a=; LOGISTIC - a a=;
LSH_PROJECTION LSHProjection xxX x; LSTM LSTM xXxxX* xx*; MAX_POOL_2D Pool2D a a; MUL Mul aa a=; RELU - a a=;
RELU_N1_TO_1 - a a=; RELU6 - a a=; RESHAPE Reshape ah? a; RESIZE_BILINEAR ResizeBilinear ab a; RNN RNN xxxxx x;
SOFTMAX Softmax x x=; SPACE_TO_DEPTH SpaceToDepth a a; SVDF SVDF xxxXx x; TANH - a a=;
CONCAT_EMBEDDINGS ConcatEmbeddings xx* xx*; SKIP_GRAM SkipGram x x; CALL Call x* x*; CUSTOM - X* x*;
EMBEDDING_LOOKUP_SPARSE EmbeddingLookupSparse xxxxx x; PAD Pad an a;
UNIDIRECTIONAL_SEQUENCE_RNN SequenceRNN xxxxx x; GATHER Gather ax a; BATCH_TO_SPACE_ND BatchToSpaceND abn a;
SPACE_TO_BATCH_ND SpaceToBatchND abn a; TRANSPOSE Transpose ap a; MEAN Reducer as a; SUB Sub aa a=;
DIV Div aa a=; SQUEEZE Squeeze a a;
UNIDIRECTIONAL_SEQUENCE_LSTM UnidirectionalSequenceLSTM xXxxxXxxxXXXXxxxXXxxXXXX x;
STRIDED_SLICE StridedSlice aiii a; BIDIRECTIONAL_SEQUENCE_RNN BidirectionalSequenceRNN xxxxxxxxxXXX xx?;
EXP Exp a a=; TOPK_V2 TopKV2 ax ax; SPLIT Split sa aa*; LOG_SOFTMAX LogSoftmax a a=; DELEGATE - x* x*;
BIDIRECTIONAL_SEQUENCE_LSTM BidirectionalSequenceLSTM xX* xx?; CAST Cast x x=; PRELU - aa a=;
MAXIMUM MaximumMinimum aa a=; ARG_MAX ArgMax xi i; MINIMUM MaximumMinimum aa a=; LESS Less aa l=; NEG Neg a a=;
PADV2 PadV2 ana a; GREATER Greater aa l=; GREATER_EQUAL GreaterEqual aa l=; LESS_EQUAL LessEqual aa l=;
SELECT Select laa a; SLICE Slice aih a; SIN - a a=; TRANSPOSE_CONV TransposeConv bxxX x;
SPARSE_TO_DENSE SparseToDense ihaa a; TILE Tile am a; EXPAND_DIMS ExpandDims ai a; EQUAL Equal aa l=;
NOT_EQUAL NotEqual aa l=; LOG - a a=; SUM Reducer as a; SQRT - a a=; RSQRT - a a=; SHAPE Shape x i; POW Pow aa a=;
ARG_MIN ArgMin xi i; FAKE_QUANT FakeQuant a a=; REDUCE_PROD Reducer as a; REDUCE_MAX Reducer as a;
PACK Pack aa* a; LOGICAL_OR LogicalOr ll l=; ONE_HOT OneHot xsaa a; LOGICAL_AND LogicalAnd ll l=;
LOGICAL_NOT LogicalNot l l=; UNPACK Unpack a aa*; REDUCE_MIN Reducer as a; FLOOR_DIV FloorDiv aa a=;
REDUCE_ANY Reducer ls l; SQUARE Square a a=; ZEROS_LIKE ZerosLike a a=; FILL Fill ha a; FLOOR_MOD FloorMod aa a=;
RANGE Range aaa a; RESIZE_NEAREST_NEIGHBOR ResizeNearestNeighbor ab a; LEAKY_RELU LeakyRelu a a=;
SQUARED_DIFFERENCE SquaredDifference aa a=; MIRROR_PAD MirrorPad an a; ABS Abs a a=; SPLIT_V SplitV ais aa*;
UNIQUE Unique a ai; CEIL - a a=; REVERSE_V2 ReverseV2 as a; ADD_N AddN aa* a=; GATHER_ND GatherNd ax a;
COS Cos a a=; WHERE Where x x; RANK Rank x s; ELU - a a=; REVERSE_SEQUENCE ReverseSequence ai a;
MATRIX_DIAG MatrixDiag a a; QUANTIZE Quantize x x=; MATRIX_SET_DIAG MatrixSetDiag aa a; ROUND - a a=;
HARD_SWISH HardSwish a a=; IF If lx* x*; WHILE While x* x*; NON_MAX_SUPPRESSION_V4 NonMaxSuppressionV4 xxxxx xx;
NON_MAX_SUPPRESSION_V5 NonMaxSuppressionV5 xxxxxx xxx; SCATTER_ND ScatterNd xah a; SELECT_V2 SelectV2 laa a=;
DENSIFY Densify a a=; SEGMENT_SUM SegmentSum as a; BATCH_MATMUL BatchMatMul xx x;
PLACEHOLDER_FOR_GREATER_OP_CODES - x* x*; CUMSUM Cumsum as a; CALL_ONCE CallOnce - -;
BROADCAST_TO BroadcastTo ah a; RFFT2D Rfft2d xs x; CONV_3D Conv3D xxX x; IMAG - x x; REAL - x x;
COMPLEX_ABS - x x; HASHTABLE Hashtable - r; HASHTABLE_FIND HashtableFind rxx x;
HASHTABLE_IMPORT HashtableImport rxx -; HASHTABLE_SIZE HashtableSize r x; REDUCE_ALL Reducer ls l;
CONV_3D_TRANSPOSE Conv3D bxxX x; VAR_HANDLE VarHandle - r; READ_VARIABLE ReadVariable r x;
ASSIGN_VARIABLE AssignVariable rx -; BROADCAST_ARGS - ii i; RANDOM_STANDARD_NORMAL Random h x;
BUCKETIZE Bucketize x s; RANDOM_UNIFORM Random h x; MULTINOMIAL Random xs i; GELU Gelu a a=;
DYNAMIC_UPDATE_SLICE DynamicUpdateSlice aai a; RELU_0_TO_1 - a a=;
UNSORTED_SEGMENT_PROD UnsortedSegmentProd ass a; UNSORTED_SEGMENT_MAX UnsortedSegmentMax ass a;
UNSORTED_SEGMENT_SUM UnsortedSegmentSum ass a; ATAN2 ATan2 aa a; UNSORTED_SEGMENT_MIN UnsortedSegmentMin ass a;
SIGN Sign a a=; BITCAST Bitcast x x; BITWISE_XOR BitwiseXor aa a; RIGHT_SHIFT RightShift aa a;
STABLEHLO_LOGISTIC - x* x*; STABLEHLO_ADD - x* x*; STABLEHLO_DIVIDE - x* x*; STABLEHLO_MULTIPLY - x* x*;
STABLEHLO_MAXIMUM - x* x*; STABLEHLO_RESHAPE - x* x*; STABLEHLO_CLAMP - x* x*;
STABLEHLO_CONCATENATE StablehloConcatenate x* x*; STABLEHLO_BROADCAST_IN_DIM StablehloBroadcastInDim x* x*;
STABLEHLO_CONVOLUTION StablehloConvolution x* x*; STABLEHLO_SLICE StablehloSlice x* x*;
STABLEHLO_CUSTOM_CALL StablehloCustomCall x* x*; STABLEHLO_REDUCE StablehloReduce x* x*; STABLEHLO_ABS - x* x*;
STABLEHLO_AND - x* x*; STABLEHLO_COSINE - x* x*; STABLEHLO_EXPONENTIAL - x* x*; STABLEHLO_FLOOR - x* x*;
STABLEHLO_LOG - x* x*; STABLEHLO_MINIMUM - x* x*; STABLEHLO_NEGATE - x* x*; STABLEHLO_OR - x* x*;
STABLEHLO_POWER - x* x*; STABLEHLO_REMAINDER - x* x*; STABLEHLO_RSQRT - x* x*; STABLEHLO_SELECT - x* x*;
STABLEHLO_SUBTRACT - x* x*; STABLEHLO_TANH - x* x*; STABLEHLO_SCATTER StablehloScatter x* x*;
STABLEHLO_COMPARE StablehloCompare x* x*; STABLEHLO_CONVERT - x* x*;
STABLEHLO_DYNAMIC_SLICE StablehloDynamicSlice x* x*; STABLEHLO_DYNAMIC_UPDATE_SLICE - x* x*;
STABLEHLO_PAD StablehloPad x* x*; STABLEHLO_IOTA StablehloIota x* x*;
STABLEHLO_DOT_GENERAL StablehloDotGeneral x* x*; STABLEHLO_REDUCE_WINDOW StablehloReduceWindow x* x*;
STABLEHLO_SORT StablehloSort x* x*; STABLEHLO_WHILE StablehloWhile x* x*;
STABLEHLO_GATHER StablehloGather x* x*; STABLEHLO_TRANSPOSE StablehloTranspose x* x*; DILATE Dilate x* x*;
STABLEHLO_RNG_BIT_GENERATOR StablehloRngBitGenerator x* x*; REDUCE_WINDOW ReduceWindow x* x*;
STABLEHLO_COMPOSITE StableHLOComposite x* x*; STABLEHLO_SHIFT_LEFT StablehloShiftLeft x* x*;
STABLEHLO_CBRT - x* x*; STABLEHLO_CASE StablehloCase x* x*`
