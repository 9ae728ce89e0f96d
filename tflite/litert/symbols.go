// SPDX-License-Identifier: Apache-2.0

package litert

import "github.com/anyinfer/anyinfer/internal/dylib"

var spec = dylib.Spec{Engine: "litert", Stem: "LiteRt"}

// These are the functions of the LiteRT C API that this package calls. They are declared in litert_environment.h,
// litert_accelerator.h, litert_model.h, litert_options.h, litert_opaque_options.h, litert_compiled_model.h,
// litert_tensor_buffer.h and litert_profiler.h. The last two are functions of libc, which the library links.
const (
	environmentCreate = iota
	environmentDestroy
	acceleratorCount
	acceleratorAt
	acceleratorName
	acceleratorHardware
	modelFromBuffer
	modelFromFd
	modelDestroy
	signatureCount
	signatureAt
	signatureKey
	signatureInputs
	signatureInput
	signatureOutputs
	signatureOutput
	optionsCreate
	optionsDestroy
	optionsSetHardware
	optionsAdd
	opaqueCreate
	compiledCreate
	compiledDestroy
	compiledRun
	compiledResize
	compiledInputLayout
	compiledOutputLayouts
	compiledSetCancel
	compiledAccelerated
	compiledNotOnCPU
	compiledEnvironment
	compiledErrors
	compiledClearErrors
	compiledProfiler
	profilerStart
	profilerCount
	profilerEvents
	bufferCreate
	bufferDestroy
	strlen
	free
)

// These are values of Decl.Since: they name the libraries that have a function which others lack.
const (
	exported = "builds for systems other than Windows"
	libc     = "systems whose loader finds libc's functions through a library" // all but Windows
)

