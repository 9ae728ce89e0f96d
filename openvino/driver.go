// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

const engine = "openvino"

var spec = dylib.Spec{Engine: engine, Stem: "openvino_c", Sonames: sonames()}

func init() {
	common.Register(common.Registration{
		Name:         engine,
		Formats:      []common.Format{formats.OpenVINO, formats.ONNX, formats.TFLite, formats.TensorFlow, formats.Paddle},
		EmptyTensors: true,
		// OpenVINO needs no alignment, and does not read behind the last element.
		UnpaddedTensors: true,
		Options:         Options{},
		Open:            open,
	})
}

// driver is a core (ov_core_t) of the SDK.
type driver struct {
	lib     *dylib.Library
	core    uintptr
	release release
	info    common.EngineInfo
	log     nativelog.Log

	cpuPlugin sync.Once // of loadCPUPlugin
}

// sonames returns the versioned file names of the library, for packages that have
// no unversioned one.
func sonames() []string {
	var names []string
	for _, v := range []int{2641, 2640, 2631, 2630, 2621, 2620, 2610, 2600, 2541, 2540, 2530, 2520, 2510, 2500, 2460} {
		if runtime.GOOS == "darwin" {
			names = append(names, fmt.Sprintf("libopenvino_c.%d.dylib", v))
		} else {
			names = append(names, fmt.Sprintf("libopenvino_c.so.%d", v))
		}
	}
	return names
}

func open(cfg common.Config) (common.Driver, error) {
	if cfg.Native != nil {
		return nil, fail("open", common.ErrOption, "Config.Native is a %T; this engine has no options there", cfg.Native)
	}
	if a := runtime.GOARCH; a != "amd64" && a != "arm64" {
		return nil, fail("open", common.ErrNotAvailable, "OpenVINO is supported on amd64 and arm64, not on %s", a)
	}
	lib, err := dylib.Open(spec, symbols, cfg.Library)
	if err != nil {
		return nil, err
	}
	d := &driver{lib: lib, info: common.EngineInfo{Name: engine, Library: lib.Path}}
	d.log = nativelog.New(cfg, engine, !lib.Has(fnSetLogCallback))
	d.listen()
	if err := d.init(); err != nil {
		if e := (*common.Error)(nil); errors.As(err, &e) {
			e.Path = lib.Path // the file exists but cannot be used
		}
		return nil, err
	}
	return d, nil
}

func (d *driver) init() (err error) {
	if d.info.Version, err = d.version(); err != nil {
		return err
	}
	if d.release, err = parseRelease(d.info.Version); err != nil {
		return err
	}
	return d.log.Capture(d.start)
}

// start creates the core, which loads a device's plugin when it is first used.
func (d *driver) start() (err error) {
	if err := d.call("open", common.ErrNotAvailable, fnCoreCreate, dylib.Ptr(&d.core)); err != nil {
		return err
	}
	if d.release.mapsByCore() {
		err = d.call("open", common.ErrVersion, fnSetCoreProperty, append(variadic(dylib.Int(d.core), dylib.String("")), dylib.String("ENABLE_MMAP"), dylib.String("NO"))...)
	}
	if err != nil {
		d.Close()
	}
	return err
}

// mapsByCore reports whether ENABLE_MMAP is a setting of the core alone, for all
// models. Later releases also have it as a setting of one compilation.
func (r release) mapsByCore() bool { return r.before(2025, 0) }

// variadic returns the named arguments of a variadic C function, padded so that
// appended arguments are passed as the ABI passes variadic ones.
func variadic(named ...dylib.Arg) []dylib.Arg {
	if runtime.GOOS == "darwin" && runtime.GOARCH == "arm64" { // variadic arguments are on the stack, after the 8 registers
		named = append(named, make([]dylib.Arg, 8-len(named))...)
	}
	return named
}

func (d *driver) Info() common.EngineInfo { return d.info }

// Close frees the core. Package common has already closed the models.
func (d *driver) Close() error {
	d.lib.Call(fnCoreFree, dylib.Int(d.core))
	return nil
}

// version returns the SDK's build number, such as
// "2026.4.1-22982-e213a147257-releases/2026/4".
func (d *driver) version() (string, error) {
	v := new(cVersion)
	if err := d.call("open", common.ErrVersion, fnVersion, dylib.Ptr(v)); err != nil {
		return "", err
	}
	defer d.lib.Call(fnVersionFree, dylib.Ptr(v))
	return dylib.GoString(v.build), nil
}

