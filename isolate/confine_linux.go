// SPDX-License-Identifier: Apache-2.0

package isolate

import (
	"debug/elf"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/sandbox"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// systemFiles are what programs and the engines' libraries read of the system. Nothing in them is a secret.
var systemFiles = []string{
	"/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache",
	"/proc/self/maps", "/proc/self/status", "/proc/self/stat", "/proc/self/statm", "/proc/self/cgroup", "/proc/self/mountinfo",
	"/proc/self/auxv", "/proc/self/exe", "/proc/self/fd", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/sys/vm", "/proc/sys/kernel/osrelease",
	"/sys/devices/system", "/sys/bus/pci/devices", "/sys/fs/cgroup", "/sys/kernel/mm",
	"/dev/urandom", "/dev/random", "/dev/zero",
}

// devices are the device files of kinds of processors, by what the names of Options.Device begin with in lower case. An
// engine for such processors alone is there by its own name.
var devices = map[string][]string{
	"gpu":      {"/dev/dri", "/dev/nvidia*", "/dev/kgsl-3d0", "/dev/mali0"},
	"cuda":     {"/dev/nvidia*"},
	"tensorrt": {"/dev/nvidia*", "/dev/nvhost*", "/dev/nvmap"},
	"npu":      {"/dev/accel", "/dev/dri"},
	"opencl":   {"/dev/dri", "/dev/nvidia*", "/dev/kgsl-3d0", "/dev/mali0"},
	"vulkan":   {"/dev/dri", "/dev/nvidia*", "/dev/kgsl-3d0", "/dev/mali0"},
}

// deviceFiles are what the drivers of these processors read.
var deviceFiles = []string{
	"/sys/dev", "/sys/class", "/sys/bus", "/sys/devices", "/sys/module", "/proc/driver", "/proc/devices", "/proc/modules",
	"/etc/OpenCL", "/etc/vulkan", "/usr/share/vulkan", "/usr/share/glvnd",
}

// rules are what the children for a model may use.
type rules struct{ read, write, devices []string }

// newRules returns the rules for a model in that folder, or in memory, loaded with these options; nil: for no model.
func (e *engine) newRules(folder string, o *common.Options) *rules {
	r := &rules{read: slices.Concat(systemFiles, e.options.Read), write: slices.Clone(e.options.Write)}
	if root, err := sdkdir.Root(); err == nil {
		r.read = append(r.read, root, resolved(filepath.Join(root, e.registration.Name))) // which may be a link
	}
	for _, library := range []string{e.config.Library, e.options.getenv("ANYINFER_" + strings.ToUpper(e.registration.Name) + "_LIBRARY")} {
		r.readFolderOf(library)
	}
	r.read = append(r.read, filepath.SplitList(e.options.getenv("LD_LIBRARY_PATH"))...)
	r.readPathsIn(e.config.Native)
	r.addDevicesOf(e.registration.Name)
	if folder != "" {
		r.read = append(r.read, folder)
	}
	if o != nil {
		r.addDevicesOf(o.Device)
		r.readPathsIn(o.Native)
		if o.CacheDir != "" {
			r.write = append(r.write, o.CacheDir)
		}
	}
	return r
}

// addDevicesOf adds the files of the processors that a device's or an engine's name stands for.
func (r *rules) addDevicesOf(name string) {
	for begin, files := range devices {
		if strings.HasPrefix(strings.ToLower(name), begin) {
			r.devices = append(r.devices, files...)
			r.read = append(r.read, deviceFiles...)
		}
	}
}

// addAllDevices adds the files of all processors.
func (r *rules) addAllDevices() {
	for name := range devices {
		r.addDevicesOf(name)
	}
}

// readFolderOf adds the folder of a library, in which the libraries are that it needs, or a folder itself.
func (r *rules) readFolderOf(path string) {
	for _, p := range []string{path, resolved(path)} {
		info, err := os.Stat(p)
		switch {
		case p == "" || err != nil:
		case info.IsDir():
			r.read = append(r.read, p)
			shims, _ := filepath.Glob(filepath.Join(p, "libanyinfer_*.so"))
			for _, shim := range shims {
				folders, _ := runPaths(shim)
				r.read = append(r.read, folders...)
			}
		default:
			if folders, ok := runPaths(p); ok {
				r.read = append(append(r.read, filepath.Dir(p)), folders...)
			} else {
				r.read = append(r.read, p)
			}
		}
	}
}

// runPaths returns the folders of the libraries that a library needs, as far as its file names them, and whether the file
// is a library.
func runPaths(library string) (folders []string, ok bool) {
	file, err := elf.Open(library)
	if err != nil {
		return nil, false
	}
	defer file.Close()
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		lists, _ := file.DynString(tag)
		for _, list := range lists {
			folders = append(folders, filepath.SplitList(strings.ReplaceAll(list, "$ORIGIN", filepath.Dir(library)))...)
		}
	}
	return folders, true
}

