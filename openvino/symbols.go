// SPDX-License-Identifier: Apache-2.0

package openvino

import "github.com/anyinfer/anyinfer/internal/dylib"

// The functions that this package uses: their indexes in symbols.
const (
	fnGetErrorInfo = iota
	fnGetLastErrMsg
	fnFree
	fnVersion
	fnVersionFree
	fnCoreCreate
	fnCoreFree
	fnCoreDevices
	fnDevicesFree
	fnCoreProperty
	fnSetCoreProperty
	fnReadModel
	fnReadModelFromMemory
	fnCompile
	fnCompileProps
	fnModelFree
	fnModelInputs
	fnModelInput
	fnModelOutputs
	fnModelOutput
	fnModelReshape
	fnModelIsDynamic
	fnCompiledFree
	fnCompiledProperty
	fnCompiledInputs
	fnCompiledInput
	fnCompiledOutputs
	fnCompiledOutput
	fnCreateRequest
	fnPortName
	fnPortType
	fnPortShape
	fnPortFree
	fnPartialShapeFree
	fnTensorCreate
	fnTensorFromHost
	fnTensorShape
	fnTensorData
	fnTensorFree
	fnShapeFree
	fnSetInput
	fnSetOutput
	fnInfer
	fnCancel
	fnProfile
	fnProfileFree
	fnRequestFree
	fnSetLogCallback
)

