// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/metadata"
	"github.com/anyinfer/anyinfer/internal/onnxfile"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// model is a loaded model: one compiled model (ov_compiled_model_t), or several
// with one stream each, among which the sessions are divided (see settings.split).
type model struct {
	driver          *driver
	info            common.ModelInfo
	inputs, outputs []port
	dynamic         bool       // a shape in the model is not fixed, even if it is no input or output
	small           bool       // the model's files have at most maxSplit bytes
	labels          [][]string // of the outputs, in the file; nil if its format has none

	compiled []uintptr
	mu       sync.Mutex
	sessions []int // number of sessions of each compiled model
}

// Load calls load while the SDK's output on stderr goes to the log.
func (d *driver) Load(ctx context.Context, files *common.ModelFiles, o common.Options) (m common.DriverModel, err error) {
	err = d.log.Capture(func() error {
		d.cpuPlugin.Do(d.loadCPUPlugin)
		m, err = d.load(ctx, files, o)
		return err
	})
	return m, err
}

// load reads, reshapes and compiles the model. The SDK cannot be interrupted, so
// ctx is checked between these steps.
func (d *driver) load(ctx context.Context, files *common.ModelFiles, o common.Options) (_ common.DriverModel, err error) {
	device, err := d.device(ctx, o.Device)
	if err != nil {
		return nil, err
	}
	set, err := d.settings(device, o)
	if err != nil {
		return nil, err
	}
	m := &model{driver: d, info: common.ModelInfo{Format: files.Format(), Device: device, Sessions: max(o.Sessions, 1)}}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if err := m.build(ctx, files, device, set, o); err != nil {
		return nil, err
	}
	if err := m.refreshPorts("input", m.inputs, fnCompiledInput); err != nil {
		return nil, err
	}
	if err := m.refreshPorts("output", m.outputs, fnCompiledOutput); err != nil {
		return nil, err
	}
	if err := m.readInfo(o); err != nil {
		return nil, err
	}
	return m, nil
}

// build makes the compiled models from an ov_model_t, which it frees afterwards;
// the SDK keeps the parts that the compiled models need.
func (m *model) build(ctx context.Context, files *common.ModelFiles, device string, set settings, o common.Options) error {
	graph, err := m.read(files)
	if err != nil {
		return err
	}
	defer m.driver.lib.Call(fnModelFree, dylib.Int(graph))
	if m.inputs, err = m.driver.ports("input", graph, fnModelInputs, fnModelInput); err != nil {
		return err
	}
	if m.outputs, err = m.driver.ports("output", graph, fnModelOutputs, fnModelOutput); err != nil {
		return err
	}
	if err := m.reshape(graph, o.Shapes); err != nil {
		return err
	}
	m.dynamic = byte(m.driver.lib.Call(fnModelIsDynamic, dylib.Int(graph))) != 0
	n := 1
	if m.small {
		n = set.split(device, o)
	}
	m.sessions = make([]int, n)
	for range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		compiled, err := m.compile(graph, device, set.sorted())
		if err != nil {
			return err
		}
		m.compiled = append(m.compiled, compiled)
	}
	return nil
}

func (m *model) Info() common.ModelInfo { return m.info }

func (m *model) Signatures() []common.Signature {
	infos := func(ports []port) (infos []common.TensorInfo) {
		for _, p := range ports {
			infos = append(infos, p.info)
		}
		return infos
	}
	outputs := infos(m.outputs)
	if len(m.labels) == len(outputs) {
		for i := range outputs {
			outputs[i].Labels = m.labels[i]
		}
	}
	metadata.SetLabels(outputs, m.info.Metadata)
	return []common.Signature{{Inputs: infos(m.inputs), Outputs: outputs}}
}

// Property returns a setting of the compiled model. If there are several, all have
// the same settings.
func (m *model) Property(key string) (string, error) {
	return m.driver.callString("property", common.ErrOption, fnCompiledProperty, dylib.Int(m.compiled[0]), dylib.String(key))
}

// Close frees the compiled models. Package common then frees the weights of IR,
// which they may use in place.
func (m *model) Close() error {
	for _, compiled := range m.compiled {
		m.driver.lib.Call(fnCompiledFree, dylib.Int(compiled))
	}
	return nil
}

// assign returns the index of the compiled model for a new session: the one with
// the fewest sessions.
func (m *model) assign() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.sessions, slices.Min(m.sessions))
	m.sessions[i]++
	return i
}

// unassign undoes assign when the session ends.
func (m *model) unassign(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sessions[i]--
}

