// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cachefile"
	"github.com/anyinfer/anyinfer/internal/cengine"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/metadata"
	"github.com/anyinfer/anyinfer/internal/nativelog"
	"github.com/anyinfer/anyinfer/internal/onnxfile"
	"github.com/anyinfer/anyinfer/internal/privdir"
)

// driver is the shim's driver with a cache of plans. It forwards each method by
// name; a test compares the method sets.
type driver struct {
	shim common.Driver
	log  nativelog.Log
}

func open(c common.Config) (common.Driver, error) {
	d, err := cengine.Open(&engine, c)
	if err != nil {
		return nil, err
	}
	return driver{shim: d, log: nativelog.New(c, spec.Engine, false)}, nil
}

func (d driver) Info() common.EngineInfo                              { return d.shim.Info() }
func (d driver) Devices(ctx context.Context) ([]common.Device, error) { return d.shim.Devices(ctx) }
func (d driver) Close() error                                         { return d.shim.Close() }

// request has the options that the cache passes to the shim: the user's and more.
type request struct {
	options   Options
	save      string            // the file to write the plan to
	timing    string            // the file to read measurements from and write them to
	built     bool              // the model is a plan that was built from an ONNX file
	precision string            // of a built plan
	metadata  map[string]string // of the file that has the plan
}

func (r request) keyValues() (map[string]string, error) {
	all, err := r.options.keyValues()
	if err != nil {
		return nil, err
	}
	set := func(key, value string) {
		if value != "" {
			all[key] = value
		}
	}
	set("save", r.save)
	set("timing_cache", r.timing)
	if r.built {
		set("built_from", "onnx")
		set("built_precision", r.precision)
	}
	return all, nil
}

// Load uses the cache if CacheDir is set.
func (d driver) Load(ctx context.Context, files *common.ModelFiles, o common.Options) (common.DriverModel, error) {
	options, ours := o.Native.(Options)
	if !ours && o.Native != nil { // the shim's driver refuses it
		return d.shim.Load(ctx, files, o)
	}
	if o.CacheDir == "" {
		return d.loadPlan(ctx, files, o, options)
	}
	if files.Format() != "onnx" || files.Len() != 1 {
		return nil, &common.Error{Kind: common.ErrOption, Message: "CacheDir is for ONNX models, whose plans it stores; a plan needs none"}
	}
	dir := o.CacheDir
	o.CacheDir = ""
	key, err := d.cacheKey(files, o, options)
	if err != nil {
		return nil, err
	}
	if err := privdir.Make(dir); err != nil { // a plan is code
		return nil, cacheError(dir, err)
	}
	e, err := newEntry(dir, key)
	if err != nil {
		return nil, cacheError(dir, err)
	}
	l := &cachedLoad{driver: d, entry: e, files: files, shared: o, own: options}
	return l.load(ctx)
}

// loadPlan loads a model, and if its file has metadata before a plan, only the plan.
func (d driver) loadPlan(ctx context.Context, files *common.ModelFiles, o common.Options, own Options) (common.DriverModel, error) {
	if files.Format() != "tensorrt" || files.Len() != 1 {
		return d.shim.Load(ctx, files, o)
	}
	about, plan := splitHeader(files.Bytes(0))
	if about == nil {
		return d.shim.Load(ctx, files, o)
	}
	inner, err := common.OpenFiles(ctx, common.Bytes(plan).As("tensorrt"), false) // a copy where the address is not aligned
	if err != nil {
		return nil, err
	}
	defer inner.Release()
	o.Native = request{options: own, metadata: about}
	m, err := d.shim.Load(ctx, inner, o)
	if err == nil {
		files.Release() // TensorRT has a copy
	}
	return m, err
}

// splitHeader splits a file into the metadata before its plan, nil if there is none, and
// the plan.
func splitHeader(file []byte) (about map[string]string, plan []byte) {
	if !formats.HasMetadata(file) {
		return nil, file
	}
	end := 4 + int(binary.LittleEndian.Uint32(file))
	if end >= len(file) {
		return nil, file
	}
	about, ok := metadata.AddObject(map[string]string{}, string(file[4:end]))
	if !ok {
		return nil, file
	}
	return about, file[end:]
}

// describe returns the metadata of an ONNX file, or that before a plan.
func describe(files *common.ModelFiles, o common.Options) map[string]string {
	if r, ok := o.Native.(request); ok && r.metadata != nil {
		return r.metadata
	}
	if files.Format() != "onnx" {
		return nil
	}
	about, _ := onnxfile.Describe(files.Bytes(0)) // TensorRT decides whether a file is damaged
	return about.Metadata
}

// cacheKey returns the key of a plan. It clears the options that do not affect a plan
// instead of listing those that do, so that options which are added later count.
func (d driver) cacheKey(files *common.ModelFiles, o common.Options, options Options) (key cacheKey, err error) {
	options.CUDAGraphs = false
	if o.Native, err = options.keyValues(); err != nil {
		return key, err
	}
	o.MapFiles, o.Profile, o.MaxWaiting = false, false, 0
	devices, err := d.Devices(context.Background())
	if err != nil {
		return key, err
	}
	info := d.Info()
	i := max(slices.IndexFunc(devices, func(c common.Device) bool { return c.Name == o.Device }), 0)
	o.Device = devices[i].Name
	key.Machine = machine{Version: info.Version, Device: devices[i].Description}
	key.Options = o
	for _, path := range options.Plugins {
		digest, _ := cachefile.Digest(path) // "" if only the system's loader finds the library
		key.Plugins = append(key.Plugins, digest)
	}
	key.Model, err = digest(files)
	return key, err
}

// digest returns the SHA-256 of an ONNX model with its external weights.
func digest(files *common.ModelFiles) (string, error) {
	names, err := onnxfile.External(files.Bytes(0))
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(files.Bytes(0))
	for _, name := range names {
		weights, err := files.Beside(name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "\n%q %d ", name, len(weights))
		h.Write(weights)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