// symbols has the prototypes of openvino/c/*.h.
var symbols = []dylib.Decl{
	fnGetErrorInfo:        {C: "const char* ov_get_error_info(ov_status_e status)"},
	fnGetLastErrMsg:       {C: "const char* ov_get_last_err_msg()"},
	fnFree:                {C: "void ov_free(const char* content)"},
	fnVersion:             {C: "ov_status_e ov_get_openvino_version(ov_version_t* version)"},
	fnVersionFree:         {C: "void ov_version_free(ov_version_t* version)"},
	fnCoreCreate:          {C: "ov_status_e ov_core_create(ov_core_t** core)"},
	fnCoreFree:            {C: "void ov_core_free(ov_core_t* core)"},
	fnCoreDevices:         {C: "ov_status_e ov_core_get_available_devices(const ov_core_t* core, ov_available_devices_t* devices)"},
	fnDevicesFree:         {C: "void ov_available_devices_free(ov_available_devices_t* devices)"},
	fnCoreProperty:        {C: "ov_status_e ov_core_get_property(const ov_core_t* core, const char* device_name, const char* property_key, char** property_value)"},
	fnSetCoreProperty:     {C: "ov_status_e ov_core_set_property(const ov_core_t* core, const char* device_name, ...)"},
	fnReadModel:           {C: "ov_status_e ov_core_read_model(const ov_core_t* core, const char* model_path, const char* bin_path, ov_model_t** model)"},
	fnReadModelFromMemory: {C: "ov_status_e ov_core_read_model_from_memory_buffer(const ov_core_t* core, const char* model_str, const size_t str_len, const ov_tensor_t* weights, ov_model_t** model)"},
	fnCompile:             {C: "ov_status_e ov_core_compile_model(const ov_core_t* core, const ov_model_t* model, const char* device_name, const size_t property_args_size, ov_compiled_model_t** compiled_model, ...)"},
	fnCompileProps:        {C: "ov_status_e ov_core_compile_model_props(const ov_core_t* core, const ov_model_t* model, const char* device_name, const size_t num_properties, const ov_property_t* properties, ov_compiled_model_t** compiled_model)", Since: "2026.4"},
	fnModelFree:           {C: "void ov_model_free(ov_model_t* model)"},
	fnModelInputs:         {C: "ov_status_e ov_model_inputs_size(const ov_model_t* model, size_t* input_size)"},
	fnModelInput:          {C: "ov_status_e ov_model_const_input_by_index(const ov_model_t* model, const size_t index, ov_output_const_port_t** input_port)"},
	fnModelOutputs:        {C: "ov_status_e ov_model_outputs_size(const ov_model_t* model, size_t* output_size)"},
	fnModelOutput:         {C: "ov_status_e ov_model_const_output_by_index(const ov_model_t* model, const size_t index, ov_output_const_port_t** output_port)"},
	fnModelReshape:        {C: "ov_status_e ov_model_reshape_by_port_indexes(const ov_model_t* model, const size_t* port_indexes, const ov_partial_shape_t* partial_shape, size_t size)"},
	fnModelIsDynamic:      {C: "bool ov_model_is_dynamic(const ov_model_t* model)"},
	fnCompiledFree:        {C: "void ov_compiled_model_free(ov_compiled_model_t* compiled_model)"},
	fnCompiledProperty:    {C: "ov_status_e ov_compiled_model_get_property(const ov_compiled_model_t* compiled_model, const char* property_key, char** property_value)"},
	fnCompiledInputs:      {C: "ov_status_e ov_compiled_model_inputs_size(const ov_compiled_model_t* compiled_model, size_t* size)"},
	fnCompiledInput:       {C: "ov_status_e ov_compiled_model_input_by_index(const ov_compiled_model_t* compiled_model, const size_t index, ov_output_const_port_t** input_port)"},
	fnCompiledOutputs:     {C: "ov_status_e ov_compiled_model_outputs_size(const ov_compiled_model_t* compiled_model, size_t* size)"},
	fnCompiledOutput:      {C: "ov_status_e ov_compiled_model_output_by_index(const ov_compiled_model_t* compiled_model, const size_t index, ov_output_const_port_t** output_port)"},
	fnCreateRequest:       {C: "ov_status_e ov_compiled_model_create_infer_request(const ov_compiled_model_t* compiled_model, ov_infer_request_t** infer_request)"},
	fnPortName:            {C: "ov_status_e ov_port_get_any_name(const ov_output_const_port_t* port, char** tensor_name)"},
	fnPortType:            {C: "ov_status_e ov_port_get_element_type(const ov_output_const_port_t* port, ov_element_type_e* tensor_type)"},
	fnPortShape:           {C: "ov_status_e ov_port_get_partial_shape(const ov_output_const_port_t* port, ov_partial_shape_t* partial_shape)"},
	fnPortFree:            {C: "void ov_output_const_port_free(ov_output_const_port_t* port)"},
	fnPartialShapeFree:    {C: "void ov_partial_shape_free(ov_partial_shape_t* partial_shape)"},
	fnTensorCreate:        {C: "ov_status_e ov_tensor_create(const ov_element_type_e type, const ov_shape_t shape, ov_tensor_t** tensor)"},
	fnTensorFromHost:      {C: "ov_status_e ov_tensor_create_from_host_ptr(const ov_element_type_e type, const ov_shape_t shape, void* host_ptr, ov_tensor_t** tensor)"},
	fnTensorShape:         {C: "ov_status_e ov_tensor_get_shape(const ov_tensor_t* tensor, ov_shape_t* shape)"},
	fnTensorData:          {C: "ov_status_e ov_tensor_data(const ov_tensor_t* tensor, void** data)"},
	fnTensorFree:          {C: "void ov_tensor_free(ov_tensor_t* tensor)"},
	fnShapeFree:           {C: "ov_status_e ov_shape_free(ov_shape_t* shape)"},
	fnSetInput:            {C: "ov_status_e ov_infer_request_set_input_tensor_by_index(ov_infer_request_t* infer_request, const size_t idx, const ov_tensor_t* tensor)"},
	fnSetOutput:           {C: "ov_status_e ov_infer_request_set_output_tensor_by_index(ov_infer_request_t* infer_request, const size_t idx, const ov_tensor_t* tensor)"},
	fnInfer:               {C: "ov_status_e ov_infer_request_infer(ov_infer_request_t* infer_request)"},
	fnCancel:              {C: "ov_status_e ov_infer_request_cancel(ov_infer_request_t* infer_request)"},
	fnProfile:             {C: "ov_status_e ov_infer_request_get_profiling_info(const ov_infer_request_t* infer_request, ov_profiling_info_list_t* profiling_infos)"},
	fnProfileFree:         {C: "void ov_profiling_info_list_free(ov_profiling_info_list_t* profiling_infos)"},
	fnRequestFree:         {C: "void ov_infer_request_free(ov_infer_request_t* infer_request)"},
	fnSetLogCallback:      {C: "void ov_util_set_log_callback(ov_util_log_callback_func func)", Since: "2025.4"},
}