// isSmall reports whether a model's files have at most maxSplit bytes. Folders and
// models that refer to further files count as large.
func isSmall(files *common.ModelFiles) bool {
	size := 0
	for _, content := range files.All() {
		size += len(content)
	}
	return size <= maxSplit && !files.Folder() && !files.RefersToOthers()
}

// read makes an ov_model_t. The SDK reads IR from memory and uses its weights in
// place. It reads the other formats only from paths, or better from paths.
func (m *model) read(files *common.ModelFiles) (uintptr, error) {
	switch files.Format() {
	case "openvino":
		return m.readIR(files)
	case "onnx":
		return m.readONNX(files)
	case "tflite":
		return m.readTFLite(files)
	case "paddle":
		return m.readLinks(files, "model.pdmodel", "model.pdiparams")
	case "tensorflow":
		return m.readLinks(files, "model.pb")
	}
	return m.readLinks(files, "model"+filepath.Ext(files.Name()), "model.bin")
}

func (m *model) readTFLite(files *common.ModelFiles) (uintptr, error) {
	if m.driver.release.before(2026, 1) {
		return 0, fail("load", common.ErrVersion, "OpenVINO %d.%d computes wrong results for some TFLite models; use 2026.1 or newer, or convert the model to IR", m.driver.release.year, m.driver.release.minor)
	}
	bytes, err := tfl.Read(files) // Read checks the structure
	if err != nil {
		return 0, err
	}
	description, err := tfl.Describe(bytes)
	if err != nil {
		return 0, err
	}
	m.info.State, m.info.Metadata = description.State(), description.Metadata
	for _, output := range description.Signatures[0].Outputs {
		m.labels = append(m.labels, output.Labels)
	}
	return m.readLinks(files, "model.tflite")
}

// readONNX makes the SDK read from a path even without external weights: when it
// reads from memory, the C API copies the model once more, and releases before
// 2026.3 can crash on a damaged one.
func (m *model) readONNX(files *common.ModelFiles) (uintptr, error) {
	m.info.State = common.Stateless
	if files.Len() != 1 {
		return 0, fail("load", common.ErrModel, "an ONNX model is loaded by the name of its one .onnx file, not of %d files; external data is found by the names in it", files.Len())
	}
	if m.driver.release.crashesOnDamagedONNX() {
		if err := onnxfile.Check(files.Bytes(0)); err != nil {
			return 0, err
		}
	}
	if about, err := onnxfile.Describe(files.Bytes(0)); err == nil { // OpenVINO decides whether a file is damaged
		m.info.Metadata = about.Metadata
	}
	if err := onnxfile.ReadExternal(files); err != nil {
		return 0, err
	}
	return m.readLinks(files, "model.onnx")
}

// crashesOnDamagedONNX reports whether the ONNX frontend of the release crashes on
// some damaged files.
func (r release) crashesOnDamagedONNX() bool { return r.before(2026, 3) }

// readLinks makes the SDK read the files under these names, then frees them,
// because the SDK has mapped or copied them.
func (m *model) readLinks(files *common.ModelFiles, names ...string) (uintptr, error) {
	defer files.Release()
	m.small = isSmall(files)
	if files.Folder() {
		root, err := files.LinkFolder()
		if err != nil {
			return 0, err
		}
		return m.readPaths(root)
	}
	if files.Len() > len(names) {
		return 0, fail("load", common.ErrModel, "the model comes in %d files; the format %q has at most %d", files.Len(), files.Format(), len(names))
	}
	link := files.Link
	if files.RefersToOthers() { // the SDK resolves links, and then needs all files in one folder
		link = files.Copy
	}
	paths, err := link(names...)
	if err != nil {
		return 0, err
	}
	if files.Format() == "onnx" {
		paths = paths[:1] // the model itself has the names of the others
	}
	return m.readPaths(paths...)
}

func (m *model) readPaths(paths ...string) (uintptr, error) {
	var weights dylib.Arg // NULL: none, or found by the SDK
	if len(paths) > 1 {
		weights = dylib.String(paths[1])
	}
	graph := new(uintptr)
	err := m.driver.call("load", common.ErrModel, fnReadModel, dylib.Int(m.driver.core), dylib.String(paths[0]), weights, dylib.Ptr(graph))
	return *graph, err
}

