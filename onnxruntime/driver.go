// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

// telemetryVariable is the variable that turns off the telemetry of Microsoft's
// builds. The library reads it when it makes its environment.
const telemetryVariable = "ORT_DISABLE_TELEMETRY"

func init() {
	// Setting it later could race with code in C that reads a variable.
	if os.Getenv(telemetryVariable) == "" {
		os.Setenv(telemetryVariable, "1")
	}
	common.Register(common.Registration{
		Name:            engine,
		Formats:         []common.Format{formats.ONNX, formats.ORT},
		EmptyTensors:    true,
		UnpaddedTensors: true,
		Config:          Config{},
		Options:         Options{},
		Open:            open,
	})
}

// driver is a reference to the library's environment (OrtEnv), of which a process
// has only one.
type driver struct {
	api       *dylib.Library // the functions of table.go
	release   int            // of 1.x
	info      common.EngineInfo
	env       uintptr
	memory    uintptr  // OrtMemoryInfo of memory that the processor can use
	allocator uintptr  // of strings and lists that the library returns
	libraries []string // the names of Config.ProviderLibraries
	log       nativelog.Log
	logKey    uintptr // of loggers
	severity  int     // the lowest OrtLoggingLevel that is logged
}

// Config has ONNX Runtime's own options, for common.Config.Native. A nil Native is
// the zero Config.
type Config struct {
	// ProviderLibraries are the paths of libraries with execution providers, by names
	// of the caller's choice (RegisterExecutionProviderLibrary). What they offer is
	// then among Engine.Devices. This needs ONNX Runtime 1.22.
	ProviderLibraries map[string]string
}

func open(cfg common.Config) (common.Driver, error) {
	native, err := common.NativeOptions[Config](cfg.Native)
	if err != nil {
		return nil, err
	}
	lib, err := dylib.Open(spec, symbols, cfg.Library)
	if err != nil {
		return nil, err
	}
	base := make([]uintptr, baseFunctions)
	dylib.CopyOut(base, lib.Call(fnGetAPIBase))
	getters := dylib.FromTable(lib.Path, base)
	version := dylib.GoString(getters.Call(baseGetVersionString))
	release := parseRelease(version)
	api := uintptr(0)
	if release >= oldest { // an older library would print an error
		api = getters.Call(baseGetAPI, dylib.Int(min(release, newest)))
	}
	if api == 0 {
		return nil, &common.Error{
			Path: lib.Path, Kind: common.ErrVersion, Message: fmt.Sprintf("the library is version %q; 1.%d or newer is needed", version, oldest),
			Hint: "anyinfer sdk install onnxruntime",
		}
	}
	d := &driver{
		api: bindAPI(lib.Path, api, release), release: release,
		info: common.EngineInfo{Name: engine, Version: version, Library: lib.Path},
	}
	d.listen(cfg)
	if err := d.start(native); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// parseRelease returns the release of a version 1.x, or 0.
func parseRelease(version string) (release int) {
	var major int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &release); err != nil || major != 1 {
		return 0
	}
	return release
}

// envMu is held while the environment is made or released: ONNX Runtime 1.23 to 1.32
// fail to make one while another thread releases the last reference to it.
var envMu sync.Mutex

// start makes the environment.
func (d *driver) start(native Config) (err error) {
	envMu.Lock()
	d.env, err = d.get(common.ErrNotAvailable, fnCreateEnvWithCustomLogger, dylib.Int(onLog()), dylib.Int(0), dylib.Int(d.severity), dylib.String(engine))
	envMu.Unlock()
	if err == nil {
		d.memory, err = d.get(common.ErrNotAvailable, fnCreateCpuMemoryInfo, dylib.Int(deviceAllocator), dylib.Int(memoryDefault))
	}
	if err == nil {
		d.allocator, err = d.get(common.ErrNotAvailable, fnGetAllocatorWithDefaultOptions)
	}
	if err != nil {
		return err
	}
	if os.Getenv(telemetryVariable) == "1" { // for Windows, which has another kind of telemetry
		d.api.Call(fnDisableTelemetryEvents, dylib.Int(d.env))
	}
	return d.register(native.ProviderLibraries)
}

// These are values of OrtAllocatorType and OrtMemType.
const (
	deviceAllocator = 0
	memoryDefault   = 0
)

// register loads libraries of execution providers.
func (d *driver) register(libraries map[string]string) error {
	if len(libraries) > 0 && !d.api.Has(fnRegisterExecutionProviderLibrary) {
		return d.needs(22, "Config.ProviderLibraries")
	}
	for _, name := range slices.Sorted(maps.Keys(libraries)) {
		if strings.ContainsRune(name+libraries[name], 0) {
			return fail(common.ErrOption, "the library %q: %q has a NUL character", name, libraries[name])
		}
		err := d.call(common.ErrOption, fnRegisterExecutionProviderLibrary, dylib.Int(d.env), dylib.String(name), osString(libraries[name]))
		if err != nil {
			return err
		}
		d.libraries = append(d.libraries, name)
	}
	return nil
}

func (d *driver) Info() common.EngineInfo { return d.info }

// Close releases the environment. Package common has already closed the models.
func (d *driver) Close() error {
	for _, name := range d.libraries {
		d.api.Call(fnUnregisterExecutionProviderLibrary, dylib.Int(d.env), dylib.String(name))
	}
	d.free(fnReleaseMemoryInfo, d.memory)
	envMu.Lock()
	d.free(fnReleaseEnv, d.env)
	envMu.Unlock()
	loggers.Delete(d.logKey)
	return nil
}
