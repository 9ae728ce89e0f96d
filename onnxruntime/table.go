// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import "github.com/anyinfer/anyinfer/internal/dylib"

// function is a member of OrtApi, the struct of functions that the library returns.
// Later versions of the struct only add members at the end.
type function struct {
	slot  int    // the index of the member
	since int    // the first release 1.x that has it; 0: every release that is accepted
	c     string // the prototype
}

// These are the releases 1.x whose functions this package knows.
const (
	oldest = 17
	newest = 24
)

// bindAPI returns the functions of the OrtApi at the address api.
func bindAPI(path string, api uintptr, release int) *dylib.Library {
	addrs := make([]uintptr, len(functions))
	for i, f := range functions {
		if release >= f.since {
			dylib.CopyOut(addrs[i:i+1], api+uintptr(f.slot)*wordSize)
		}
	}
	return dylib.FromTable(path, addrs)
}

// The functions that this package uses: their indexes in functions.
const (
	fnGetErrorCode = iota
	fnGetErrorMessage
	fnCreateEnvWithCustomLogger
	fnDisableTelemetryEvents
	fnCreateSessionFromArray
	fnCreateSessionOptions
	fnSetOptimizedModelFilePath
	fnEnableProfiling
	fnSetSessionLogSeverityLevel
	fnSetSessionGraphOptimizationLevel
	fnSetIntraOpNumThreads
	fnSetInterOpNumThreads
	fnSessionGetInputCount
	fnSessionGetOutputCount
	fnSessionGetInputTypeInfo
	fnSessionGetOutputTypeInfo
	fnSessionGetInputName
	fnSessionGetOutputName
	fnCreateRunOptions
	fnRunOptionsSetRunLogSeverityLevel
	fnRunOptionsSetTerminate
	fnRunOptionsUnsetTerminate
	fnCreateTensorAsOrtValue
	fnCreateTensorWithDataAsOrtValue
	fnGetTensorMutableData
	fnGetStringTensorDataLength
	fnGetStringTensorContent
	fnCastTypeInfoToTensorInfo
	fnGetOnnxTypeFromTypeInfo
	fnGetTensorElementType
	fnGetDimensionsCount
	fnGetDimensions
	fnGetSymbolicDimensions
	fnGetTensorTypeAndShape
	fnCreateCpuMemoryInfo
	fnAllocatorFree
	fnGetAllocatorWithDefaultOptions
	fnReleaseEnv
	fnReleaseStatus
	fnReleaseMemoryInfo
	fnReleaseSession
	fnReleaseValue
	fnReleaseRunOptions
	fnReleaseTypeInfo
	fnReleaseTensorTypeAndShapeInfo
	fnReleaseSessionOptions
	fnSessionEndProfiling
	fnAddFreeDimensionOverrideByName
	fnGetAvailableProviders
	fnReleaseAvailableProviders
	fnAddSessionConfigEntry
	fnRunWithBinding
	fnCreateIoBinding
	fnReleaseIoBinding
	fnBindInput
	fnBindOutput
	fnBindOutputToDevice
	fnGetBoundOutputValues
	fnAddRunConfigEntry
	fnAppendTensorRTV2
	fnCreateTensorRTProviderOptions
	fnUpdateTensorRTProviderOptions
	fnReleaseTensorRTProviderOptions
	fnAppendCUDAV2
	fnCreateCUDAProviderOptions
	fnUpdateCUDAProviderOptions
	fnReleaseCUDAProviderOptions
	fnAppendProvider
	fnRegisterCustomOpsLibraryV2
	fnAppendDnnl
	fnCreateDnnlProviderOptions
	fnUpdateDnnlProviderOptions
	fnReleaseDnnlProviderOptions
	fnGetResizedStringTensorElementBuffer
	fnSetUserLoggingFunction
	fnAddExternalInitializersFromFilesInMemory
	fnSessionOptionsSetLoadCancellationFlag
	fnRegisterExecutionProviderLibrary
	fnUnregisterExecutionProviderLibrary
	fnGetEpDevices
	fnAppendDevices
	fnHardwareDeviceType
	fnHardwareDeviceVendor
	fnEpDeviceEpName
	fnEpDeviceEpVendor
	fnEpDeviceDevice
	fnTensorTypeAndShapeHasShape
	fnGetTensorElementTypeAndShapeDataReference
)