func (m *model) readIR(files *common.ModelFiles) (uintptr, error) {
	if n := files.Len(); n == 0 || n > 2 {
		return 0, fail("load", common.ErrModel, "an IR has one or two files, an .xml and its .bin, not %d files", n)
	}
	m.info.State, m.info.Metadata = describeIR(files.Bytes(0))
	m.small = isSmall(files)
	var weights uintptr
	if files.Len() > 1 && len(files.Bytes(1)) > 0 {
		bytes := files.Bytes(1)
		var err error
		if weights, err = m.driver.newTensor("load", fnTensorFromHost, common.Uint8, common.Shape{len(bytes)}, dylib.Slice(bytes)); err != nil {
			return 0, err
		}
		defer m.driver.lib.Call(fnTensorFree, dylib.Int(weights)) // the model shares its memory
	}
	graph, text := new(uintptr), files.Bytes(0)
	err := m.driver.call("load", common.ErrModel, fnReadModelFromMemory, dylib.Int(m.driver.core),
		dylib.Slice(text), dylib.Int(len(text)), dylib.Int(weights), dylib.Ptr(graph))
	return *graph, err
}

// reshape sets the shapes of Options.Shapes in the model.
func (m *model) reshape(graph uintptr, shapes map[string]common.ShapeRange) error {
	if len(shapes) == 0 {
		return nil
	}
	var (
		pin     runtime.Pinner // pins the dimensions that wanted points to
		indexes []uintptr
		wanted  []cPartialShape[*cDimension]
	)
	defer pin.Unpin()
	for name, r := range shapes {
		i := slices.IndexFunc(m.inputs, func(p port) bool { return p.info.Name == name })
		if i < 0 {
			var names []string
			for _, p := range m.inputs {
				names = append(names, strconv.Quote(p.info.Name))
			}
			return fail("load", common.ErrName, "Shapes: no input %q; the inputs are %s", name, strings.Join(names, ", "))
		}
		dims := make([]cDimension, len(r.Min))
		for j := range dims {
			dims[j] = cDimension{int64(r.Min[j]), int64(r.Max[j])}
		}
		pin.Pin(unsafe.SliceData(dims))
		indexes = append(indexes, uintptr(i))
		wanted = append(wanted, cPartialShape[*cDimension]{cDimension{int64(len(dims)), int64(len(dims))}, unsafe.SliceData(dims)})
	}
	return m.driver.call("load", common.ErrShape, fnModelReshape, dylib.Int(graph), dylib.Slice(indexes), dylib.Slice(wanted), dylib.Int(len(wanted)))
}

// compile makes an ov_compiled_model_t of graph.
func (m *model) compile(graph uintptr, device string, properties []property) (uintptr, error) {
	compiled := new(uintptr)
	args := []dylib.Arg{dylib.Int(m.driver.core), dylib.Int(graph), dylib.String(device)}
	fn := fnCompile
	if m.driver.lib.Has(fnCompileProps) {
		fn = fnCompileProps
		var pin runtime.Pinner
		defer pin.Unpin()
		list := make([]cProperty, len(properties))
		for i, p := range properties {
			list[i] = cProperty{unsafe.StringData(p.key + "\x00"), unsafe.StringData(p.value + "\x00")}
			pin.Pin(list[i].key)
			pin.Pin(list[i].value)
		}
		args = append(args, dylib.Int(len(list)), dylib.Slice(list), dylib.Ptr(compiled))
	} else {
		args = variadic(append(args, dylib.Int(2*len(properties)), dylib.Ptr(compiled))...)
		const maxArgs = 32 // of a native call
		if limit := (maxArgs - len(args)) / 2; len(properties) > limit {
			return 0, fail("load", common.ErrOption, "there are %d properties; this version of OpenVINO takes at most %d", len(properties), limit)
		}
		for _, p := range properties {
			args = append(args, dylib.String(p.key), dylib.String(p.value))
		}
	}
	err := m.driver.call("load", common.ErrModel, fn, args...)
	var e *common.Error
	if errors.As(err, &e) {
		e.Kind = classifyError(e.Message, device)
	}
	return *compiled, err
}

// classifyError returns the kind of a compile error by its text, because the SDK's
// code is the same for all of them.
func classifyError(text, device string) error {
	text = strings.ToLower(text)
	switch has := func(s string) bool { return strings.Contains(text, s) }; {
	case has("propert"), has("wrong value"), has("from str:"):
		return common.ErrOption
	case has("device"), has("plugin"), strings.Contains(device, ":"):
		return common.ErrDevice
	}
	return common.ErrModel
}