// release is the year and minor number of a version.
type release struct{ year, minor int }

func (r release) before(year, minor int) bool {
	return r.year < year || r.year == year && r.minor < minor
}

// parseRelease returns the release of a version, or an error if it is too old.
func parseRelease(version string) (r release, err error) {
	if _, err := fmt.Sscanf(version, "%d.%d", &r.year, &r.minor); err != nil || r.before(2024, 6) {
		return r, &common.Error{
			Engine: engine, Op: "open", Kind: common.ErrVersion, Message: fmt.Sprintf("the library is version %q; 2024.6 or newer is needed", version),
			Hint: "anyinfer sdk install openvino",
		}
	}
	return r, nil
}

// defaultDevice is the device for an empty Options.Device. Every package of
// OpenVINO has its plugin.
const defaultDevice = "CPU"

const maxDevices = 1024 // a sanity limit

// Devices lists the devices, the CPU first. For this the core loads every plugin.
func (d *driver) Devices(context.Context) (devices []common.Device, err error) {
	err = d.log.Capture(func() error {
		d.cpuPlugin.Do(d.loadCPUPlugin)
		devices, err = d.devices()
		return err
	})
	return devices, err
}

// loadCPUPlugin makes the core load the CPU's plugin before any other call does,
// because loading it changes the signal stack of the calling thread, which
// KeepSignalStack restores. An error shows in the next call that needs the plugin.
func (d *driver) loadCPUPlugin() {
	dylib.KeepSignalStack(func() error {
		_, err := d.coreProperty(defaultDevice, "FULL_DEVICE_NAME")
		return err
	})
}

func (d *driver) devices() ([]common.Device, error) {
	list := new(cDevices)
	if err := d.call("devices", common.ErrDevice, fnCoreDevices, dylib.Int(d.core), dylib.Ptr(list)); err != nil {
		return nil, err
	}
	defer d.lib.Call(fnDevicesFree, dylib.Ptr(list))
	if list.names == 0 || list.size == 0 || list.size > maxDevices {
		return nil, fail("devices", common.ErrDevice, "OpenVINO found no device; are its plugins beside the library (%s)?", d.lib.Path)
	}
	names := make([]uintptr, list.size)
	dylib.CopyOut(names, list.names)
	var devices []common.Device
	for _, n := range names {
		device := common.Device{Name: dylib.GoString(n)}
		device.Description, _ = d.deviceProperty(device.Name, "FULL_DEVICE_NAME")
		devices = append(devices, device)
	}
	if i := slices.IndexFunc(devices, func(d common.Device) bool { return d.Name == "CPU" }); i > 0 {
		devices = slices.Insert(slices.Delete(devices, i, i+1), 0, devices[i])
	}
	return devices, nil
}

// device returns the device for the name in Options.Device, or an error. For the
// CPU it loads no other plugin.
func (d *driver) device(ctx context.Context, name string) (string, error) {
	if name == "" || name == defaultDevice {
		return defaultDevice, nil
	}
	plugin, _, _ := strings.Cut(name, ":")
	if slices.Contains([]string{"AUTO", "MULTI", "HETERO", "BATCH"}, plugin) {
		return name, nil // the SDK checks the combination
	}
	devices, err := d.Devices(ctx)
	if err != nil {
		return "", err
	}
	for _, dev := range devices {
		if dev.Name == name || strings.HasPrefix(dev.Name, name+".") { // "GPU" is the first of "GPU.0", "GPU.1"
			return name, nil
		}
	}
	return "", common.UnknownDevice(name, devices)
}

// Property returns the setting "KEY" of the default device, or "DEVICE/KEY".
func (d *driver) Property(key string) (string, error) {
	if device, key, ok := strings.Cut(key, "/"); ok {
		return d.deviceProperty(device, key)
	}
	return d.deviceProperty(defaultDevice, key)
}

func (d *driver) deviceProperty(device, key string) (string, error) {
	d.cpuPlugin.Do(d.loadCPUPlugin)
	return d.coreProperty(device, key)
}

// coreProperty returns a setting of a device. For that the core loads its plugin.
func (d *driver) coreProperty(device, key string) (string, error) {
	return d.callString("property", common.ErrOption, fnCoreProperty, dylib.Int(d.core), dylib.String(device), dylib.String(key))
}
