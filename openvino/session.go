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

// session is an infer request (ov_infer_request_t).
type session struct {
	*model
	request uintptr
	infer   dylib.Prepared
	ins     []slot
	outs    []slot     // of outputs whose shape is known: Run writes into Go memory
	dynamic []*dynamic // of the others, nil where there is none: copied after Run
	out     []*common.Tensor
}

// slot is an input or output with the Go memory that the request uses.
type slot struct {
	tensor *common.Tensor
	pin    runtime.Pinner
}

// dynamic is an output whose shape only running tells. The request writes it
// to a tensor of the SDK, which grows and shrinks: Go memory that is bound
// does not grow, and Run would fail where the shape came out larger.
type dynamic struct {
	port                         port
	tensor                       uintptr
	getShape, getData, freeShape dylib.Prepared
	c                            *answer // pinned: the calls are prepared with its address
	pin                          runtime.Pinner
	dims                         [maxRank]int64
	shape                        common.Shape // of dims; kept so that Run need not allocate
}

// answer is what the calls of a dynamic write.
type answer struct {
	cShape[uintptr]
	data uintptr
}

func (m *model) NewSession(_ context.Context, _ int) (common.DriverSession, error) {
	s, err := m.newSession()
	switch {
	case err != nil:
		return nil, err
	case m.dynamic:
		return s, nil
	}
	return cancelable{s}, nil
}

