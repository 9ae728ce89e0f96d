// SPDX-License-Identifier: Apache-2.0

package cengine

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// This file has the declarations of anyinfer_engine.h. On 32-bit machines C may
// align 64-bit integers to 8 bytes, whereas Go aligns them to 4, so the structs have
// them only at offsets that are the same with both.

// abiVersion is ANYINFER_ABI.
const abiVersion = 2

// maxRank is ANYINFER_MAX_RANK.
const maxRank = 16

// kinds maps anyinfer_status to kinds of errors.
var kinds = map[int32]error{
	1: common.ErrNotAvailable, 2: common.ErrVersion, 3: common.ErrModel, 4: common.ErrDevice, 5: common.ErrOption,
	6: common.ErrShape, 7: common.ErrDType, 8: common.ErrName, 9: common.ErrRun,
}

// These statuses also mean that an index is past the last.
const (
	statusDevice = 4
	statusName   = 8
)

// dtypes maps anyinfer_dtype to element types.
var dtypes = [...]common.DType{
	1: common.Bool, common.Int8, common.Int16, common.Int32, common.Int64,
	common.Uint8, common.Uint16, common.Uint32, common.Uint64,
	common.Float16, common.BFloat16, common.Float32, common.Float64,
}

// errorBuffer is anyinfer_error.
type errorBuffer struct {
	code int32
	text [1020]byte
}

// host is anyinfer_host.
type host struct{ log, user uintptr }

// device is anyinfer_device.
type device struct{ name, description uintptr }

// source is anyinfer_source.
type source struct {
	format   *byte
	paths    **byte
	data     **byte
	sizes    *uint64
	keys     **byte
	values   **byte
	canceled *int32
	parts    int32
	options  int32
}

// shape is anyinfer_shape.
type shape struct {
	rank int32
	_    int32
	dims [maxRank]int64
}

// tensor is anyinfer_tensor.
type tensor struct {
	shape     shape
	dtype     int32
	scales    int32
	axis      int32
	_         int32
	name      uintptr
	scale     uintptr
	zeroPoint uintptr
	_         uintptr
}

// layer is anyinfer_layer.
type layer struct {
	micros            int64
	name, typ, kernel uintptr
	_                 uintptr
}

// The functions of anyinfer_api, in its order.
const (
	fnOpen = iota
	fnClose
	fnVersion
	fnDevice
	fnLoad
	fnModelClose
	fnProperty
	fnSignature
	fnInput
	fnOutput
	fnSession
	fnSessionClose
	fnReshape
	fnBind
	fnRun
	fnResult
	fnCancel
	fnReset
	fnLayer
	functions

	required = fnCancel // the functions before this one must not be NULL
)

// api is anyinfer_api.
type api struct {
	abi, size     uint32
	name, formats uintptr
	functions     [functions]uintptr
}

// entry declares the one function that a shim's library exports.
var entry = []dylib.Decl{{C: "const anyinfer_api* anyinfer_engine(void)"}}