// functions has the prototypes of onnxruntime_c_api.h.
var functions = []function{
	fnGetErrorCode:                              {slot: 1, c: "OrtErrorCode GetErrorCode(const OrtStatus* status)"},
	fnGetErrorMessage:                           {slot: 2, c: "const char* GetErrorMessage(const OrtStatus* status)"},
	fnCreateEnvWithCustomLogger:                 {slot: 4, c: "OrtStatus* CreateEnvWithCustomLogger(OrtLoggingFunction logging_function, void* logger_param, OrtLoggingLevel log_severity_level, const char* logid, OrtEnv** out)"},
	fnDisableTelemetryEvents:                    {slot: 6, c: "OrtStatus* DisableTelemetryEvents(const OrtEnv* env)"},
	fnCreateSessionFromArray:                    {slot: 8, c: "OrtStatus* CreateSessionFromArray(const OrtEnv* env, const void* model_data, size_t model_data_length, const OrtSessionOptions* options, OrtSession** out)"},
	fnCreateSessionOptions:                      {slot: 10, c: "OrtStatus* CreateSessionOptions(OrtSessionOptions** options)"},
	fnSetOptimizedModelFilePath:                 {slot: 11, c: "OrtStatus* SetOptimizedModelFilePath(OrtSessionOptions* options, const ORTCHAR_T* optimized_model_filepath)"},
	fnEnableProfiling:                           {slot: 14, c: "OrtStatus* EnableProfiling(OrtSessionOptions* options, const ORTCHAR_T* profile_file_prefix)"},
	fnSetSessionLogSeverityLevel:                {slot: 22, c: "OrtStatus* SetSessionLogSeverityLevel(OrtSessionOptions* options, int session_log_severity_level)"},
	fnSetSessionGraphOptimizationLevel:          {slot: 23, c: "OrtStatus* SetSessionGraphOptimizationLevel(OrtSessionOptions* options, GraphOptimizationLevel graph_optimization_level)"},
	fnSetIntraOpNumThreads:                      {slot: 24, c: "OrtStatus* SetIntraOpNumThreads(OrtSessionOptions* options, int intra_op_num_threads)"},
	fnSetInterOpNumThreads:                      {slot: 25, c: "OrtStatus* SetInterOpNumThreads(OrtSessionOptions* options, int inter_op_num_threads)"},
	fnSessionGetInputCount:                      {slot: 30, c: "OrtStatus* SessionGetInputCount(const OrtSession* session, size_t* out)"},
	fnSessionGetOutputCount:                     {slot: 31, c: "OrtStatus* SessionGetOutputCount(const OrtSession* session, size_t* out)"},
	fnSessionGetInputTypeInfo:                   {slot: 33, c: "OrtStatus* SessionGetInputTypeInfo(const OrtSession* session, size_t index, OrtTypeInfo** type_info)"},
	fnSessionGetOutputTypeInfo:                  {slot: 34, c: "OrtStatus* SessionGetOutputTypeInfo(const OrtSession* session, size_t index, OrtTypeInfo** type_info)"},
	fnSessionGetInputName:                       {slot: 36, c: "OrtStatus* SessionGetInputName(const OrtSession* session, size_t index, OrtAllocator* allocator, char** value)"},
	fnSessionGetOutputName:                      {slot: 37, c: "OrtStatus* SessionGetOutputName(const OrtSession* session, size_t index, OrtAllocator* allocator, char** value)"},
	fnCreateRunOptions:                          {slot: 39, c: "OrtStatus* CreateRunOptions(OrtRunOptions** out)"},
	fnRunOptionsSetRunLogSeverityLevel:          {slot: 41, c: "OrtStatus* RunOptionsSetRunLogSeverityLevel(OrtRunOptions* options, int log_severity_level)"},
	fnRunOptionsSetTerminate:                    {slot: 46, c: "OrtStatus* RunOptionsSetTerminate(OrtRunOptions* options)"},
	fnRunOptionsUnsetTerminate:                  {slot: 47, c: "OrtStatus* RunOptionsUnsetTerminate(OrtRunOptions* options)"},
	fnCreateTensorAsOrtValue:                    {slot: 48, c: "OrtStatus* CreateTensorAsOrtValue(OrtAllocator* allocator, const int64_t* shape, size_t shape_len, ONNXTensorElementDataType type, OrtValue** out)"},
	fnCreateTensorWithDataAsOrtValue:            {slot: 49, c: "OrtStatus* CreateTensorWithDataAsOrtValue(const OrtMemoryInfo* info, void* p_data, size_t p_data_len, const int64_t* shape, size_t shape_len, ONNXTensorElementDataType type, OrtValue** out)"},
	fnGetTensorMutableData:                      {slot: 51, c: "OrtStatus* GetTensorMutableData(OrtValue* value, void** out)"},
	fnGetStringTensorDataLength:                 {slot: 53, c: "OrtStatus* GetStringTensorDataLength(const OrtValue* value, size_t* len)"},
	fnGetStringTensorContent:                    {slot: 54, c: "OrtStatus* GetStringTensorContent(const OrtValue* value, void* s, size_t s_len, size_t* offsets, size_t offsets_len)"},
	fnCastTypeInfoToTensorInfo:                  {slot: 55, c: "OrtStatus* CastTypeInfoToTensorInfo(const OrtTypeInfo* type_info, const OrtTensorTypeAndShapeInfo** out)"},
	fnGetOnnxTypeFromTypeInfo:                   {slot: 56, c: "OrtStatus* GetOnnxTypeFromTypeInfo(const OrtTypeInfo* type_info, enum ONNXType* out)"},
	fnGetTensorElementType:                      {slot: 60, c: "OrtStatus* GetTensorElementType(const OrtTensorTypeAndShapeInfo* info, enum ONNXTensorElementDataType* out)"},
	fnGetDimensionsCount:                        {slot: 61, c: "OrtStatus* GetDimensionsCount(const OrtTensorTypeAndShapeInfo* info, size_t* out)"},
	fnGetDimensions:                             {slot: 62, c: "OrtStatus* GetDimensions(const OrtTensorTypeAndShapeInfo* info, int64_t* dim_values, size_t dim_values_length)"},
	fnGetSymbolicDimensions:                     {slot: 63, c: "OrtStatus* GetSymbolicDimensions(const OrtTensorTypeAndShapeInfo* info, const char** dim_params, size_t dim_params_length)"},
	fnGetTensorTypeAndShape:                     {slot: 65, c: "OrtStatus* GetTensorTypeAndShape(const OrtValue* value, OrtTensorTypeAndShapeInfo** out)"},
	fnCreateCpuMemoryInfo:                       {slot: 69, c: "OrtStatus* CreateCpuMemoryInfo(enum OrtAllocatorType type, enum OrtMemType mem_type, OrtMemoryInfo** out)"},
	fnAllocatorFree:                             {slot: 76, c: "OrtStatus* AllocatorFree(OrtAllocator* ort_allocator, void* p)"},
	fnGetAllocatorWithDefaultOptions:            {slot: 78, c: "OrtStatus* GetAllocatorWithDefaultOptions(OrtAllocator** out)"},
	fnReleaseEnv:                                {slot: 92, c: "void ReleaseEnv(OrtEnv* input)"},
	fnReleaseStatus:                             {slot: 93, c: "void ReleaseStatus(OrtStatus* input)"},
	fnReleaseMemoryInfo:                         {slot: 94, c: "void ReleaseMemoryInfo(OrtMemoryInfo* input)"},
	fnReleaseSession:                            {slot: 95, c: "void ReleaseSession(OrtSession* input)"},
	fnReleaseValue:                              {slot: 96, c: "void ReleaseValue(OrtValue* input)"},
	fnReleaseRunOptions:                         {slot: 97, c: "void ReleaseRunOptions(OrtRunOptions* input)"},
	fnReleaseTypeInfo:                           {slot: 98, c: "void ReleaseTypeInfo(OrtTypeInfo* input)"},
	fnReleaseTensorTypeAndShapeInfo:             {slot: 99, c: "void ReleaseTensorTypeAndShapeInfo(OrtTensorTypeAndShapeInfo* input)"},
	fnReleaseSessionOptions:                     {slot: 100, c: "void ReleaseSessionOptions(OrtSessionOptions* input)"},
	fnSessionEndProfiling:                       {slot: 110, c: "OrtStatus* SessionEndProfiling(OrtSession* session, OrtAllocator* allocator, char** out)"},
	fnAddFreeDimensionOverrideByName:            {slot: 124, c: "OrtStatus* AddFreeDimensionOverrideByName(OrtSessionOptions* options, const char* dim_name, int64_t dim_value)"},
	fnGetAvailableProviders:                     {slot: 125, c: "OrtStatus* GetAvailableProviders(char*** out_ptr, int* provider_length)"},
	fnReleaseAvailableProviders:                 {slot: 126, c: "OrtStatus* ReleaseAvailableProviders(char** ptr, int providers_length)"},
	fnAddSessionConfigEntry:                     {slot: 130, c: "OrtStatus* AddSessionConfigEntry(OrtSessionOptions* options, const char* config_key, const char* config_value)"},
	fnRunWithBinding:                            {slot: 133, c: "OrtStatus* RunWithBinding(OrtSession* session, const OrtRunOptions* run_options, const OrtIoBinding* binding_ptr)"},
	fnCreateIoBinding:                           {slot: 134, c: "OrtStatus* CreateIoBinding(OrtSession* session, OrtIoBinding** out)"},
	fnReleaseIoBinding:                          {slot: 135, c: "void ReleaseIoBinding(OrtIoBinding* input)"},
	fnBindInput:                                 {slot: 136, c: "OrtStatus* BindInput(OrtIoBinding* binding_ptr, const char* name, const OrtValue* val_ptr)"},
	fnBindOutput:                                {slot: 137, c: "OrtStatus* BindOutput(OrtIoBinding* binding_ptr, const char* name, const OrtValue* val_ptr)"},
	fnBindOutputToDevice:                        {slot: 138, c: "OrtStatus* BindOutputToDevice(OrtIoBinding* binding_ptr, const char* name, const OrtMemoryInfo* mem_info_ptr)"},
	fnGetBoundOutputValues:                      {slot: 140, c: "OrtStatus* GetBoundOutputValues(const OrtIoBinding* binding_ptr, OrtAllocator* allocator, OrtValue*** output, size_t* output_count)"},
	fnAddRunConfigEntry:                         {slot: 165, c: "OrtStatus* AddRunConfigEntry(OrtRunOptions* options, const char* config_key, const char* config_value)"},
	fnAppendTensorRTV2:                          {slot: 170, c: "OrtStatus* SessionOptionsAppendExecutionProvider_TensorRT_V2(OrtSessionOptions* options, const OrtTensorRTProviderOptionsV2* tensorrt_options)"},
	fnCreateTensorRTProviderOptions:             {slot: 171, c: "OrtStatus* CreateTensorRTProviderOptions(OrtTensorRTProviderOptionsV2** out)"},
	fnUpdateTensorRTProviderOptions:             {slot: 172, c: "OrtStatus* UpdateTensorRTProviderOptions(OrtTensorRTProviderOptionsV2* tensorrt_options, const char* const* provider_options_keys, const char* const* provider_options_values, size_t num_keys)"},
	fnReleaseTensorRTProviderOptions:            {slot: 174, c: "void ReleaseTensorRTProviderOptions(OrtTensorRTProviderOptionsV2* input)"},
	fnAppendCUDAV2:                              {slot: 204, c: "OrtStatus* SessionOptionsAppendExecutionProvider_CUDA_V2(OrtSessionOptions* options, const OrtCUDAProviderOptionsV2* cuda_options)"},
	fnCreateCUDAProviderOptions:                 {slot: 205, c: "OrtStatus* CreateCUDAProviderOptions(OrtCUDAProviderOptionsV2** out)"},
	fnUpdateCUDAProviderOptions:                 {slot: 206, c: "OrtStatus* UpdateCUDAProviderOptions(OrtCUDAProviderOptionsV2* cuda_options, const char* const* provider_options_keys, const char* const* provider_options_values, size_t num_keys)"},
	fnReleaseCUDAProviderOptions:                {slot: 208, c: "void ReleaseCUDAProviderOptions(OrtCUDAProviderOptionsV2* input)"},
	fnAppendProvider:                            {slot: 216, c: "OrtStatus* SessionOptionsAppendExecutionProvider(OrtSessionOptions* options, const char* provider_name, const char* const* provider_options_keys, const char* const* provider_options_values, size_t num_keys)"},
	fnRegisterCustomOpsLibraryV2:                {slot: 228, c: "OrtStatus* RegisterCustomOpsLibrary_V2(OrtSessionOptions* options, const ORTCHAR_T* library_name)"},
	fnAppendDnnl:                                {slot: 239, c: "OrtStatus* SessionOptionsAppendExecutionProvider_Dnnl(OrtSessionOptions* options, const OrtDnnlProviderOptions* dnnl_options)"},
	fnCreateDnnlProviderOptions:                 {slot: 240, c: "OrtStatus* CreateDnnlProviderOptions(OrtDnnlProviderOptions** out)"},
	fnUpdateDnnlProviderOptions:                 {slot: 241, c: "OrtStatus* UpdateDnnlProviderOptions(OrtDnnlProviderOptions* dnnl_options, const char* const* provider_options_keys, const char* const* provider_options_values, size_t num_keys)"},
	fnReleaseDnnlProviderOptions:                {slot: 243, c: "void ReleaseDnnlProviderOptions(OrtDnnlProviderOptions* input)"},
	fnGetResizedStringTensorElementBuffer:       {slot: 252, c: "OrtStatus* GetResizedStringTensorElementBuffer(OrtValue* value, size_t index, size_t length_in_bytes, char** buffer)"},
	fnSetUserLoggingFunction:                    {slot: 266, c: "OrtStatus* SetUserLoggingFunction(OrtSessionOptions* options, OrtLoggingFunction user_logging_function, void* user_logging_param)"},
	fnAddExternalInitializersFromFilesInMemory:  {slot: 279, since: 18, c: "OrtStatus* AddExternalInitializersFromFilesInMemory(OrtSessionOptions* options, const ORTCHAR_T* const* external_initializer_file_names, char* const* external_initializer_file_buffer_array, const size_t* external_initializer_file_lengths, size_t num_external_initializer_files)"},
	fnSessionOptionsSetLoadCancellationFlag:     {slot: 293, since: 22, c: "OrtStatus* SessionOptionsSetLoadCancellationFlag(OrtSessionOptions* options, bool cancel)"},
	fnRegisterExecutionProviderLibrary:          {slot: 301, since: 22, c: "OrtStatus* RegisterExecutionProviderLibrary(OrtEnv* env, const char* registration_name, const ORTCHAR_T* path)"},
	fnUnregisterExecutionProviderLibrary:        {slot: 302, since: 22, c: "OrtStatus* UnregisterExecutionProviderLibrary(OrtEnv* env, const char* registration_name)"},
	fnGetEpDevices:                              {slot: 303, since: 22, c: "OrtStatus* GetEpDevices(const OrtEnv* env, const OrtEpDevice* const** ep_devices, size_t* num_ep_devices)"},
	fnAppendDevices:                             {slot: 304, since: 22, c: "OrtStatus* SessionOptionsAppendExecutionProvider_V2(OrtSessionOptions* session_options, OrtEnv* env, const OrtEpDevice* const* ep_devices, size_t num_ep_devices, const char* const* ep_option_keys, const char* const* ep_option_vals, size_t num_ep_options)"},
	fnHardwareDeviceType:                        {slot: 307, since: 22, c: "OrtHardwareDeviceType HardwareDevice_Type(const OrtHardwareDevice* device)"},
	fnHardwareDeviceVendor:                      {slot: 309, since: 22, c: "const char* HardwareDevice_Vendor(const OrtHardwareDevice* device)"},
	fnEpDeviceEpName:                            {slot: 312, since: 22, c: "const char* EpDevice_EpName(const OrtEpDevice* ep_device)"},
	fnEpDeviceEpVendor:                          {slot: 313, since: 22, c: "const char* EpDevice_EpVendor(const OrtEpDevice* ep_device)"},
	fnEpDeviceDevice:                            {slot: 316, since: 22, c: "const OrtHardwareDevice* EpDevice_Device(const OrtEpDevice* ep_device)"},
	fnTensorTypeAndShapeHasShape:                {slot: 390, since: 24, c: "bool TensorTypeAndShape_HasShape(const OrtTensorTypeAndShapeInfo* info)"},
	fnGetTensorElementTypeAndShapeDataReference: {slot: 414, since: 24, c: "OrtStatus* GetTensorElementTypeAndShapeDataReference(const OrtValue* value, ONNXTensorElementDataType* elem_type, const int64_t** shape_data, size_t* shape_data_count)"},
}