var table = []dylib.Decl{
	environmentCreate:     {C: "LiteRtStatus LiteRtCreateEnvironment(int num_options, const LiteRtEnvOption* options, LiteRtEnvironment* environment)"},
	environmentDestroy:    {C: "void LiteRtDestroyEnvironment(LiteRtEnvironment environment)"},
	acceleratorCount:      {C: "LiteRtStatus LiteRtGetNumAccelerators(LiteRtEnvironment environment, LiteRtParamIndex* num_accelerators)", Since: exported},
	acceleratorAt:         {C: "LiteRtStatus LiteRtGetAccelerator(LiteRtEnvironment environment, LiteRtParamIndex index, LiteRtAccelerator* accelerator)", Since: exported},
	acceleratorName:       {C: "LiteRtStatus LiteRtGetAcceleratorName(LiteRtAcceleratorConst accelerator, const char** name)", Since: exported},
	acceleratorHardware:   {C: "LiteRtStatus LiteRtGetAcceleratorHardwareSupport(LiteRtAcceleratorConst accelerator, LiteRtHwAcceleratorSet* supported_hardware)", Since: exported},
	modelFromBuffer:       {C: "LiteRtStatus LiteRtCreateModelFromBuffer(LiteRtEnvironment environment, const void* buffer_addr, size_t buffer_size, LiteRtModel* model)"},
	modelFromFd:           {C: "LiteRtStatus LiteRtCreateModelFromFd(LiteRtEnvironment environment, int fd, size_t offset, size_t size, LiteRtModel* model)"}, // never called; its absence refuses releases before 2.1.6
	modelDestroy:          {C: "void LiteRtDestroyModel(LiteRtModel model)"},
	signatureCount:        {C: "LiteRtStatus LiteRtGetNumModelSignatures(LiteRtModel model, LiteRtParamIndex* num_signatures)"},
	signatureAt:           {C: "LiteRtStatus LiteRtGetModelSignature(LiteRtModel model, LiteRtParamIndex signature_index, LiteRtSignature* signature)"},
	signatureKey:          {C: "LiteRtStatus LiteRtGetSignatureKey(LiteRtSignature signature, const char** signature_key)"},
	signatureInputs:       {C: "LiteRtStatus LiteRtGetNumSignatureInputs(LiteRtSignature signature, LiteRtParamIndex* num_inputs)"},
	signatureInput:        {C: "LiteRtStatus LiteRtGetSignatureInputTensorByIndex(LiteRtSignature signature, LiteRtParamIndex input_idx, LiteRtTensor* tensor)"},
	signatureOutputs:      {C: "LiteRtStatus LiteRtGetNumSignatureOutputs(LiteRtSignature signature, LiteRtParamIndex* num_outputs)"},
	signatureOutput:       {C: "LiteRtStatus LiteRtGetSignatureOutputTensorByIndex(LiteRtSignature signature, LiteRtParamIndex output_idx, LiteRtTensor* tensor)"},
	optionsCreate:         {C: "LiteRtStatus LiteRtCreateOptions(LiteRtOptions* options)"},
	optionsDestroy:        {C: "void LiteRtDestroyOptions(LiteRtOptions options)"},
	optionsSetHardware:    {C: "LiteRtStatus LiteRtSetOptionsHardwareAccelerators(LiteRtOptions options, LiteRtHwAcceleratorSet hardware_accelerators)"},
	optionsAdd:            {C: "LiteRtStatus LiteRtAddOpaqueOptions(LiteRtOptions options, LiteRtOpaqueOptions opaque_options)"},
	opaqueCreate:          {C: "LiteRtStatus LiteRtCreateOpaqueOptions(const char* payload_identifier, void* payload_data, void (*payload_destructor)(void* payload_data), LiteRtOpaqueOptions* options)"},
	compiledCreate:        {C: "LiteRtStatus LiteRtCreateCompiledModel(LiteRtEnvironment environment, LiteRtModel model, LiteRtOptions compilation_options, LiteRtCompiledModel* compiled_model)"},
	compiledDestroy:       {C: "void LiteRtDestroyCompiledModel(LiteRtCompiledModel compiled_model)"},
	compiledRun:           {C: "LiteRtStatus LiteRtRunCompiledModel(LiteRtCompiledModel compiled_model, LiteRtParamIndex signature_index, size_t num_input_buffers, LiteRtTensorBuffer* input_buffers, size_t num_output_buffers, LiteRtTensorBuffer* output_buffers)"},
	compiledResize:        {C: "LiteRtStatus LiteRtCompiledModelResizeInputTensorNonStrict(LiteRtCompiledModel compiled_model, LiteRtParamIndex signature_index, LiteRtParamIndex input_index, const int* dims, size_t dims_size)"},
	compiledInputLayout:   {C: "LiteRtStatus LiteRtGetCompiledModelInputTensorLayout(LiteRtCompiledModel compiled_model, LiteRtParamIndex signature_index, LiteRtParamIndex input_index, LiteRtLayout* layout)"},
	compiledOutputLayouts: {C: "LiteRtStatus LiteRtGetCompiledModelOutputTensorLayouts(LiteRtCompiledModel compiled_model, LiteRtParamIndex signature_index, size_t num_layouts, LiteRtLayout* layouts, bool update_allocation)"},
	compiledSetCancel:     {C: "LiteRtStatus LiteRtSetCompiledModelCancellationFunction(LiteRtCompiledModel compiled_model, void* data, bool (*check_cancelled_func)(void*))"},
	compiledAccelerated:   {C: "LiteRtStatus LiteRtCompiledModelIsFullyAccelerated(LiteRtCompiledModel compiled_model, bool* fully_accelerated)"},
	compiledNotOnCPU:      {C: "LiteRtStatus LiteRtCompiledModelIsNonCpuFullyAccelerated(LiteRtCompiledModel compiled_model, bool* non_cpu_fully_accelerated)", Since: "2.3"},
	compiledEnvironment:   {C: "LiteRtStatus LiteRtGetCompiledModelEnvironment(LiteRtCompiledModel compiled_model, LiteRtEnvironment* environment)", Since: "2.2"}, // never called; see version
	compiledErrors:        {C: "LiteRtStatus LiteRtCompiledModelGetErrorMessages(LiteRtCompiledModel compiled_model, char** error_messages)"},
	compiledClearErrors:   {C: "LiteRtStatus LiteRtCompiledModelClearErrors(LiteRtCompiledModel compiled_model)"},
	compiledProfiler:      {C: "LiteRtStatus LiteRtCompiledModelGetProfiler(LiteRtCompiledModel compiled_model, LiteRtProfiler* profiler)"},
	profilerStart:         {C: "LiteRtStatus LiteRtStartProfiler(LiteRtProfiler profiler)"},
	profilerCount:         {C: "LiteRtStatus LiteRtGetNumProfilerEvents(LiteRtProfiler profiler, int* num_events)"},
	profilerEvents:        {C: "LiteRtStatus LiteRtGetProfilerEvents(LiteRtProfiler profiler, int num_events, ProfiledEventData* events)"},
	bufferCreate:          {C: "LiteRtStatus LiteRtCreateTensorBufferFromHostMemory(const LiteRtRankedTensorType* tensor_type, void* host_buffer_addr, size_t host_buffer_size, LiteRtHostMemoryDeallocator deallocator, LiteRtTensorBuffer* buffer)"},
	bufferDestroy:         {C: "void LiteRtDestroyTensorBuffer(LiteRtTensorBuffer buffer)"},
	strlen:                {C: "size_t strlen(const char* s)", Since: libc},
	free:                  {C: "void free(void* p)", Since: libc},
}
