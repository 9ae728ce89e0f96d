// SPDX-License-Identifier: Apache-2.0

package openvino

// These are the structs of openvino/c/*.h on 64-bit machines; TestHeaders compares
// them with the headers. P is a pointer to pinned Go memory, or uintptr for memory
// of the SDK.

type cVersion struct{ build, _ uintptr } // ov_version_t, with a description

type cDevices struct{ names, size uintptr } // ov_available_devices_t

type cDimension struct{ min, max int64 } // ov_dimension_t: max -1 for none

type cShape[P interface{ *int64 | uintptr }] struct { // ov_shape_t
	rank int64
	dims P
}

type cPartialShape[P interface{ *cDimension | uintptr }] struct { // ov_partial_shape_t
	rank cDimension
	dims P
}

type cProperty struct{ key, value *byte } // ov_property_t

type cProfile struct { // ov_profiling_info_t
	_                int32 // status
	real             int64 // microseconds
	_                int64 // of the CPU
	name, exec, node uintptr
}

type cProfiles struct{ infos, size uintptr } // ov_profiling_info_list_t
