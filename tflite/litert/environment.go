// SPDX-License-Identifier: Apache-2.0

package litert

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/tfl"
)

// environment is a LiteRtEnvironment with its accelerators. Each library has one for the CPU and, once a program uses
// other devices, one for all devices, whose accelerators take time and some MB to load. Environments are never
// destroyed: loading a GPU's accelerator takes one of the process's 1024 thread keys and never frees it.
type environment struct {
	handle   uintptr
	devices  []common.Device
	hardware []uint32   // of each device
	deviceMu sync.Mutex // locked during each call that uses a device other than the CPU
}

var environments = struct {
	mu  sync.Mutex
	all map[environmentKey]*environment
}{all: map[environmentKey]*environment{}}

type environmentKey struct {
	library  string
	hardware uint32
}

// environmentFor returns the environment with the accelerators for hardware, and makes it in the first call.
func (d *driver) environmentFor(hardware uint32) (*environment, error) {
	environments.mu.Lock()
	defer environments.mu.Unlock()
	key := environmentKey{d.lib.Path, hardware}
	e := environments.all[key]
	if e != nil {
		return e, nil
	}
	e = new(environment)
	err := d.log.Capture(func() (err error) {
		if e.handle, err = d.newEnvironment(silent, hardware); err != nil {
			return err
		}
		if err = e.findDevices(d.lib, hardware); err != nil {
			d.lib.Call(environmentDestroy, dylib.Int(e.handle))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	environments.all[key] = e
	return e, nil
}

// These are levels of LiteRT's log. The process has one log, which goes to stderr. Each new environment sets its
// minimum level.
const errorsOnly, silent = 3, 4

// These are bits of LiteRtHwAccelerators.
const cpu, gpu, npu = 1, 2, 4

// accelerators returns the hardware whose accelerators' libraries are in the folder of the engine's library.
func (d *driver) accelerators() uint32 {
	hardware := uint32(cpu)
	if filepath.IsAbs(d.lib.Path) {
		files, _ := os.ReadDir(filepath.Dir(d.lib.Path))
		for _, f := range files {
			name := strings.TrimPrefix(f.Name(), "lib")
			if strings.HasPrefix(name, "LiteRtDispatch") {
				hardware |= npu
			} else if strings.HasPrefix(name, "LiteRt") && strings.Contains(name, "Accelerator") {
				hardware |= gpu
			}
		}
	}
	return hardware
}

// newEnvironment makes a LiteRtEnvironment with the accelerators for hardware.
func (d *driver) newEnvironment(severity int, hardware uint32) (uintptr, error) {
	const dispatchFolder, runtimeFolder, accelerators, minSeverity = 1, 22, 24, 25 // LiteRtEnvOptionTag
	const integer, text = 2, 8                                                     // LiteRtAnyType
	type number struct {                                                           // LiteRtEnvOption
		tag, _, kind, _ int32
		value           int64
	}
	type path struct { // LiteRtEnvOption
		tag, _, kind, _ int32
		value           *byte
	}
	folder := append([]byte(filepath.Dir(d.lib.Path)), 0)
	var pin runtime.Pinner // pins folder until LiteRT has copied it
	defer pin.Unpin()
	pin.Pin(&folder[0])
	o := &struct {
		severity, accelerators number
		runtime, dispatch      path
	}{
		number{tag: minSeverity, kind: integer, value: int64(severity)},
		number{tag: accelerators, kind: integer, value: int64(hardware)},
		path{tag: runtimeFolder, kind: text, value: &folder[0]},
		path{tag: dispatchFolder, kind: text, value: &folder[0]},
	}
	handle := new(uintptr)
	r := d.lib.Call(environmentCreate, dylib.Int(4), dylib.Ptr(o), dylib.Ptr(handle))
	err := status(r, common.ErrNotAvailable, "LiteRtCreateEnvironment")
	return *handle, err
}

var deviceNames = map[uint32]string{cpu: "CPU", gpu: "GPU", npu: "NPU"}

// findDevices lists the accelerators that the library reports or, if it has no function for that, the devices in
// installed. The CPU comes first.
func (e *environment) findDevices(lib *dylib.Library, installed uint32) error {
	add := func(hardware uint32, description string) {
		if deviceNames[hardware] == "" || slices.Contains(e.hardware, hardware) {
			return
		}
		at := len(e.hardware)
		if hardware == cpu {
			description, at = runtime.GOARCH, 0
		}
		e.hardware = slices.Insert(e.hardware, at, hardware)
		e.devices = slices.Insert(e.devices, at, common.Device{Name: deviceNames[hardware], Description: description})
	}
	if !lib.Has(acceleratorCount) {
		for _, hardware := range []uint32{cpu, gpu, npu} {
			add(hardware&installed, "")
		}
		return nil
	}
	n := new(uintptr)
	r := lib.Call(acceleratorCount, dylib.Int(e.handle), dylib.Ptr(n))
	if err := status(r, common.ErrDevice, "LiteRtGetNumAccelerators"); err != nil {
		return err
	}
	const maxAccelerators = 1024 // a sanity limit
	for i := range int(min(*n, maxAccelerators)) {
		accelerator, name, hardware := new(uintptr), new(uintptr), new(uint32)
		lib.Call(acceleratorAt, dylib.Int(e.handle), dylib.Int(i), dylib.Ptr(accelerator))
		lib.Call(acceleratorName, dylib.Int(*accelerator), dylib.Ptr(name))
		lib.Call(acceleratorHardware, dylib.Int(*accelerator), dylib.Ptr(hardware))
		add(*hardware, dylib.GoString(*name))
	}
	if len(e.hardware) == 0 {
		return tfl.Errorf(common.ErrDevice, "this build of LiteRT reports no accelerator, not even for the CPU")
	}
	return nil
}
