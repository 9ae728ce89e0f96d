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
)

func init() {
	common.Register(common.Registration{Name: spec.Engine, Formats: []common.Format{formats.TFLite}, Open: open})
}

// driver is the open library. It has no state of its own to free.
type driver struct {
	lib *dylib.Library
	log nativelog.Log
}

func open(c common.Config) (common.Driver, error) {
	if c.Native != nil {
		return nil, &common.Error{Kind: common.ErrOption, Message: "this engine has no options for Config.Native"}
	}
	if a := runtime.GOARCH; a != "amd64" && a != "arm64" {
		return nil, &common.Error{Kind: common.ErrNotAvailable, Message: "LiteRT is supported on amd64 and arm64, not on " + a}
	}
	if !hasAtomics() {
		return nil, &common.Error{Kind: common.ErrNotAvailable, Message: "LiteRT needs a processor of ARMv8.1 or newer, as Cortex-A76; engine tflite runs the same models on this one"}
	}
	lib, err := dylib.Open(spec, table, c.Library)
	if err == nil && runtime.GOOS == "windows" && !lib.Has(compiledEnvironment) { // its LiteRtLayout is another one
		err = &common.Error{Path: lib.Path, Kind: common.ErrVersion, Message: "on Windows LiteRT 2.2 or newer is needed", Hint: "anyinfer sdk install litert"}
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

// mayHaveGPU reports whether there is a GPU's device file: on Linux, LiteRT has an
// accelerator for GPUs wherever its library is. Options.Device can still name
// it, for a GPU in software.
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

// version is what this release is at least, by the functions that it has: the
// library does not say.
func (d *driver) version() string {
	switch {
	case d.lib.Has(compiledNotOnCPU):
		return ">= " + table[compiledNotOnCPU].Since
	case d.lib.Has(compiledEnvironment):
		return ">= " + table[compiledEnvironment].Since
	}
	return ">= 2.1.6"
}

// device is the hardware that Options.Device names, in an environment with its
// accelerator.
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
