// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/metadata"
	"github.com/anyinfer/anyinfer/internal/onnxfile"
)

// model is a loaded model: an OrtSession, which may run on several threads at the
// same time, so all sessions use it. With Options.Profile each session has an
// OrtSession of its own.
type model struct {
	driver          *driver
	info            common.ModelInfo
	settings        settings
	session         uintptr
	inputs, outputs []common.TensorInfo
	places          [][]place   // by output and dimension, where the shape is known before a Run
	wrongShapes     atomic.Bool // a Run has made an output of another shape than the file has

	files    *common.ModelFiles // released unless Options.Profile is set
	external externalFiles
}

// Load makes an OrtSession, which copies what it needs of the files.
func (d *driver) Load(ctx context.Context, files *common.ModelFiles, o common.Options) (_ common.DriverModel, err error) {
	if files.Len() != 1 || files.Folder() {
		return nil, fail(common.ErrModel, "this engine reads one file; name the .onnx, which has the names of files with external data")
	}
	s, err := d.newSettings(ctx, o)
	if err != nil {
		return nil, err
	}
	m := &model{driver: d, settings: s, files: files, info: common.ModelInfo{
		Format: files.Format(), Device: s.provider.device, Threads: o.ThreadsPerRun(), Sessions: max(o.Sessions, 1), State: common.Stateless,
	}}
	if err := m.load(ctx); err != nil {
		m.Close()
		return nil, err
	}
	if !o.Profile {
		files.Release()
		m.files, m.external = nil, externalFiles{}
	}
	return m, nil
}

func (m *model) load(ctx context.Context) (err error) {
	d := m.driver
	if m.external, err = d.readExternal(m.files); err != nil {
		return err
	}
	m.info.Format = formats.ORT.Name
	var damage error // ONNX Runtime decides whether a file is damaged, but does not say how
	if !isORT(m.files.Bytes(0)) {
		var about onnxfile.Description
		about, damage = onnxfile.Describe(m.files.Bytes(0))
		m.info.Format, m.info.Metadata = formats.ONNX.Name, about.Metadata
		if m.settings.dims, err = namedDims(about.Inputs, m.settings.common.Shapes); err != nil {
			return err
		}
	}
	if m.settings.common.CacheDir != "" {
		m.session, err = m.loadCached(ctx)
	} else {
		m.session, err = m.newSession(ctx, fnNone, "")
	}
	if e := (*common.Error)(nil); damage != nil && errors.As(err, &e) {
		e.Err = damage
	}
	if err != nil {
		return err
	}
	var others []string
	var inputDims, outputDims [][]string
	if m.inputs, inputDims, err = d.tensorInfos(&others, "input", m.session, fnSessionGetInputCount, fnSessionGetInputName, fnSessionGetInputTypeInfo); err != nil {
		return err
	}
	if m.outputs, outputDims, err = d.tensorInfos(&others, "output", m.session, fnSessionGetOutputCount, fnSessionGetOutputName, fnSessionGetOutputTypeInfo); err != nil {
		return err
	}
	if others != nil {
		return fail(common.ErrDType, "not all inputs and outputs are tensors of a DType: %s; remove or convert them in the model", strings.Join(others, ", "))
	}
	metadata.SetLabels(m.outputs, m.info.Metadata)
	m.follow(inputDims, outputDims)
	return m.setShapes(m.settings.common.Shapes)
}

// newSession makes an OrtSession of the model. The function setPath, unless it is
// fnNone, is called with a path first.
func (m *model) newSession(ctx context.Context, setPath int, path string) (uintptr, error) {
	options, err := m.driver.sessionOptions(m.settings)
	if err != nil {
		return 0, err
	}
	defer m.driver.free(fnReleaseSessionOptions, options)
	if setPath != fnNone {
		if err := m.driver.call(common.ErrOption, setPath, dylib.Int(options), osString(path)); err != nil {
			return 0, err
		}
	}
	if err := m.external.addTo(m.driver, options); err != nil {
		return 0, err
	}
	return m.driver.newSession(ctx, m.files.Bytes(0), options)
}

const fnNone = -1

// newSession makes an OrtSession, or returns the context's error if that ends
// first.
func (d *driver) newSession(ctx context.Context, bytes []byte, options uintptr) (uintptr, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if d.api.Has(fnSessionOptionsSetLoadCancellationFlag) {
		done := make(chan struct{})
		stop := context.AfterFunc(ctx, func() {
			d.check(nil, d.api.Call(fnSessionOptionsSetLoadCancellationFlag, dylib.Int(options), dylib.Int(uintptr(1))))
			close(done)
		})
		defer func() {
			if !stop() {
				<-done // because options must not be released before
			}
		}()
	}
	session, err := d.get(common.ErrModel, fnCreateSessionFromArray, dylib.Int(d.env), dylib.Slice(bytes), dylib.Int(len(bytes)), dylib.Int(options))
	if err != nil && ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return session, err
}

func (m *model) Info() common.ModelInfo { return m.info }

