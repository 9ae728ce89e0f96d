// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"context"
	"runtime"
	"time"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// session is an infer request (ov_infer_request_t). The fields that Run reads come
// first, in one cache line, because OpenVINO's code evicts them from the
// processor's cache.
type session struct {
	infer   dylib.Prepared
	dynamic []*dynamic // outputs whose shape is not known before Run, which copies them

	model    *model
	compiled int // the index of its compiled model in model.compiled
	request  uintptr
	ins      []slot
	outs     []slot // outputs whose shape is known: Run writes them to Go memory
	out      []*common.Tensor
}

// slot is an input or output with the Go memory that the request uses.
type slot struct {
	tensor *common.Tensor
	pin    runtime.Pinner
}

// dynamic is an output whose shape is known only after Run. The request writes it
// to a tensor of the SDK, which can grow: Go memory cannot, and Run would fail if
// the result were larger.
type dynamic struct {
	index                        int
	info                         common.TensorInfo
	tensor                       uintptr
	getShape, getData, freeShape dylib.Prepared
	results                      *outParams // pinned: the calls are prepared with its address
	pin                          runtime.Pinner
	dims                         [maxRank]int64
	shape                        common.Shape // of dims; reused by each Run
}

// outParams has the results of the prepared calls of a dynamic.
type outParams struct {
	shape cShape[uintptr]
	data  uintptr
}

func (m *model) NewSession(context.Context, int) (common.DriverSession, error) {
	compiled := m.assign()
	s, err := m.newSession(compiled)
	switch {
	case err != nil:
		m.unassign(compiled)
		return nil, err
	case m.dynamic:
		return uninterruptible{s}, nil
	}
	return s, nil
}

func (m *model) newSession(compiled int) (_ *session, err error) {
	d := m.driver
	s := &session{model: m, compiled: compiled, ins: make([]slot, len(m.inputs)), outs: make([]slot, len(m.outputs))}
	if err := d.call("session", common.ErrModel, fnCreateRequest, dylib.Int(m.compiled[compiled]), dylib.Ptr(&s.request)); err != nil {
		return nil, err
	}
	s.infer = d.lib.Prepare(fnInfer, dylib.Int(s.request))
	for i, p := range m.outputs {
		if !p.info.Shape.Dynamic() {
			continue
		}
		output, err := d.newDynamic(i, p)
		if err == nil {
			s.dynamic = append(s.dynamic, output)
			err = d.call("session", common.ErrModel, fnSetOutput, dylib.Int(s.request), dylib.Int(i), dylib.Int(output.tensor))
		}
		if err != nil {
			s.free()
			return nil, err
		}
	}
	return s, nil
}

// Bind sets the outputs before the inputs, because releases before 2025.4 mistake
// an output that passes an input through for that input. Run makes the tensors of
// outputs whose shape is not known yet.
func (s *session) Bind(in, out []*common.Tensor) (err error) {
	s.out = out
	for i, p := range s.model.outputs {
		if p.info.Shape.Dynamic() {
			continue
		}
		if out[i], err = common.EnsureTensor(out[i], p.info.DType, p.info.Shape); err != nil {
			return err
		}
		if out[i] == s.outs[i].tensor {
			continue
		}
		for j := range s.ins {
			s.ins[j].tensor = nil // so that it is set again, after the output
		}
		if err := s.bind(&s.outs[i], fnSetOutput, i, out[i], common.ErrRun); err != nil {
			return err
		}
	}
	for i, t := range in {
		if t == s.ins[i].tensor {
			continue
		}
		if err := s.bind(&s.ins[i], fnSetInput, i, t, common.ErrShape); err != nil {
			return err
		}
	}
	return nil
}

var noElements = make([]byte, 1)

// bind sets t as input or output i. The request uses t's memory until another
// tensor is set, so the memory stays pinned until then.
func (s *session) bind(b *slot, set, i int, t *common.Tensor, kind error) error {
	d := s.model.driver
	memory := t.Bytes()
	if len(memory) == 0 {
		memory = noElements // the SDK refuses NULL
	}
	var pin runtime.Pinner
	pin.Pin(unsafe.SliceData(memory))
	tensor, err := d.newTensor("bind", fnTensorFromHost, t.DType(), t.Shape(), dylib.Slice(memory))
	if err == nil {
		err = d.call("bind", kind, set, dylib.Int(s.request), dylib.Int(i), dylib.Int(tensor))
		d.lib.Call(fnTensorFree, dylib.Int(tensor)) // the request has its own reference
	}
	if err != nil {
		pin.Unpin()
		return err
	}
	b.pin.Unpin()
	*b = slot{t, pin}
	return nil
}

func (s *session) Run(context.Context) error {
	if status := s.infer.Do(); int32(status) != statusOK {
		return s.model.driver.check("run", common.ErrRun, status)
	}
	for _, output := range s.dynamic {
		if err := s.model.driver.fetch(output, &s.out[output.index]); err != nil {
			return err
		}
	}
	return nil
}

// Reset makes a new request, because the C API cannot reset a request's variables.
func (s *session) Reset() error {
	fresh, err := s.model.newSession(s.compiled)
	if err != nil {
		return err
	}
	var in []*common.Tensor
	for _, b := range s.ins {
		in = append(in, b.tensor)
	}
	if err := fresh.Bind(in, s.out); err != nil {
		fresh.free()
		return err
	}
	old := *s
	*s = *fresh
	old.free()
	return nil
}

// Cancel stops Run between two operators of the model.
func (s *session) Cancel() { s.model.driver.lib.Call(fnCancel, dylib.Int(s.request)) }

