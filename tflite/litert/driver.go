// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/nativelog"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

func init() {
	common.Register(common.Registration{Name: spec.Engine, Formats: []common.Format{formats.TFLite}, Options: Options{}, Open: open})
}

// driver is the open library. It has nothing to free: dylib never unloads a library, and environments are kept.
type driver struct {
	lib *dylib.Library
	log nativelog.Log
}

func open(c common.Config) (common.Driver, error) {
	if c.Native != nil {
		return nil, tfl.Errorf(common.ErrOption, "Config.Native is a %T; this engine has no options there: leave it nil",
			c.Native)
	}
	if a := runtime.GOARCH; a != "amd64" && a != "arm64" {
		return nil, tfl.Errorf(common.ErrNotAvailable, "LiteRT runs on amd64 and arm64, not on %s; use engine \"tflite\"", a)
	}
	if !hasAtomics() {
		return nil, tfl.Errorf(common.ErrNotAvailable,
			"LiteRT needs a processor of ARMv8.1 or newer, such as Cortex-A76; engine tflite runs the same models on this one")
	}
	lib, err := dylib.Open(spec, table, c.Library)
	if err == nil && runtime.GOOS == "windows" && !lib.Has(compiledEnvironment) {
		// LiteRtLayout has other members in older releases for Windows.
		err = &common.Error{Path: lib.Path, Kind: common.ErrVersion, Message: "on Windows LiteRT 2.2 or newer is needed",
			Hint: "anyinfer sdk install litert"}
	}
	if e := (*common.Error)(nil); errors.As(err, &e) && e.Kind == common.ErrVersion {
		e.Message = "LiteRT 2.1.6 or newer is needed: " + e.Message
	}
	if err != nil {
		return nil, err
	}
	d := &driver{lib: lib, log: nativelog.New(c, spec.Engine, true)}
	if _, err := d.environmentFor(cpu); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *driver) Info() common.EngineInfo {
	return common.EngineInfo{Name: spec.Engine, Version: d.version(), Library: d.lib.Path}
}

func (d *driver) Devices(context.Context) ([]common.Device, error) {
	e, err := d.environmentFor(d.accelerators())
	if err != nil {
		return nil, err
	}
	devices := slices.Clone(e.devices)
	if !mayHaveGPU() {
		devices = slices.DeleteFunc(devices, func(d common.Device) bool { return d.Name == deviceNames[gpu] })
	}
	return devices, nil
}

// mayHaveGPU reports whether the system has a GPU's device file. On Linux, LiteRT lists a GPU wherever its
// accelerator's library is installed. Options.Device can name a GPU even if mayHaveGPU returns false, for a GPU
// that is emulated in software.
func mayHaveGPU() bool {
	if runtime.GOOS != "linux" && runtime.GOOS != "android" {
		return true
	}
	for _, pattern := range []string{
		"/dev/dri/renderD*", "/dev/nvidia[0-9]*", "/dev/nvhost-gpu", "/dev/nvgpu", "/dev/mali*", "/dev/kgsl-3d*", "/dev/dxg",
	} {
		if files, _ := filepath.Glob(pattern); files != nil {
			return true
		}
	}
	return false
}

// version returns the oldest release that has this library's functions, as LiteRT does not report its version.
func (d *driver) version() string {
	switch {
	case d.lib.Has(compiledNotOnCPU):
		return ">= " + table[compiledNotOnCPU].Since
	case d.lib.Has(compiledEnvironment):
		return ">= " + table[compiledEnvironment].Since
	}
	return ">= 2.1.6"
}

// device returns the hardware that Options.Device names, and an environment that has its accelerator.
func (d *driver) device(name string) (*environment, uint32, error) {
	if name == "" || name == deviceNames[cpu] {
		e, err := d.environmentFor(cpu)
		return e, cpu, err
	}
	e, err := d.environmentFor(d.accelerators())
	if err != nil {
		return nil, 0, err
	}
	for i, device := range e.devices {
		if name == device.Name {
			return e, e.hardware[i], nil
		}
	}
	return nil, 0, common.UnknownDevice(name, e.devices)
}

func (d *driver) Load(ctx context.Context, files *common.ModelFiles, o common.Options) (common.DriverModel, error) {
	environment, hardware, err := d.device(o.Device)
	if err != nil {
		return nil, err
	}
	n, err := nativeOptions(o, hardware)
	if err != nil {
		return nil, err
	}
	return d.load(files, o, n, environment, hardware)
}

func (d *driver) Close() error { return nil }
