// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cengine"
	"github.com/anyinfer/anyinfer/internal/nativelog"
	"github.com/anyinfer/anyinfer/internal/onnxcheck"
)

// driver is that of the shim, with a cache of plans.
type driver struct {
	common.Driver
	log nativelog.Log
}

func open(c common.Config) (common.Driver, error) {
	d, err := cengine.Open(&engine, c)
	if err != nil {
		return nil, err
	}
	return driver{d, nativelog.New(c, spec.Engine, false)}, nil
}

// request is what the cache asks of the shim, beside the user's Options.
type request struct {
	Options
	save, timing string // files to write the plan to, and to read measurements from and write them to
	built        bool   // the model is a plan that was built before, of an ONNX file
	precision    string // that it computes in
}

func (r request) pairs() (map[string]string, error) {
	pairs, err := r.Options.pairs()
	if err != nil {
		return nil, err
	}
	set := func(key, value string) {
		if value != "" {
			pairs[key] = value
		}
	}
	set("save", r.save)
	set("timing_cache", r.timing)
	if r.built {
		set("built_from", "onnx")
		set("built_precision", r.precision)
	}
	return pairs, nil
}

// Load goes through the cache where there is something to keep.
func (d driver) Load(ctx context.Context, src common.Source, o common.Options) (common.DriverModel, error) {
	options, ours := o.Native.(Options)
	if o.CacheDir == "" || !ours && o.Native != nil { // which is an error that the shim's driver makes
		return d.Driver.Load(ctx, src, o)
	}
	if src.Format() != "onnx" {
		return nil, &common.Error{Err: common.ErrOption, Text: "CacheDir is for ONNX models, whose plans it keeps; a plan needs none"}
	}
	dir := o.CacheDir
	o.CacheDir = ""
	id, err := d.identify(src, o, options)
	if err != nil {
		return nil, err
	}
	e, unlock, err := lock(ctx, dir, id)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if m := d.restore(ctx, e, o, options); m != nil {
		return m, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return d.build(ctx, e, src, o, options)
}

// restore loads the plan of an entry; nil where there is none that is good.
func (d driver) restore(ctx context.Context, e entry, o common.Options, options Options) common.DriverModel {
	plan, err := e.plan.read()
	if err != nil {
		if !os.IsNotExist(err) {
			d.log.Warn("a plan in the cache is not usable, and built anew", "path", e.plan.path, "reason", err)
		}
		return nil
	}
	precision, plan := cutPrecision(plan)
	o.Precision, o.Shapes = 0, nil // the plan has them in it
	o.Native = request{Options: Options{Graphs: options.Graphs, Plugins: options.Plugins}, built: true, precision: precision}
	m, err := d.Driver.Load(ctx, common.Bytes(plan).As("tensorrt"), o)
	if err != nil {
		if ctx.Err() == nil {
			d.log.Warn("a plan in the cache does not load, and is built anew", "path", e.plan.path, "reason", err)
		}
		return nil
	}
	d.log.Debug("plan from the cache", "path", e.plan.path)
	return m
}

// build loads the model, and keeps its plan. What cannot be kept is no error:
// the model is there.
func (d driver) build(ctx context.Context, e entry, src common.Source, o common.Options, options Options) (common.DriverModel, error) {
	if err := e.begin(); err != nil {
		return nil, cacheError(e.work, err)
	}
	defer os.RemoveAll(e.work)
	r := request{Options: options, save: filepath.Join(e.work, "plan"), timing: filepath.Join(e.work, "timing")}
	o.Native = r
	m, err := d.Driver.Load(ctx, src, o)
	if err != nil {
		return nil, err
	}
	now, err := digest(src)
	if err == nil && now != e.model {
		err = errors.New("the model's file has changed meanwhile")
	}
	if err == nil {
		err = e.keep(r, m.Info().Precision)
	}
	if err != nil {
		d.log.Warn("the plan is not kept", "path", e.plan.path, "reason", err)
	}
	return m, nil
}

// identify is all that a plan depends on.
func (d driver) identify(src common.Source, o common.Options, options Options) (id identity, err error) {
	options.Graphs = false // is for running
	pairs, err := options.pairs()
	if err != nil {
		return id, err
	}
	info := d.Info()
	i := max(slices.IndexFunc(info.Devices, func(c common.Device) bool { return c.Name == o.Device }), 0)
	id.machine = info.Version + "\n" + info.Devices[i].Description
	id.options = fmt.Sprint(info.Devices[i].Name, o.Precision, o.Sessions, o.Shapes, pairs) // maps are printed in order
	id.model, err = digest(src)
	return id, err
}

// digest is that of an ONNX model with its weights in other files.
func digest(src common.Source) (string, error) {
	files, err := src.Read()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(files[0])
	if paths := src.Paths(); paths != nil {
		for _, name := range onnxcheck.External(files[0]) {
			if err := hashFile(h, filepath.Join(filepath.Dir(paths[0]), filepath.FromSlash(name))); err != nil {
				return "", &common.Error{Err: common.ErrModel, Text: "its weights are in a file beside it", Cause: err}
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func hashFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%d ", info.Size())
	_, err = io.Copy(w, f)
	return err
}

// lock waits until nobody else builds this plan. The lock goes with the
// process that holds it, however that ends.
func lock(ctx context.Context, dir string, id identity) (entry, func(), error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return entry{}, nil, cacheError(dir, err)
	}
	e := newEntry(dir, id)
	l := flock.New(e.lock)
	if ok, err := l.TryLockContext(ctx, 50*time.Millisecond); !ok {
		if ctx.Err() != nil {
			return entry{}, nil, ctx.Err()
		}
		return entry{}, nil, cacheError(e.lock, err)
	}
	// What an earlier build left, when its process was ended.
	if err := os.RemoveAll(e.work); err != nil {
		l.Unlock()
		return entry{}, nil, cacheError(e.work, err)
	}
	return e, func() { l.Unlock() }, nil
}

func cacheError(path string, err error) error {
	return &common.Error{Path: path, Err: common.ErrOption, Text: "CacheDir cannot be used", Cause: err}
}
