// SPDX-License-Identifier: Apache-2.0

package tflite

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// questions are calls that a Run may make, which prepared allocate nothing.
// Below, t is the address of a TfLiteTensor, valid until the interpreter
// allocates or runs.
type questions struct {
	inputAt, outputAt                      dylib.Prepared
	rankOf, dimOf, sizeOf, dataOf, allocOf dylib.Prepared
}

func (ip *interpreter) prepare() {
	handle, later := dylib.Int(ip.handle), dylib.Int(0)
	ip.questions = questions{
		ip.Prepare(interpreterInput, handle, later), ip.Prepare(interpreterOutput, handle, later),
		ip.Prepare(tensorRank, later), ip.Prepare(tensorDim, later, later),
		ip.Prepare(tensorByteSize, later), ip.Prepare(tensorData, later), ip.Prepare(tensorAllocation, later),
	}
}

func ask(p *dylib.Prepared, t uintptr) uintptr {
	p.Set(0, t)
	return p.Do()
}

func (q *questions) size(t uintptr) uintptr { return ask(&q.sizeOf, t) }
func (q *questions) data(t uintptr) uintptr { return ask(&q.dataOf, t) }

// dynamic reports whether running tells t's shape.
func (q *questions) dynamic(t uintptr) bool { return q.allocation(t) == allocationDynamic }

// persistent reports whether t keeps its content, as a variable.
func (q *questions) persistent(t uintptr) bool { return q.allocation(t) == allocationPersistent }

const allocationPersistent, allocationDynamic = 3, 4 // kTfLiteArenaRwPersistent, kTfLiteDynamic

// allocation is t's TfLiteAllocationType.
func (q *questions) allocation(t uintptr) int32 {
	if q.allocOf.Has() {
		return int32(ask(&q.allocOf, t))
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

// maxRank bounds what is believed to be a rank.
const maxRank = 32

// shape is t's present shape, in buffer where that has room; nil where t has none.
func (q *questions) shape(t uintptr, buffer common.Shape) common.Shape {
	rank := int32(ask(&q.rankOf, t))
	if rank < 0 || rank > maxRank {
		return nil
	}
	if buffer == nil {
		buffer = make(common.Shape, 0, rank)
	}
	buffer = buffer[:0]
	for i := range rank {
		q.dimOf.Set(1, uintptr(i))
		buffer = append(buffer, int(int32(ask(&q.dimOf, t))))
	}
	return buffer
}

// input is the tensor of an input.
func (ip *interpreter) input(i int) uintptr {
	if ip.runner != 0 {
		return ip.Call(runnerInput, dylib.Int(ip.runner), dylib.String(ip.sig.Inputs[i].Name))
	}
	ip.inputAt.Set(1, uintptr(ip.sig.In[i]))
	return ip.inputAt.Do()
}

// output is that of an output.
func (ip *interpreter) output(i int) uintptr {
	if ip.runner != 0 {
		return ip.Call(runnerOutput, dylib.Int(ip.runner), dylib.String(ip.sig.Outputs[i].Name))
	}
	ip.outputAt.Set(1, uintptr(ip.sig.Out[i]))
	return ip.outputAt.Do()
}