func resolved(path string) string {
	target, _ := filepath.EvalSymlinks(path)
	return target
}

// readPathsIn adds the files and folders that the fields of an engine's own options name.
func (r *rules) readPathsIn(native any) {
	for v := range stringsIn(reflect.ValueOf(native)) {
		if strings.ContainsRune(v, filepath.Separator) {
			r.readFolderOf(v)
		}
	}
}

// stringsIn yields the strings in fields, slices and maps.
func stringsIn(v reflect.Value) iter.Seq[string] {
	return func(yield func(string) bool) {
		var walk func(v reflect.Value) bool
		walk = func(v reflect.Value) bool {
			switch v.Kind() {
			case reflect.String:
				return yield(v.String())
			case reflect.Struct:
				for i := range v.NumField() {
					if !walk(v.Field(i)) {
						return false
					}
				}
			case reflect.Slice:
				for i := range v.Len() {
					if !walk(v.Index(i)) {
						return false
					}
				}
			case reflect.Map:
				for _, key := range v.MapKeys() {
					if !walk(key) || !walk(v.MapIndex(key)) {
						return false
					}
				}
			}
			return true
		}
		walk(v)
	}
}

func (r *rules) equal(o *rules) bool {
	return slices.Equal(r.read, o.read) && slices.Equal(r.write, o.write) && slices.Equal(r.devices, o.devices)
}

// sandbox returns what a child with this private folder gives itself; nil: nothing.
func (o *Options) sandbox(r *rules, temp string) *sandbox.Rules {
	if o.Sandbox == NoSandbox {
		return nil
	}
	s := &sandbox.Rules{
		Read: r.read, Write: append(slices.Clip(r.write), "/dev/null"), Own: []string{temp}, NoLandlock: o.Sandbox == SystemCalls,
		Files: socketFD + 1,
		Exec:  []string{"/proc/self/exe", "/lib", "/lib64", "/usr/lib", "/usr/lib64"}, // with the loader
	}
	for _, pattern := range r.devices {
		files, _ := filepath.Glob(pattern)
		s.Devices = append(s.Devices, files...)
	}
	return s
}

// checkSandbox returns an error if this kernel does not have the sandbox.
func (o *Options) checkSandbox() error {
	err := sandbox.Landlock()
	if o.Sandbox == NoSandbox || err == nil {
		return nil
	}
	hint := "use Linux 5.13 or newer with landlock, or set isolate.Options.Sandbox to SystemCalls, with which models can read and change files"
	switch {
	case !slices.Contains([]string{"amd64", "arm64", "arm"}, runtime.GOARCH):
		hint = "set isolate.Options.Sandbox to NoSandbox, with which models can do what the program can"
	case o.Sandbox == SystemCalls:
		return nil
	}
	return &common.Error{
		Kind: common.ErrNotAvailable, Message: "this kernel cannot keep a process from reading files",
		Err: fmt.Errorf("%w: %w", ErrNoSandbox, err), Hint: hint,
	}
}
