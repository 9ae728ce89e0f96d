// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// fetcher reads the outputs that ONNX Runtime makes. Its calls are prepared, so that
// a Run allocates only where a shape has changed.
type fetcher struct {
	outputs, freeOutputs      dylib.Prepared
	shape                     dylib.Prepared // since 1.24; before, the next five
	info, element, rank, dims dylib.Prepared
	freeInfo                  dylib.Prepared
	data, freeValue           dylib.Prepared
	values                    []uintptr
	last                      common.Shape // memory for the shape that is read; never nil, which is a dynamic rank
	*results
}

// results has what functions return. It is pinned, because the calls have its
// address.
type results struct {
	list, count uintptr
	typeInfo    uintptr
	code        uint32 // of the element type
	length      uintptr
	first       uintptr // the address of length int64
	sizes       [maxRank]int64
	memory      uintptr
}

func (s *session) prepareFetch() {
	d, r := s.model.driver, new(results)
	s.pin.Pin(r)
	s.fetcher = fetcher{
		outputs:     d.api.Prepare(fnGetBoundOutputValues, dylib.Int(s.binding), dylib.Int(d.allocator), dylib.Ptr(&r.list), dylib.Ptr(&r.count)),
		freeOutputs: d.api.Prepare(fnAllocatorFree, dylib.Int(d.allocator), dylib.Int(0)),
		shape:       d.api.Prepare(fnGetTensorElementTypeAndShapeDataReference, dylib.Int(0), dylib.Ptr(&r.code), dylib.Ptr(&r.first), dylib.Ptr(&r.length)),
		info:        d.api.Prepare(fnGetTensorTypeAndShape, dylib.Int(0), dylib.Ptr(&r.typeInfo)),
		element:     d.api.Prepare(fnGetTensorElementType, dylib.Int(0), dylib.Ptr(&r.code)),
		rank:        d.api.Prepare(fnGetDimensionsCount, dylib.Int(0), dylib.Ptr(&r.length)),
		dims:        d.api.Prepare(fnGetDimensions, dylib.Int(0), dylib.Slice(r.sizes[:]), dylib.Int(maxRank)),
		freeInfo:    d.api.Prepare(fnReleaseTensorTypeAndShapeInfo, dylib.Int(0)),
		data:        d.api.Prepare(fnGetTensorMutableData, dylib.Int(0), dylib.Ptr(&r.memory)),
		freeValue:   d.api.Prepare(fnReleaseValue, dylib.Int(0)),
		values:      make([]uintptr, len(s.outs)), last: common.Shape{}, results: r,
	}
}

// read makes a call with object as its first argument.
func (s *session) read(call *dylib.Prepared, object uintptr) error {
	call.Set(0, object)
	return s.model.driver.check(common.ErrRun, call.Do())
}

// fetch copies the outputs that ONNX Runtime has made.
func (s *session) fetch() (err error) {
	d, f := s.model.driver, &s.fetcher
	if err := d.check(common.ErrRun, f.outputs.Do()); err != nil {
		return err
	}
	values := f.values[:min(f.count, uintptr(len(f.values)))]
	dylib.CopyOut(values, f.list)
	for i, value := range values {
		if err == nil && s.outs[i].name != nil {
			err = s.fetchOne(i, value)
		}
		f.freeValue.Set(0, value)
		f.freeValue.Do()
	}
	f.freeOutputs.Set(1, f.list)
	d.check(nil, f.freeOutputs.Do())
	return err
}

func (s *session) fetchOne(i int, value uintptr) error {
	f, info := &s.fetcher, &s.model.outputs[i]
	if err := s.fetchShape(value); err != nil {
		return err
	}
	if dt, name := dtype(int(f.code)); dt != info.DType || f.last.Elems() < 0 {
		return fail(common.ErrRun, "output %q is a tensor of %s with the shape %v", info.Name, name, f.last)
	}
	t, err := common.EnsureTensor(s.out[i], info.DType, f.last)
	if err != nil {
		return err
	}
	s.out[i] = t
	if info.DType == common.String {
		return s.readStrings(t, value)
	}
	if err := s.read(&f.data, value); err != nil {
		return err
	}
	dylib.CopyOut(t.Bytes(), f.memory)
	return nil
}

// fetchShape reads the element type and shape of a tensor.
func (s *session) fetchShape(value uintptr) (err error) {
	f := &s.fetcher
	if f.shape.Has() {
		if err = s.read(&f.shape, value); err == nil {
			dylib.CopyOut(f.sizes[:min(f.length, maxRank)], f.first)
		}
	} else if err = s.read(&f.info, value); err == nil {
		for _, call := range []*dylib.Prepared{&f.element, &f.rank, &f.dims} {
			if err == nil {
				err = s.read(call, f.typeInfo)
			}
		}
		f.freeInfo.Set(0, f.typeInfo)
		f.freeInfo.Do()
	}
	if err == nil && f.length > maxRank {
		err = fail(common.ErrRun, "a tensor has rank %d", f.length)
	}
	if err == nil {
		f.last, err = appendDims(f.last[:0], f.sizes[:f.length])
	}
	return err
}
