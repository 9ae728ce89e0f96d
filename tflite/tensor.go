// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// preparedCalls are calls that a Run may make; prepared, they allocate nothing.
// Below, t is the address of a TfLiteTensor, valid until the interpreter
// allocates or runs.
type preparedCalls struct {
	input, output                                dylib.Prepared
	rank, dim, byteSize, dataAddress, allocation dylib.Prepared
}

func prepareCalls(lib *dylib.Library, handle uintptr) preparedCalls {
	interpreter, later := dylib.Int(handle), dylib.Int(0)
	return preparedCalls{
		input: lib.Prepare(interpreterInput, interpreter, later), output: lib.Prepare(interpreterOutput, interpreter, later),
		rank: lib.Prepare(tensorRank, later), dim: lib.Prepare(tensorDim, later, later),
		byteSize: lib.Prepare(tensorByteSize, later), dataAddress: lib.Prepare(tensorData, later), allocation: lib.Prepare(tensorAllocation, later),
	}
}

// call1 makes the call with another first argument.
func call1(p *dylib.Prepared, t uintptr) uintptr {
	p.Set(0, t)
	return p.Do()
}

func (c *preparedCalls) size(t uintptr) uintptr { return call1(&c.byteSize, t) }
func (c *preparedCalls) data(t uintptr) uintptr { return call1(&c.dataAddress, t) }

// dynamic reports whether t gets its shape only in a Run.
func (c *preparedCalls) dynamic(t uintptr) bool { return c.allocationType(t) == allocationDynamic }

// persistent reports whether t keeps its content, as a variable does.
func (c *preparedCalls) persistent(t uintptr) bool {
	return c.allocationType(t) == allocationPersistent
}

const allocationPersistent, allocationDynamic = 3, 4 // kTfLiteArenaRwPersistent, kTfLiteDynamic

// allocationType is t's TfLiteAllocationType.
func (c *preparedCalls) allocationType(t uintptr) int32 {
	if c.allocation.Has() {
		return int32(call1(&c.allocation, t))
	}
	head := new([1]tensorHead)
	dylib.CopyOut(head[:], t)
	return head[0].allocation
}

// tensorHead is how a TfLiteTensor begins, in every release so far; builds for
// 32-bit ARM have no function for the last of these.
type tensorHead struct {
	_          int32    // type
	_          uintptr  // data
	_          uintptr  // dims
	_          [2]int32 // params
	allocation int32
}

// maxRank is the sanity limit of a rank.
const maxRank = 32

// shape is t's present shape, in buffer where that has room; nil where t has none.
func (c *preparedCalls) shape(t uintptr, buffer common.Shape) common.Shape {
	rank := int32(call1(&c.rank, t))
	if rank < 0 || rank > maxRank {
		return nil
	}
	if buffer == nil {
		buffer = make(common.Shape, 0, rank)
	}
	buffer = buffer[:0]
	for i := range rank {
		c.dim.Set(1, uintptr(i))
		buffer = append(buffer, int(int32(call1(&c.dim, t))))
	}
	return buffer
}

// input is the tensor of an input.
func (ip *interpreter) input(i int) uintptr {
	if ip.runner != 0 {
		return ip.lib.Call(runnerInput, dylib.Int(ip.runner), dylib.String(ip.sig.Inputs[i].Name))
	}
	ip.calls.input.Set(1, uintptr(ip.sig.In[i]))
	return ip.calls.input.Do()
}

// output is that of an output.
func (ip *interpreter) output(i int) uintptr {
	if ip.runner != 0 {
		return ip.lib.Call(runnerOutput, dylib.Int(ip.runner), dylib.String(ip.sig.Outputs[i].Name))
	}
	ip.calls.output.Set(1, uintptr(ip.sig.Out[i]))
	return ip.calls.output.Do()
}
