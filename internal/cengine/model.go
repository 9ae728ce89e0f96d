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
)

// model is an anyinfer_model_t.
type model struct {
	*driver
	handle     uintptr
	info       common.ModelInfo
	signatures []common.Signature
	options    common.Options
	bytes      runtime.Pinner // the model's, which the engine reads until Close
}

func (d *driver) Load(ctx context.Context, src common.Source, o common.Options) (_ common.DriverModel, err error) {
	pairs, err := d.pairs(o)
	if err != nil {
		return nil, err
	}
	m := &model{driver: d, options: o}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if err := d.log.Capture(func() error { return m.load(ctx, src, pairs) }); err != nil {
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
		Format: cmp.Or(property("format"), src.Format()), Device: property("device"), Notes: property("notes"),
		Sessions: max(o.Sessions, 1),
	}
	m.info.Precision, _ = common.ParseDType(property("precision")) // 0 where it does not tell
	if n, err := strconv.ParseUint(property("threads"), 10, 16); err == nil {
		m.info.Threads = int(n)
	}
	return m, nil
}

// pairs are the options as anyinfer_source has them.
func (d *driver) pairs(o common.Options) (map[string]string, error) {
	names := make([]string, len(d.info.Devices))
	for i, c := range d.info.Devices {
		names[i] = c.Name
	}
	if o.Device != "" && !slices.Contains(names, o.Device) {
		return nil, &common.Error{Err: common.ErrDevice, Text: fmt.Sprintf("there is no device %q; there are %q", o.Device, names)}
	}
	pairs := map[string]string{}
	switch {
	case o.Native == nil:
	case d.Native == nil:
		return nil, &common.Error{Err: common.ErrOption, Text: "this engine has no options for Native"}
	default:
		native, err := d.Native(o.Native)
		if err != nil {
			return nil, err
		}
		maps.Copy(pairs, native)
	}
	set := func(key, value string) {
		if value != "" {
			pairs[key] = value
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
	if o.Precision != 0 {
		set("precision", o.Precision.String())
	}
	if o.Profile {
		set("profile", "1")
	}
	for name, r := range o.Shapes {
		set("shape:"+name, dims(r.Min)+";"+dims(r.Opt)+";"+dims(r.Max))
	}
	for key, value := range pairs {
		if strings.ContainsRune(key+value, 0) {
			return nil, &common.Error{Err: common.ErrOption, Text: fmt.Sprintf("%q: %q has a NUL", key, value)}
		}
	}
	return pairs, nil
}

func dims(s common.Shape) string {
	var list []string
	for _, d := range s {
		list = append(list, strconv.Itoa(d))
	}
	return strings.Join(list, ",")
}

// load calls the engine's load; ctx interrupts it where the engine looks.
func (m *model) load(ctx context.Context, src common.Source, pairs map[string]string) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	c := &source{format: cString(&pin, src.Format())}
	paths := src.Paths()
	c.paths, c.parts = cStrings(&pin, paths), int32(len(paths))
	if paths == nil || m.Check != nil {
		parts, err := src.Read()
		if err != nil {
			return err
		}
		if m.Check != nil {
			if err := m.Check(parts, paths, m.options); err != nil {
				return err
			}
		}
		data, sizes := make([]*byte, len(parts)), make([]uint64, len(parts))
		for i, part := range parts {
			if data[i] = unsafe.SliceData(part); len(part) > 0 {
				m.bytes.Pin(data[i])
			}
			sizes[i] = uint64(len(part))
		}
		c.data, c.sizes, c.parts = pinned(&pin, data), pinned(&pin, sizes), int32(len(parts))
	}
	keys := slices.Sorted(maps.Keys(pairs))
	var values []string
	for _, k := range keys {
		values = append(values, pairs[k])
	}
	c.keys, c.values, c.options = cStrings(&pin, keys), cStrings(&pin, values), int32(len(keys))
	c.canceled = new(int32)
	pin.Pin(c.canceled)
	defer context.AfterFunc(ctx, func() { atomic.StoreInt32(c.canceled, 1) })()
	var err error
	if m.handle, err = m.create(fnLoad, dylib.Int(m.driver.handle), dylib.Ptr(c)); err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if m.Copies {
		m.bytes.Unpin()
	}
	return err
}

// cString is s for C, pinned.
func cString(pin *runtime.Pinner, s string) *byte { return pinned(pin, append([]byte(s), 0)) }

func cStrings(pin *runtime.Pinner, all []string) **byte {
	ptrs := make([]*byte, len(all))
	for i, s := range all {
		ptrs[i] = cString(pin, s)
	}
	return pinned(pin, ptrs)
}

// pinned is the address of s for C to find; nil where s is empty.
func pinned[T any](pin *runtime.Pinner, s []T) *T {
	if len(s) == 0 {
		return nil
	}
	pin.Pin(&s[0])
	return &s[0]
}

// describe asks for the signatures.
func (m *model) describe() error {
	return m.each(1, 1<<12, statusName, func(i int) (int32, error) {
		c := new(struct {
			name            uintptr
			inputs, outputs int32
		})
		status, err := m.try(fnSignature, dylib.Int(m.handle), dylib.Int(i), dylib.Ptr(&c.name), dylib.Ptr(&c.inputs), dylib.Ptr(&c.outputs))
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

func (m *model) tensors(fn, signature int, n int32) ([]common.TensorInfo, error) {
	if n < 0 || n > 1<<16 {
		return nil, absurd(common.ErrModel, "%d as the number of tensors", n)
	}
	infos := make([]common.TensorInfo, n)
	for i := range infos {
		c := new(tensor)
		err := m.do(fn, dylib.Int(m.handle), dylib.Int(signature), dylib.Int(i), dylib.Ptr(c))
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

// Property reads what is really in use.
func (m *model) Property(key string) (string, error) {
	text := make([]byte, 4096)
	if err := m.do(fnProperty, dylib.Int(m.handle), dylib.String(key), dylib.Slice(text), dylib.Int(len(text))); err != nil {
		return "", err
	}
	before, _, _ := strings.Cut(string(text), "\x00")
	return before, nil
}

func (m *model) Close() error {
	if m.handle != 0 {
		m.Call(fnModelClose, dylib.Int(m.handle))
	}
	m.bytes.Unpin()
	return nil
}
