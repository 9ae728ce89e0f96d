// SPDX-License-Identifier: Apache-2.0

package tflite

import "github.com/anyinfer/anyinfer/internal/dylib"

var spec = dylib.Spec{Engine: "tflite", Stem: "tensorflowlite_c"}

// The functions of the TFLite C API that this package calls; from c_api.h,
// c_api_opaque.h, c_api_experimental.h and xnnpack_delegate.h.
const (
	version = iota
	modelCreate
	modelDelete
	optionsCreate
	optionsDelete
	optionsSetNumThreads
	optionsSetErrorReporter
	optionsEnableCancellation
	optionsAddDelegate
	interpreterCreate
	interpreterDelete
	interpreterInputCount
	interpreterInput
	interpreterInputIndex
	interpreterOutputCount
	interpreterOutput
	interpreterOutputIndex
	interpreterResizeInput
	interpreterSetAllocation
	interpreterAllocate
	interpreterInvoke
	interpreterCancel
	tensorName
	tensorType
	tensorRank
	tensorDim
	tensorSignatureRank
	tensorSignatureDim
	tensorByteSize
	tensorData
	tensorAllocation
	tensorQuantization
	xnnpackDefaults
	xnnpackCreate
	xnnpackDelete
)

const xnnpack = "builds with XNNPACK"

var table = []dylib.Decl{
	version:                   {C: "const char* TfLiteVersion(void)"},
	modelCreate:               {C: "TfLiteModel* TfLiteModelCreateWithErrorReporter(const void* model_data, size_t model_size, void (*reporter)(void* user_data, const char* format, va_list args), void* user_data)"},
	modelDelete:               {C: "void TfLiteModelDelete(TfLiteModel* model)"},
	optionsCreate:             {C: "TfLiteInterpreterOptions* TfLiteInterpreterOptionsCreate()"},
	optionsDelete:             {C: "void TfLiteInterpreterOptionsDelete(TfLiteInterpreterOptions* options)"},
	optionsSetNumThreads:      {C: "void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions* options, int32_t num_threads)"},
	optionsSetErrorReporter:   {C: "void TfLiteInterpreterOptionsSetErrorReporter(TfLiteInterpreterOptions* options, void (*reporter)(void* user_data, const char* format, va_list args), void* user_data)"},
	optionsEnableCancellation: {C: "TfLiteStatus TfLiteInterpreterOptionsEnableCancellation(TfLiteInterpreterOptions* options, bool enable)"},
	optionsAddDelegate:        {C: "void TfLiteInterpreterOptionsAddDelegate(TfLiteInterpreterOptions* options, TfLiteOpaqueDelegate* delegate)"},
	interpreterCreate:         {C: "TfLiteInterpreter* TfLiteInterpreterCreate(const TfLiteModel* model, const TfLiteInterpreterOptions* optional_options)"},
	interpreterDelete:         {C: "void TfLiteInterpreterDelete(TfLiteInterpreter* interpreter)"},
	interpreterInputCount:     {C: "int32_t TfLiteInterpreterGetInputTensorCount(const TfLiteInterpreter* interpreter)"},
	interpreterInput:          {C: "TfLiteTensor* TfLiteInterpreterGetInputTensor(const TfLiteInterpreter* interpreter, int32_t input_index)"},
	interpreterInputIndex:     {C: "int32_t TfLiteInterpreterGetInputTensorIndex(const TfLiteInterpreter* interpreter, int32_t input_index)"},
	interpreterOutputCount:    {C: "int32_t TfLiteInterpreterGetOutputTensorCount(const TfLiteInterpreter* interpreter)"},
	interpreterOutput:         {C: "const TfLiteTensor* TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter* interpreter, int32_t output_index)"},
	interpreterOutputIndex:    {C: "int32_t TfLiteInterpreterGetOutputTensorIndex(const TfLiteInterpreter* interpreter, int32_t output_index)"},
	interpreterResizeInput:    {C: "TfLiteStatus TfLiteInterpreterResizeInputTensor(TfLiteInterpreter* interpreter, int32_t input_index, const int* input_dims, int32_t input_dims_size)"},
	interpreterSetAllocation:  {C: "TfLiteStatus TfLiteInterpreterSetCustomAllocationForTensor(TfLiteInterpreter* interpreter, int tensor_index, const TfLiteCustomAllocation* allocation, int64_t flags)"},
	interpreterAllocate:       {C: "TfLiteStatus TfLiteInterpreterAllocateTensors(TfLiteInterpreter* interpreter)"},
	interpreterInvoke:         {C: "TfLiteStatus TfLiteInterpreterInvoke(TfLiteInterpreter* interpreter)"},
	interpreterCancel:         {C: "TfLiteStatus TfLiteInterpreterCancel(const TfLiteInterpreter* interpreter)"},
	tensorName:                {C: "const char* TfLiteTensorName(const TfLiteTensor* tensor)"},
	tensorType:                {C: "TfLiteType TfLiteTensorType(const TfLiteTensor* tensor)"},
	tensorRank:                {C: "int32_t TfLiteTensorNumDims(const TfLiteTensor* tensor)"},
	tensorDim:                 {C: "int32_t TfLiteTensorDim(const TfLiteTensor* tensor, int32_t dim_index)"},
	tensorSignatureRank:       {C: "TfLiteStatus TfLiteOpaqueTensorGetNumDimsSignature(const TfLiteOpaqueTensor* opaque_tensor, int32_t* num_dims)"},
	tensorSignatureDim:        {C: "TfLiteStatus TfLiteOpaqueTensorGetDimSignature(const TfLiteOpaqueTensor* opaque_tensor, int32_t dim_index, int32_t* dim_length)"},
	tensorByteSize:            {C: "size_t TfLiteTensorByteSize(const TfLiteTensor* tensor)"},
	tensorData:                {C: "void* TfLiteTensorData(const TfLiteTensor* tensor)"},
	tensorAllocation:          {C: "TfLiteAllocationType TfLiteOpaqueTensorGetAllocationType(const TfLiteOpaqueTensor* opaque_tensor)"},
	tensorQuantization:        {C: "TfLiteQuantizationParams TfLiteTensorQuantizationParams(const TfLiteTensor* tensor)"},
	xnnpackDefaults:           {C: "TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault()", Since: xnnpack},
	xnnpackCreate:             {C: "TfLiteDelegate* TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions* options)", Since: xnnpack},
	xnnpackDelete:             {C: "void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate)", Since: xnnpack},
}