func (m *model) newSession() (_ *session, err error) {
	s := &session{
		model: m, ins: make([]slot, len(m.inputs)), outs: make([]slot, len(m.outputs)), dynamic: make([]*dynamic, len(m.outputs)),
	}
	if err := m.do("session", common.ErrModel, fnCreateRequest, dylib.Int(m.compiled), dylib.Ptr(&s.request)); err != nil {
		return nil, err
	}
	s.infer = m.lib.Prepare(fnInfer, dylib.Int(s.request))
	for i, p := range m.outputs {
		if !p.Shape.Dynamic() {
			continue
		}
		if s.dynamic[i], err = m.newDynamic(p); err == nil {
			err = m.do("session", common.ErrModel, fnSetOutput, dylib.Int(s.request), dylib.Int(i), dylib.Int(s.dynamic[i].tensor))
		}
		if err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Bind sets the outputs before the inputs: until 2025.3 an output that is
// also an input, passed through, is taken for that input.
func (s *session) Bind(in, out []*common.Tensor) (err error) {
	s.out = out
	for i, p := range s.outputs {
		if s.dynamic[i] != nil {
			continue
		}
		if out[i], err = common.EnsureTensor(out[i], p.DType, p.Shape); err != nil {
			return err
		}
		if out[i] == s.outs[i].tensor {
			continue
		}
		for j := range s.ins {
			s.ins[j].tensor = nil // set it again
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

// bind makes t the input or output i. The request keeps t's memory in use
// until another tensor takes its place.
func (s *session) bind(b *slot, set, i int, t *common.Tensor, kind error) error {
	var pin runtime.Pinner
	pin.Pin(unsafe.SliceData(t.Bytes()))
	tensor, err := s.newTensor("bind", fnTensorFromHost, t.DType(), t.Shape(), dylib.Slice(t.Bytes()))
	if err == nil {
		err = s.do("bind", kind, set, dylib.Int(s.request), dylib.Int(i), dylib.Int(tensor))
		s.lib.Call(fnTensorFree, dylib.Int(tensor)) // the request has a reference of its own
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
	if err := s.check("run", common.ErrRun, s.infer.Do()); err != nil {
		return err
	}
	for i, d := range s.dynamic {
		if d != nil {
			if err := s.fetch(d, &s.out[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Reset takes a new request: the C API cannot reset the variables of one.
func (s *session) Reset() error {
	fresh, err := s.model.newSession()
	if err != nil {
		return err
	}
	var in []*common.Tensor
	for _, b := range s.ins {
		in = append(in, b.tensor)
	}
	if err := fresh.Bind(in, s.out); err != nil {
		fresh.Close()
		return err
	}
	old := *s
	*s = *fresh
	return old.Close()
}

// cancelable is a session whose Run can be stopped. Where shapes are dynamic it
// cannot: the CPU plugin then keeps those that the operators did not come to, and
// a later Run, even of another request, gets results of wrong shapes.
type cancelable struct{ *session }

// Cancel stops Run between two operators of the model.
func (s cancelable) Cancel() { s.lib.Call(fnCancel, dylib.Int(s.request)) }

// Close frees the request before the memory that it uses.
func (s *session) Close() error {
	s.lib.Call(fnRequestFree, dylib.Int(s.request))
	for _, slots := range [][]slot{s.ins, s.outs} {
		for i := range slots {
			slots[i].pin.Unpin()
		}
	}
	for _, d := range s.dynamic {
		if d != nil {
			s.lib.Call(fnTensorFree, dylib.Int(d.tensor))
			d.pin.Unpin()
		}
	}
	return nil
}

func (m *model) newDynamic(p port) (_ *dynamic, err error) {
	d := &dynamic{port: p, c: new(answer), shape: make(common.Shape, 0, maxRank)}
	if d.tensor, err = m.newTensor("session", fnTensorCreate, p.DType, p.least); err != nil {
		return nil, err
	}
	d.pin.Pin(d.c)
	d.getShape = m.lib.Prepare(fnTensorShape, dylib.Int(d.tensor), dylib.Ptr(&d.c.cShape))
	d.getData = m.lib.Prepare(fnTensorData, dylib.Int(d.tensor), dylib.Ptr(&d.c.data))
	d.freeShape = m.lib.Prepare(fnShapeFree, dylib.Ptr(&d.c.cShape))
	return d, nil
}

// fetch copies the output to *out, or to a new tensor where the shape changed.
func (s *session) fetch(d *dynamic, out **common.Tensor) (err error) {
	*d.c = answer{}
	if err := s.check("run", common.ErrRun, d.getShape.Do()); err != nil {
		return err
	}
	rank := d.c.rank
	ok := rank >= 0 && rank <= maxRank && (rank == 0 || d.c.dims != 0)
	if ok {
		dylib.CopyOut(d.dims[:rank], d.c.dims)
		d.shape = d.shape[:0]
		for _, n := range d.dims[:rank] {
			d.shape = append(d.shape, int(n))
		}
	}
	d.freeShape.Do()
	if !ok || d.shape.Elems() < 0 {
		return fail("run", common.ErrRun, "output %q came back with rank %d, shape %v", d.port.Name, rank, d.shape)
	}
	if *out, err = common.EnsureTensor(*out, d.port.DType, d.shape); err != nil {
		return err
	}
	if bytes := (*out).Bytes(); len(bytes) > 0 {
		if err := s.check("run", common.ErrRun, d.getData.Do()); err != nil {
			return err
		}
		dylib.CopyOut(bytes, d.c.data)
	}
	return nil
}

const maxLayers = 1 << 24 // more is not believed

// Profile lists the operators of the last Run in the order of the graph.
func (s *session) Profile() ([]common.LayerTime, error) {
	list := new(cProfiles)
	if err := s.do("profile", common.ErrRun, fnProfile, dylib.Int(s.request), dylib.Ptr(list)); err != nil {
		return nil, err
	}
	defer s.lib.Call(fnProfileFree, dylib.Ptr(list))
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

// newTensor makes an ov_tensor_t: of the SDK's memory with fnTensorCreate, of
// memory with fnTensorFromHost, which then stays pinned while the tensor, or
// whoever has it set, lives.
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
	err := d.do(op, common.ErrModel, create, append(append(args, memory...), dylib.Ptr(tensor))...)
	return *tensor, err
}