func (m *model) Signatures() []common.Signature {
	return []common.Signature{{Inputs: m.inputs, Outputs: m.outputs}}
}

func (m *model) Close() error {
	m.driver.free(fnReleaseSession, m.session)
	return nil
}

// These are sanity limits: a model with more is damaged.
const (
	maxTensors = 1 << 16
	maxRank    = 64
)

// valueTypes has the names of ONNXType.
var valueTypes = []string{"a value of unknown type", "a tensor", "a sequence", "a map", "an opaque value", "a sparse tensor", "an optional value"}

const typeTensor = 1

// tensorInfos describes the inputs or outputs of an OrtSession, and returns the names of
// their dimensions. It appends those to others that are not tensors that this module has.
func (d *driver) tensorInfos(others *[]string, what string, session uintptr, countFn, nameFn, typeFn int) (infos []common.TensorInfo, dims [][]string, err error) {
	n, err := d.get(common.ErrModel, countFn, dylib.Int(session))
	if err != nil {
		return nil, nil, err
	}
	if n > maxTensors {
		return nil, nil, fail(common.ErrModel, "the model has %d %ss", n, what)
	}
	infos, dims = make([]common.TensorInfo, n), make([][]string, n)
	for i := range infos {
		info := &infos[i]
		if info.Name, err = d.text(common.ErrModel, nameFn, dylib.Int(session), dylib.Int(i)); err != nil {
			return nil, nil, err
		}
		var other string
		if dims[i], other, err = d.describe(info, session, typeFn, i); err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(infos[:i], func(before common.TensorInfo) bool { return before.Name == info.Name }) {
			return nil, nil, fail(common.ErrModel, "the model has two %ss with the name %q", what, info.Name)
		}
		if other != "" {
			*others = append(*others, what+" "+strconv.Quote(info.Name)+" is "+other)
		}
	}
	return infos, dims, nil
}

// describe sets the type and shape of info and returns the names of its dimensions, or
// what it is instead of a tensor that this module has.
func (d *driver) describe(info *common.TensorInfo, session uintptr, typeFn, i int) (dims []string, other string, err error) {
	typeInfo, err := d.get(common.ErrModel, typeFn, dylib.Int(session), dylib.Int(i))
	if err != nil {
		return nil, "", err
	}
	defer d.free(fnReleaseTypeInfo, typeInfo)
	kind := new(uint32)
	if err := d.call(common.ErrModel, fnGetOnnxTypeFromTypeInfo, dylib.Int(typeInfo), dylib.Ptr(kind)); err != nil {
		return nil, "", err
	}
	if *kind != typeTensor {
		if *kind >= uint32(len(valueTypes)) {
			*kind = 0
		}
		return nil, valueTypes[*kind], nil
	}
	tensor, err := d.get(common.ErrModel, fnCastTypeInfoToTensorInfo, dylib.Int(typeInfo))
	if err != nil {
		return nil, "", err
	}
	element, shape, err := d.typeAndShape(tensor)
	if err != nil {
		return nil, "", err
	}
	if info.DType, other = dtype(int(element)); info.DType == 0 {
		return nil, "a tensor of " + other, nil
	}
	if len(shape) > 0 || d.api.Has(fnTensorTypeAndShapeHasShape) && byte(d.api.Call(fnTensorTypeAndShapeHasShape, dylib.Int(tensor))) != 0 {
		info.Shape = shape
	} // else the rank is 0, or is dynamic, which older libraries do not tell apart
	dims, err = d.dimNames(tensor, len(shape))
	return dims, "", err
}

// typeAndShape reads an OrtTensorTypeAndShapeInfo. A dynamic dimension is -1.
func (d *driver) typeAndShape(tensor uintptr) (element uint32, shape common.Shape, err error) {
	out := new(struct {
		rank    uintptr
		dims    [maxRank]int64
		element uint32
	})
	if err := d.call(common.ErrModel, fnGetTensorElementType, dylib.Int(tensor), dylib.Ptr(&out.element)); err != nil {
		return 0, nil, err
	}
	if err := d.call(common.ErrModel, fnGetDimensionsCount, dylib.Int(tensor), dylib.Ptr(&out.rank)); err != nil {
		return 0, nil, err
	}
	if out.rank > maxRank {
		return 0, nil, fail(common.ErrModel, "a tensor has rank %d", out.rank)
	}
	dims := out.dims[:out.rank]
	if err := d.call(common.ErrModel, fnGetDimensions, dylib.Int(tensor), dylib.Slice(dims), dylib.Int(len(dims))); err != nil {
		return 0, nil, err
	}
	shape, err = appendDims(common.Shape{}, dims)
	return out.element, shape, err
}

// appendDims appends dimensions, of which a dynamic one is -1.
func appendDims(shape common.Shape, dims []int64) (common.Shape, error) {
	for _, n := range dims {
		if int64(int(n)) != n || n < -1 {
			return nil, fail(common.ErrModel, "a tensor has the impossible dimension %d", n)
		}
		shape = append(shape, int(n))
	}
	return shape, nil
}
