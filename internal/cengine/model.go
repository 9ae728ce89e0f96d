// SPDX-License-Identifier: Apache-2.0

package cengine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/metadata"
	"github.com/anyinfer/anyinfer/internal/privdir"
)

// model is an anyinfer_model_t.
type model struct {
	driver     *driver
	handle     uintptr
	info       common.ModelInfo
	signatures []common.Signature
	options    common.Options
}

func (d *driver) Load(ctx context.Context, files *common.ModelFiles, o common.Options) (_ common.DriverModel, err error) {
	keyValues, err := d.keyValues(o)
	if err != nil {
		return nil, err
	}
	m := &model{driver: d, options: o}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if err := d.log.Capture(func() error { return m.load(ctx, files, keyValues) }); err != nil {
		return nil, err
	}
	if err := m.describe(); err != nil {
		return nil, err
	}
	property := func(key string) string {
		value, _ := m.Property(key)
		return value
	}
	m.info = common.ModelInfo{
		Format: cmp.Or(property("format"), files.Format()), Device: property("device"), Details: details(property("details")),
		Sessions: max(o.Sessions, 1), State: states[property("state")],
	}
	if !d.lib.Has(fnReset) {
		m.info.State = common.Stateless
	}
	if d.engine.Metadata != nil {
		m.info.Metadata = d.engine.Metadata(files, o)
		for _, s := range m.signatures {
			metadata.SetLabels(s.Outputs, m.info.Metadata)
		}
	}
	if property("files") == "copied" {
		files.Release()
	}
	m.info.Precision, _ = common.ParseDType(property("precision")) // 0 if the engine does not report it
	if n, err := strconv.ParseUint(property("threads"), 10, 16); err == nil {
		m.info.Threads = int(n)
	}
	return m, nil
}

// details parses the property "details": lines of a key, "=" and a value.
func details(lines string) map[string]string {
	var all map[string]string
	for line := range strings.Lines(lines) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			if all == nil {
				all = map[string]string{}
			}
			all[key] = value
		}
	}
	return all
}

// states are the values of the property "state".
var states = map[string]common.State{"stateless": common.Stateless, "stateful": common.Stateful}

// keyValues converts options to the keys and values of anyinfer_source.
func (d *driver) keyValues(o common.Options) (map[string]string, error) {
	named := func(c common.Device) bool { return c.Name == o.Device }
	if o.Device != "" && !slices.ContainsFunc(d.devices, named) {
		return nil, common.UnknownDevice(o.Device, d.devices)
	}
	if o.CacheDir != "" {
		if err := privdir.Make(o.CacheDir); err != nil { // cached files may contain code
			return nil, &common.Error{Kind: common.ErrOption, Message: "CacheDir cannot be used", Err: err}
		}
	}
	all := map[string]string{}
	switch {
	case o.Native == nil:
	case d.engine.Native == nil:
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no options for Native"}
	default:
		native, err := d.engine.Native(o.Native)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, native)
	}
	set := func(key, value string) {
		if value != "" {
			all[key] = value
		}
	}
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	set("device", o.Device)
	set("cache_dir", o.CacheDir)
	set("threads", number(o.Threads))
	set("sessions", number(o.Sessions))
	set("processors", number(runtime.GOMAXPROCS(0)))
	if o.Precision != 0 {
		set("precision", o.Precision.String())
	}
	if o.Profile {
		set("profile", "1")
	}
	for name, r := range o.Shapes {
		set("shape:"+name, dims(r.Min)+";"+dims(r.Opt)+";"+dims(r.Max))
	}
	for key, value := range all {
		if strings.ContainsRune(key+value, 0) {
			return nil, &common.Error{Kind: common.ErrOption, Message: fmt.Sprintf("the option %q, with the value %q, contains a NUL byte", key, value)}
		}
	}
	return all, nil
}

// dims formats a shape for the options of anyinfer_source.
func dims(s common.Shape) string {
	var list []string
	for _, d := range s {
		list = append(list, strconv.Itoa(d))
	}
	return strings.Join(list, ",")
}