// readInfo sets m.info from the properties of the compiled model. It returns an
// error if the model does not compute in the precision that Options asks for.
func (m *model) readInfo(o common.Options) error {
	read := func(key string) string { v, _ := m.Property(key); return v } // "" if the device has no such property
	number := func(key string) int { n, _ := strconv.Atoi(read(key)); return n }
	if used := strings.Trim(read("EXECUTION_DEVICES"), "() "); used != "" {
		m.info.Device = used
	}
	if streams := number("NUM_STREAMS"); streams > 0 {
		m.info.Threads = number("INFERENCE_NUM_THREADS") / streams
		m.info.Details = map[string]string{"streams": strconv.Itoa(streams), "compiled_models": strconv.Itoa(len(m.compiled))}
	}
	name := read("INFERENCE_PRECISION_HINT")
	m.info.Precision = precision(name)
	native, _ := o.Native.(Options)
	_, overridden := native.Properties["INFERENCE_PRECISION_HINT"]
	if !overridden && o.Precision != 0 && o.Precision != m.info.Precision && !(o.Precision == common.Float32 && m.info.Precision == 0) {
		return fail("load", common.ErrOption, "Precision is %v, but %s computes in %q", o.Precision, m.info.Device, name)
	}
	return nil
}

// port is an input or output.
type port struct {
	info     common.TensorInfo
	minShape common.Shape // the smallest possible shape
}

// These are sanity limits: a model with more is damaged.
const (
	maxPorts = 1 << 16
	maxRank  = 64
)

// refreshPorts reads types and shapes from the compiled model. The names stay those
// of the model before it was compiled, because compiling may add names, and the SDK
// then returns one of these.
func (m *model) refreshPorts(what string, ports []port, portFn int) error {
	for i := range ports {
		p, err := m.driver.port(what, m.compiled[0], portFn, i)
		if err != nil {
			return err
		}
		p.info.Name = ports[i].info.Name
		ports[i] = p
	}
	return nil
}

// ports returns the inputs or outputs of an ov_model_t. countFn returns their
// number, portFn one port.
func (d *driver) ports(what string, of uintptr, countFn, portFn int) ([]port, error) {
	n := new(uintptr)
	if err := d.call("load", common.ErrModel, countFn, dylib.Int(of), dylib.Ptr(n)); err != nil {
		return nil, err
	}
	if *n > maxPorts {
		return nil, fail("load", common.ErrModel, "the model has %d %ss", *n, what)
	}
	ports := make([]port, *n)
	for i := range ports {
		var err error
		if ports[i], err = d.port(what, of, portFn, i); err != nil {
			return nil, err
		}
	}
	return ports, nil
}

// port returns input or output i. A port without a name gets the name "input_0",
// "output_1" and so on.
func (d *driver) port(what string, of uintptr, portFn, i int) (p port, err error) {
	h := new(uintptr) // ov_output_const_port_t*
	if err := d.call("load", common.ErrModel, portFn, dylib.Int(of), dylib.Int(i), dylib.Ptr(h)); err != nil {
		return p, err
	}
	defer d.lib.Call(fnPortFree, dylib.Int(*h))
	if p.info.Name, err = d.callString("load", common.ErrModel, fnPortName, dylib.Int(*h)); err != nil || p.info.Name == "" {
		p.info.Name = fmt.Sprintf("%s_%d", what, i)
	}
	code := new(uint32)
	if err := d.call("load", common.ErrModel, fnPortType, dylib.Int(*h), dylib.Ptr(code)); err != nil {
		return p, err
	}
	var typeName string
	if p.info.DType, typeName = d.release.dtype(*code); p.info.DType == 0 {
		return p, fail("load", common.ErrDType, "%s %q has elements of type %s, which no common.DType has; add a conversion to the model", what, p.info.Name, typeName)
	}
	shape := new(cPartialShape[uintptr])
	if err := d.call("load", common.ErrModel, fnPortShape, dylib.Int(*h), dylib.Ptr(shape)); err != nil {
		return p, err
	}
	defer d.lib.Call(fnPartialShapeFree, dylib.Ptr(shape))
	rank := shape.rank.min
	if rank != shape.rank.max { // dynamic
		p.minShape = common.Shape{0}
		return p, nil
	}
	if rank < 0 || rank > maxRank || rank > 0 && shape.dims == 0 {
		return p, fail("load", common.ErrModel, "%s %q has rank %d", what, p.info.Name, rank)
	}
	dims := make([]cDimension, rank)
	dylib.CopyOut(dims, shape.dims)
	p.info.Shape = common.Shape{}
	for _, dim := range dims {
		if int64(int(dim.min)) != dim.min || dim.min < 0 {
			return p, fail("load", common.ErrModel, "%s %q has a dimension of %d", what, p.info.Name, dim.min)
		}
		p.minShape = append(p.minShape, int(dim.min))
		if dim.min != dim.max {
			p.info.Shape = append(p.info.Shape, -1)
		} else {
			p.info.Shape = append(p.info.Shape, int(dim.min))
		}
	}
	return p, nil
}
