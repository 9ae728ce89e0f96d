// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"math"
	"runtime"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// Below, t is the address of a TfLiteTensor, valid while its interpreter is.

// maxRank bounds what is believed to be a rank.
const maxRank = 32

// allocationDynamic is kTfLiteDynamic: running tells such a tensor's shape.
const allocationDynamic = 4

func (d *driver) dynamic(t uintptr) bool {
	return int32(d.Call(tensorAllocation, dylib.Int(t))) == allocationDynamic
}

// shape is t's present shape.
func (d *driver) shape(t uintptr) common.Shape {
	rank := int32(d.Call(tensorRank, dylib.Int(t)))
	if rank < 0 || rank > maxRank {
		return nil
	}
	s := make(common.Shape, rank)
	for i := range s {
		s[i] = int(int32(d.Call(tensorDim, dylib.Int(t), dylib.Int(i))))
	}
	return s
}

// declared is the shape that the model gives t, with -1 where it says so; nil
// where only running tells.
func (d *driver) declared(t uintptr) common.Shape {
	s := d.shape(t)
	rank, dim := new(int32), new(int32)
	d.Call(tensorSignatureRank, dylib.Int(t), dylib.Ptr(rank))
	if int(*rank) != len(s) || *rank == 0 { // it has no shape_signature
		if d.dynamic(t) {
			return nil
		}
		return s
	}
	for i := range s {
		if r := d.Call(tensorSignatureDim, dylib.Int(t), dylib.Int(i), dylib.Ptr(dim)); int32(r) == 0 {
			s[i] = int(*dim)
		}
	}
	return s
}

// quantization is t's, or nil. The C function returns 8 bytes, a float and an
// integer: in a register on 64-bit machines, through a pointer on the others.
func (d *driver) quantization(t uintptr) *common.Quantization {
	p := new([2]uint32)
	if runtime.GOARCH == "arm" || runtime.GOARCH == "386" {
		d.Call(tensorQuantization, dylib.Ptr(p), dylib.Int(t))
	} else {
		r := uint64(d.Call(tensorQuantization, dylib.Int(t)))
		*p = [2]uint32{uint32(r), uint32(r >> 32)}
	}
	scale := math.Float32frombits(p[0])
	if scale == 0 {
		return nil
	}
	return &common.Quantization{Scale: []float32{scale}, ZeroPoint: []int64{int64(int32(p[1]))}}
}

func (ip *interpreter) input(i int) uintptr {
	return ip.Call(interpreterInput, dylib.Int(ip.handle), dylib.Int(i))
}

func (ip *interpreter) output(i int) uintptr {
	return ip.Call(interpreterOutput, dylib.Int(ip.handle), dylib.Int(i))
}