// load calls the engine's load function. When the context ends, it sets canceled,
// which the engine may check.
func (m *model) load(ctx context.Context, files *common.ModelFiles, keyValues map[string]string) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	if files.Folder() {
		return &common.Error{Kind: common.ErrModel, Message: "the model is a folder; this engine reads files"}
	}
	c := &source{format: cString(&pin, files.Format()), parts: int32(files.Len())}
	data, sizes := make([]*byte, files.Len()), make([]uint64, files.Len())
	for i := range data {
		data[i], sizes[i] = unsafe.SliceData(files.Bytes(i)), uint64(len(files.Bytes(i)))
		pin.Pin(data[i])
	}
	c.data, c.sizes = pinned(&pin, data), pinned(&pin, sizes)
	e := m.driver.engine
	if e.Check != nil {
		if err := e.Check(files, m.options); err != nil {
			return err
		}
	}
	if files.RefersToOthers() {
		paths, err := files.Link()
		if err != nil {
			return err
		}
		c.paths = cStrings(&pin, paths[:len(data)])
	}
	keys := slices.Sorted(maps.Keys(keyValues))
	var values []string
	for _, k := range keys {
		values = append(values, keyValues[k])
	}
	c.keys, c.values, c.options = cStrings(&pin, keys), cStrings(&pin, values), int32(len(keys))
	c.canceled = new(int32)
	pin.Pin(c.canceled)
	defer context.AfterFunc(ctx, func() { atomic.StoreInt32(c.canceled, 1) })()
	var err error
	if m.handle, err = m.driver.create(fnLoad, dylib.Int(m.driver.handle), dylib.Ptr(c)); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// cString copies s, with a NUL, to pinned memory.
func cString(pin *runtime.Pinner, s string) *byte { return pinned(pin, append([]byte(s), 0)) }

// cStrings copies all to an array of C strings, pinned with them.
func cStrings(pin *runtime.Pinner, all []string) **byte {
	ptrs := make([]*byte, len(all))
	for i, s := range all {
		ptrs[i] = cString(pin, s)
	}
	return pinned(pin, ptrs)
}

// pinned pins s and returns its address, nil if s is empty.
func pinned[T any](pin *runtime.Pinner, s []T) *T {
	if len(s) == 0 {
		return nil
	}
	pin.Pin(&s[0])
	return &s[0]
}

// describe reads the signatures.
func (m *model) describe() error {
	return forEachIndex("signatures", 1, 1<<12, statusName, func(i int) (int32, error) {
		c := new(struct {
			name            uintptr
			inputs, outputs int32
		})
		status, err := m.driver.callStatus(fnSignature, dylib.Int(m.handle), dylib.Int(i), dylib.Ptr(&c.name), dylib.Ptr(&c.inputs), dylib.Ptr(&c.outputs))
		if err != nil {
			return status, err
		}
		s := common.Signature{Name: text(c.name, &err)}
		if err != nil {
			return 0, err
		}
		if s.Inputs, err = m.tensors(fnInput, i, c.inputs); err != nil {
			return 0, err
		}
		if s.Outputs, err = m.tensors(fnOutput, i, c.outputs); err != nil {
			return 0, err
		}
		m.signatures = append(m.signatures, s)
		return 0, nil
	})
}

// tensors reads n inputs or outputs with the function fn.
func (m *model) tensors(fn, signature int, n int32) ([]common.TensorInfo, error) {
	if n < 0 || n > 1<<16 {
		return nil, errBadReturn(common.ErrModel, "%d as the number of tensors", n)
	}
	infos := make([]common.TensorInfo, n)
	for i := range infos {
		c := new(tensor)
		err := m.driver.call(fn, dylib.Int(m.handle), dylib.Int(signature), dylib.Int(i), dylib.Ptr(c))
		if err == nil {
			infos[i], err = c.info()
		}
		if err != nil {
			return nil, err
		}
	}
	return infos, nil
}

func (m *model) Info() common.ModelInfo         { return m.info }
func (m *model) Signatures() []common.Signature { return m.signatures }

// Property reads a setting that is in use.
func (m *model) Property(key string) (string, error) {
	text := make([]byte, 4096)
	if err := m.driver.call(fnProperty, dylib.Int(m.handle), dylib.String(key), dylib.Slice(text), dylib.Int(len(text))); err != nil {
		return "", err
	}
	value, _, _ := strings.Cut(string(text), "\x00")
	return value, nil
}

func (m *model) Close() error {
	if m.handle != 0 {
		m.driver.lib.Call(fnModelClose, dylib.Int(m.handle))
	}
	return nil
}
