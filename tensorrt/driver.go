// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cengine"
	"github.com/anyinfer/anyinfer/internal/filelock"
	"github.com/anyinfer/anyinfer/internal/nativelog"
	"github.com/anyinfer/anyinfer/internal/onnxcheck"
	"github.com/anyinfer/anyinfer/internal/privdir"
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
func (d driver) Load(ctx context.Context, files *common.ModelFiles, o common.Options) (common.DriverModel, error) {
	options, ours := o.Native.(Options)
	if o.CacheDir == "" || !ours && o.Native != nil { // which is an error that the shim's driver makes
		return d.Driver.Load(ctx, files, o)
	}
	if files.Format() != "onnx" || files.Len() != 1 {
		return nil, &common.Error{Kind: common.ErrOption, Message: "CacheDir is for ONNX models, whose plans it keeps; a plan needs none"}
	}
	dir := o.CacheDir
	o.CacheDir = ""
	id, err := d.identify(files, o, options)
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
	return d.build(ctx, e, files, o, options)
}

// restore loads the plan of an entry; nil where there is none that is good.
func (d driver) restore(ctx context.Context, e entry, o common.Options, options Options) common.DriverModel {
	cached, err := e.plan.read(ctx)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			d.log.Warn("a plan in the cache is not usable, and built anew", "path", e.plan.path, "reason", err)
		}
		return nil
	}
	defer cached.files.Release()
	precision, plan := cutPrecision(cached.data)
	o.Precision, o.Shapes = 0, nil // the plan has them in it
	o.Native = request{Options: Options{Graphs: options.Graphs, Plugins: options.Plugins}, built: true, precision: precision}
	files, err := common.OpenFiles(ctx, common.Bytes(plan).As("tensorrt"))
	var m common.DriverModel
	if err == nil {
		defer files.Release()
		m, err = d.Driver.Load(ctx, files, o)
	}
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
func (d driver) build(ctx context.Context, e entry, files *common.ModelFiles, o common.Options, options Options) (common.DriverModel, error) {
	if err := e.begin(); err != nil {
		return nil, cacheError(e.work, err)
	}
	defer os.RemoveAll(e.work)
	r := request{Options: options, save: filepath.Join(e.work, "plan"), timing: filepath.Join(e.work, "timing")}
	o.Native = r
	m, err := d.Driver.Load(ctx, files, o)
	if err != nil {
		return nil, err
	}
	if err := e.keep(r, m.Info().Precision); err != nil {
		d.log.Warn("the plan is not kept", "path", e.plan.path, "reason", err)
	}
	return m, nil
}

// identify is all that a plan depends on. All options count but those that
// change nothing in it, so one that is new counts, too.
func (d driver) identify(files *common.ModelFiles, o common.Options, options Options) (id identity, err error) {
	options.Graphs = false
	if o.Native, err = options.pairs(); err != nil {
		return id, err
	}
	o.MapFiles, o.Profile, o.MaxWaiting = false, false, 0
	devices, err := d.Devices(context.Background())
	if err != nil {
		return id, err
	}
	info := d.Info()
	i := max(slices.IndexFunc(devices, func(c common.Device) bool { return c.Name == o.Device }), 0)
	o.Device = devices[i].Name
	id.Machine = machine{Version: info.Version, Device: devices[i].Description}
	id.Options = o
	for _, path := range options.Plugins {
		id.Plugins = append(id.Plugins, digestPlugin(path))
	}
	id.Model, err = digest(files)
	return id, err
}

// digest is that of an ONNX model with its weights in other files.
func digest(files *common.ModelFiles) (string, error) {
	h := sha256.New()
	h.Write(files.Bytes(0))
	for _, name := range onnxcheck.External(files.Bytes(0)) {
		weights, err := files.Beside(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "\n%q %d ", name, len(weights))
		h.Write(weights)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digestPlugin is that of a library's content; empty where only the system's
// loader finds it.
func digestPlugin(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}

// lock waits until nobody else builds this plan.
func lock(ctx context.Context, dir string, id identity) (entry, func(), error) {
	if err := privdir.Make(dir); err != nil { // a plan is code
		return entry{}, nil, cacheError(dir, err)
	}
	e, err := newEntry(dir, id)
	if err != nil {
		return entry{}, nil, cacheError(dir, err)
	}
	unlock, err := filelock.Lock(ctx, e.lock)
	if err != nil {
		if ctx.Err() != nil {
			return entry{}, nil, ctx.Err()
		}
		return entry{}, nil, cacheError(e.lock, err)
	}
	// What an earlier build left, when its process was ended.
	if err := os.RemoveAll(e.work); err != nil {
		unlock()
		return entry{}, nil, cacheError(e.work, err)
	}
	return e, func() { unlock() }, nil
}

func cacheError(path string, err error) error {
	return &common.Error{Path: path, Kind: common.ErrOption, Message: "CacheDir cannot be used", Err: err}
}