// uninterruptible is a session without Cancel, for a model with dynamic shapes.
// After a cancelled Run the CPU plugin keeps the old shapes of operators that did
// not run, and a later Run, even of another request, gets results of wrong shapes.
type uninterruptible struct{ session *session }

func (u uninterruptible) Bind(in, out []*common.Tensor) error  { return u.session.Bind(in, out) }
func (u uninterruptible) Run(ctx context.Context) error        { return u.session.Run(ctx) }
func (u uninterruptible) Reset() error                         { return u.session.Reset() }
func (u uninterruptible) Profile() ([]common.LayerTime, error) { return u.session.Profile() }
func (u uninterruptible) Close() error                         { return u.session.Close() }

func (s *session) Close() error {
	s.free()
	s.model.unassign(s.compiled)
	return nil
}

// free frees the request before the memory that it uses.
func (s *session) free() {
	lib := s.model.driver.lib
	lib.Call(fnRequestFree, dylib.Int(s.request))
	for _, slots := range [][]slot{s.ins, s.outs} {
		for i := range slots {
			slots[i].pin.Unpin()
		}
	}
	for _, output := range s.dynamic {
		lib.Call(fnTensorFree, dylib.Int(output.tensor))
		output.pin.Unpin()
	}
}

// newDynamic makes the SDK's tensor for output i.
func (d *driver) newDynamic(i int, p port) (_ *dynamic, err error) {
	o := &dynamic{index: i, info: p.info, results: new(outParams), shape: make(common.Shape, 0, maxRank)}
	if o.tensor, err = d.newTensor("session", fnTensorCreate, p.info.DType, p.minShape); err != nil {
		return nil, err
	}
	o.pin.Pin(o.results)
	o.getShape = d.lib.Prepare(fnTensorShape, dylib.Int(o.tensor), dylib.Ptr(&o.results.shape))
	o.getData = d.lib.Prepare(fnTensorData, dylib.Int(o.tensor), dylib.Ptr(&o.results.data))
	o.freeShape = d.lib.Prepare(fnShapeFree, dylib.Ptr(&o.results.shape))
	return o, nil
}

// fetch copies the output to *out, or to a new tensor if its shape has changed.
func (d *driver) fetch(o *dynamic, out **common.Tensor) (err error) {
	*o.results = outParams{}
	if err := d.check("run", common.ErrRun, o.getShape.Do()); err != nil {
		return err
	}
	shape := o.results.shape
	ok := shape.rank >= 0 && shape.rank <= maxRank && (shape.rank == 0 || shape.dims != 0)
	if ok {
		dylib.CopyOut(o.dims[:shape.rank], shape.dims)
		o.shape = o.shape[:0]
		for _, n := range o.dims[:shape.rank] {
			o.shape = append(o.shape, int(n))
		}
	}
	o.freeShape.Do()
	if !ok || o.shape.Elems() < 0 {
		return fail("run", common.ErrRun, "output %q has the impossible rank %d or shape %v", o.info.Name, shape.rank, o.shape)
	}
	if *out, err = common.EnsureTensor(*out, o.info.DType, o.shape); err != nil {
		return err
	}
	if bytes := (*out).Bytes(); len(bytes) > 0 {
		if err := d.check("run", common.ErrRun, o.getData.Do()); err != nil {
			return err
		}
		dylib.CopyOut(bytes, o.results.data)
	}
	return nil
}

const maxLayers = 1 << 24 // a sanity limit

// Profile returns the times of the last Run's operators in the order of the graph.
func (s *session) Profile() ([]common.LayerTime, error) {
	d := s.model.driver
	list := new(cProfiles)
	if err := d.call("profile", common.ErrRun, fnProfile, dylib.Int(s.request), dylib.Ptr(list)); err != nil {
		return nil, err
	}
	defer d.lib.Call(fnProfileFree, dylib.Ptr(list))
	if list.size > maxLayers || list.infos == 0 {
		return nil, nil
	}
	infos := make([]cProfile, list.size)
	dylib.CopyOut(infos, list.infos)
	layers := make([]common.LayerTime, len(infos))
	for i, p := range infos {
		layers[i] = common.LayerTime{Name: dylib.GoString(p.name), Type: dylib.GoString(p.node), Kernel: dylib.GoString(p.exec), Duration: time.Duration(p.real) * time.Microsecond}
	}
	return layers, nil
}

// newTensor makes an ov_tensor_t: in memory of the SDK with fnTensorCreate, or in
// the given memory with fnTensorFromHost. The caller keeps that memory pinned as
// long as the tensor, or a request or model that refers to it, exists.
func (d *driver) newTensor(op string, create int, dt common.DType, shape common.Shape, memory ...dylib.Arg) (uintptr, error) {
	dims := make([]int64, len(shape))
	for i, n := range shape {
		dims[i] = int64(n)
	}
	args := []dylib.Arg{dylib.Int(d.release.code(dt))}
	if runtime.GOOS == "windows" && runtime.GOARCH == "amd64" {
		var pin runtime.Pinner
		defer pin.Unpin()
		pin.Pin(unsafe.SliceData(dims))
		args = append(args, dylib.Ptr(&cShape[*int64]{int64(len(dims)), unsafe.SliceData(dims)}))
	} else { // 16 bytes by value are two registers
		args = append(args, dylib.Int(len(dims)), dylib.Slice(dims))
	}
	tensor := new(uintptr)
	err := d.call(op, common.ErrModel, create, append(append(args, memory...), dylib.Ptr(tensor))...)
	return *tensor, err
}
