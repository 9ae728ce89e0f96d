// SPDX-License-Identifier: Apache-2.0

package tflite

import "github.com/anyinfer/anyinfer/internal/dylib"

var spec = dylib.Spec{Engine: "tflite", Stem: "tensorflowlite_c"}

// These are the functions of the TFLite C API that this package calls. They are declared in c_api.h, c_api_opaque.h,
// c_api_experimental.h, common.h and xnnpack_delegate.h.
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
	interpreterReset
	runnerCreate
	runnerDelete
	runnerInput
	runnerOutput
	runnerResizeInput
	runnerAllocate
	runnerInvoke
	tensorRank
	tensorDim
	tensorByteSize
	tensorData
	tensorRealloc
	tensorAllocation
	xnnpackDefaults
	xnnpackCreate
	xnnpackDelete
)

// These are values of Decl.Since: they name the libraries that have a function which others lack.
const (
	signatures = "releases with signature runners"
	xnnpack    = "builds with XNNPACK"
	exported   = "builds that export more than the core"
)

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
	interpreterReset:          {C: "TfLiteStatus TfLiteInterpreterResetVariableTensors(TfLiteInterpreter* interpreter)"},
	runnerCreate:              {C: "TfLiteSignatureRunner* TfLiteInterpreterGetSignatureRunner(const TfLiteInterpreter* interpreter, const char* signature_key)", Since: signatures},
	runnerDelete:              {C: "void TfLiteSignatureRunnerDelete(TfLiteSignatureRunner* signature_runner)", Since: signatures},
	runnerInput:               {C: "TfLiteTensor* TfLiteSignatureRunnerGetInputTensor(TfLiteSignatureRunner* signature_runner, const char* input_name)", Since: signatures},
	runnerOutput:              {C: "const TfLiteTensor* TfLiteSignatureRunnerGetOutputTensor(const TfLiteSignatureRunner* signature_runner, const char* output_name)", Since: signatures},
	runnerResizeInput:         {C: "TfLiteStatus TfLiteSignatureRunnerResizeInputTensor(TfLiteSignatureRunner* signature_runner, const char* input_name, const int* input_dims, int32_t input_dims_size)", Since: signatures},
	runnerAllocate:            {C: "TfLiteStatus TfLiteSignatureRunnerAllocateTensors(TfLiteSignatureRunner* signature_runner)", Since: signatures},
	runnerInvoke:              {C: "TfLiteStatus TfLiteSignatureRunnerInvoke(TfLiteSignatureRunner* signature_runner)", Since: signatures},
	tensorRank:                {C: "int32_t TfLiteTensorNumDims(const TfLiteTensor* tensor)"},
	tensorDim:                 {C: "int32_t TfLiteTensorDim(const TfLiteTensor* tensor, int32_t dim_index)"},
	tensorByteSize:            {C: "size_t TfLiteTensorByteSize(const TfLiteTensor* tensor)"},
	tensorData:                {C: "void* TfLiteTensorData(const TfLiteTensor* tensor)"},
	tensorRealloc:             {C: "TfLiteStatus TfLiteTensorRealloc(size_t num_bytes, TfLiteTensor* tensor)", Since: exported},
	tensorAllocation:          {C: "TfLiteAllocationType TfLiteOpaqueTensorGetAllocationType(const TfLiteOpaqueTensor* opaque_tensor)", Since: exported},
	xnnpackDefaults:           {C: "TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault()", Since: xnnpack},
	xnnpackCreate:             {C: "TfLiteDelegate* TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions* options)", Since: xnnpack},
	xnnpackDelete:             {C: "void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate)", Since: xnnpack},
}
