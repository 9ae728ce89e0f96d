// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
)

// Options are ONNX Runtime's own options, for common.Options.Native. A nil Native is
// the zero Options.
type Options struct {
	// Optimization is the level of graph optimizations: "disable", "basic",
	// "extended" or "all" (SetSessionGraphOptimizationLevel). Empty: "all".
	Optimization string
	// Config has entries of the session's configuration (AddSessionConfigEntry),
	// such as "session.intra_op.allow_spinning": "1". ONNX Runtime ignores keys that
	// it does not know.
	Config map[string]string
	// RunConfig has entries of the configuration of each Run (AddRunConfigEntry),
	// such as "memory.enable_memory_arena_shrinkage": "cpu:0", which returns memory
	// to the system after each Run.
	RunConfig map[string]string
	// Provider has the options of the execution provider that Options.Device names,
	// by its own keys, such as "device_id": "1" for CUDA.
	Provider map[string]string
	// CustomOps are the paths of libraries with operators
	// (RegisterCustomOpsLibrary_V2). They run code in this process.
	CustomOps []string
}

// levels are the values of GraphOptimizationLevel.
var levels = map[string]int{"disable": 0, "basic": 1, "extended": 2, "all": 99, "": 99}

// settings are the options of a load, from which session options are made.
type settings struct {
	common   common.Options // Native is not used
	native   Options
	provider provider
	dims     map[string]int // lengths of named dimensions, from Options.Shapes
}

// refused has the entries of the session's configuration that are not safe here.
var refused = map[string]string{
	"session.use_ort_model_bytes_directly":                    "is not possible, because the file's memory is freed after Load",
	"session.use_ort_model_bytes_for_initializers":            "is not possible, because the file's memory is freed after Load",
	"session.set_denormal_as_zero":                            "would change the arithmetic of Go code on the thread that loads the model",
	"session.optimized_model_external_initializers_file_name": "is not possible, because a cache has one file for each model",
}

// newSettings returns an error for options that this engine does not have.
func (d *driver) newSettings(ctx context.Context, o common.Options) (s settings, err error) {
	s.common = o
	if s.native, err = common.NativeOptions[Options](o.Native); err != nil {
		return s, err
	}
	if _, ok := levels[s.native.Optimization]; !ok {
		return s, fail(common.ErrOption, "Optimization is %q; it can be disable, basic, extended or all", s.native.Optimization)
	}
	if o.Precision == common.Float16 || o.Precision == common.BFloat16 {
		return s, fail(common.ErrOption, "Precision is %v, but ONNX Runtime computes in the model's own types; convert the model", o.Precision)
	}
	for _, entries := range []map[string]string{s.native.Config, s.native.RunConfig, s.native.Provider} {
		for k, v := range entries {
			if k == "" || strings.ContainsRune(k+v, 0) {
				return s, fail(common.ErrOption, "the entry %q: %q has no name, or has a NUL character", k, v)
			}
		}
	}
	for _, path := range s.native.CustomOps {
		if strings.ContainsRune(path, 0) {
			return s, fail(common.ErrOption, "the path %q has a NUL character", path)
		}
	}
	for key, why := range refused {
		if _, ok := s.native.Config[key]; ok {
			return s, fail(common.ErrOption, "Config: %s %s", key, why)
		}
	}
	s.provider, err = d.provider(ctx, o.Device)
	return s, err
}

// sessionOptions makes an OrtSessionOptions.
func (d *driver) sessionOptions(s settings) (options uintptr, err error) {
	if options, err = d.get(common.ErrModel, fnCreateSessionOptions); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			d.free(fnReleaseSessionOptions, options)
		}
	}()
	set := func(fn int, args ...dylib.Arg) {
		if err == nil {
			err = d.call(common.ErrOption, fn, append([]dylib.Arg{dylib.Int(options)}, args...)...)
		}
	}
	set(fnSetSessionGraphOptimizationLevel, dylib.Int(levels[s.native.Optimization]))
	set(fnSetIntraOpNumThreads, dylib.Int(s.pool()))
	set(fnSetInterOpNumThreads, dylib.Int(1))
	config := s.config()
	for _, key := range slices.Sorted(maps.Keys(config)) {
		set(fnAddSessionConfigEntry, dylib.String(key), dylib.String(config[key]))
	}
	for _, name := range slices.Sorted(maps.Keys(s.dims)) {
		set(fnAddFreeDimensionOverrideByName, append([]dylib.Arg{dylib.String(name)}, int64Words(int64(s.dims[name]))...)...)
	}
	for _, path := range s.native.CustomOps {
		set(fnRegisterCustomOpsLibraryV2, osString(path))
	}
	if err == nil {
		err = d.setLogger(options)
	}
	if err == nil {
		err = d.appendProvider(options, s.provider, s.native.Provider)
	}
	return options, err
}

// config returns the entries of the session's configuration.
func (s settings) config() map[string]string {
	config := map[string]string{
		// A thread that spins while it waits takes a core from the rest of the program.
		"session.intra_op.allow_spinning": "0", "session.inter_op.allow_spinning": "0",
		// ONNX Runtime gets all files that a model may have as memory. It must not look for
		// others in the working folder, which a crafted model could name.
		"session.model_external_initializers_file_folder_path": filepath.Join(os.DevNull, "none"),
	}
	maps.Copy(config, s.native.Config)
	return config
}

// setLogger makes a session log to d's Logger.
func (d *driver) setLogger(options uintptr) error {
	if err := d.call(common.ErrModel, fnSetUserLoggingFunction, dylib.Int(options), dylib.Int(onLog()), dylib.Int(d.logKey)); err != nil {
		return err
	}
	return d.call(common.ErrModel, fnSetSessionLogSeverityLevel, dylib.Int(options), dylib.Int(d.severity))
}

// pool returns the number of threads that the model's sessions share, of which each
// that runs is one itself: no more than all sessions together may use.
func (s settings) pool() int { return max(s.common.Sessions, 1)*(s.common.ThreadsPerRun()-1) + 1 }
