// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// preparedCalls are prepared so that Run allocates nothing. In the methods, t is the address of a TfLiteTensor, valid
// until the interpreter allocates or runs.
type preparedCalls struct {
	rank, dim, byteSize, dataAddress, allocation dylib.Prepared
}

func prepareCalls(lib *dylib.Library) preparedCalls {
	later := dylib.Int(0)
	return preparedCalls{
		rank: lib.Prepare(tensorRank, later), dim: lib.Prepare(tensorDim, later, later),
		byteSize: lib.Prepare(tensorByteSize, later), dataAddress: lib.Prepare(tensorData, later),
		allocation: lib.Prepare(tensorAllocation, later),
	}
}

// call1 makes the call with t as its first argument.
func call1(p *dylib.Prepared, t uintptr) uintptr {
	p.Set(0, t)
	return p.Do()
}

func (c *preparedCalls) size(t uintptr) uintptr { return call1(&c.byteSize, t) }
func (c *preparedCalls) data(t uintptr) uintptr { return call1(&c.dataAddress, t) }

// dynamic reports whether t gets its shape and memory only in a Run.
func (c *preparedCalls) dynamic(t uintptr) bool { return c.allocationType(t) == allocationDynamic }

// persistent reports whether t keeps its content from Run to Run, as a variable does.
func (c *preparedCalls) persistent(t uintptr) bool {
	return c.allocationType(t) == allocationPersistent
}

const allocationPersistent, allocationDynamic = 3, 4 // kTfLiteArenaRwPersistent, kTfLiteDynamic

// allocationType returns t's TfLiteAllocationType.
func (c *preparedCalls) allocationType(t uintptr) int32 {
	if c.allocation.Has() {
		return int32(call1(&c.allocation, t))
	}
	head := new([1]tensorHead)
	dylib.CopyOut(head[:], t)
	return head[0].allocation
}

// tensorHead has the first members of a TfLiteTensor, which are the same in every release so far. Builds for 32-bit ARM
// lack the function that returns the allocation type.
type tensorHead struct {
	_          int32    // type
	_          uintptr  // data
	_          uintptr  // dims
	_          [2]int32 // params
	allocation int32
}

// maxRank is a sanity limit for the ranks that TFLite reports.
const maxRank = 32

// shape returns t's current shape, in buffer if that is large enough; nil if TFLite reports no valid rank.
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

// prepareTensors prepares the calls that return the TfLiteTensor of each input and output.
func (ip *interpreter) prepareTensors() {
	// A runner finds its tensors by name. The prepared calls hold the names' addresses, so the names stay pinned.
	prepare := func(fromInterpreter, fromRunner int, infos []common.TensorInfo, indices []int) []dylib.Prepared {
		calls := make([]dylib.Prepared, len(infos))
		for i, info := range infos {
			if ip.runner == 0 {
				calls[i] = ip.lib.Prepare(fromInterpreter, dylib.Int(ip.handle), dylib.Int(indices[i]))
				continue
			}
			name := append([]byte(info.Name), 0)
			ip.names.Pin(&name[0])
			calls[i] = ip.lib.Prepare(fromRunner, dylib.Int(ip.runner), dylib.Slice(name))
		}
		return calls
	}
	ip.inputs = prepare(interpreterInput, runnerInput, ip.sig.Inputs, ip.sig.In)
	ip.outputs = prepare(interpreterOutput, runnerOutput, ip.sig.Outputs, ip.sig.Out)
}

// input returns the TfLiteTensor of input i.
func (ip *interpreter) input(i int) uintptr { return ip.inputs[i].Do() }

// output returns the TfLiteTensor of output i.
func (ip *interpreter) output(i int) uintptr { return ip.outputs[i].Do() }
