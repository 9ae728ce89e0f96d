// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/privdir"
)

// Options are OpenVINO's own options, for common.Options.Native. A nil Native is
// the zero Options. They become properties of ov_core_compile_model.
type Options struct {
	// Streams is the number of Runs that the device executes at the same time,
	// each with its share of the threads (NUM_STREAMS). 0: Sessions, or, for a
	// small model on the CPU, one in each of several compiled models (see the
	// package documentation).
	Streams int
	// Hint is the goal of OpenVINO's own choices (PERFORMANCE_HINT): "latency",
	// "throughput" or "cumulative_throughput". Empty: "latency".
	Hint string
	// Properties are passed to the device as they are, and override the other
	// options. OpenVINO's documentation lists them by device. Properties that
	// OpenVINO would accept and ignore are refused: ENABLE_MMAP (use
	// common.Options.MapFiles), CACHE_DIR (use CacheDir), CACHE_MODE without a
	// CacheDir, FORCE_TBB_TERMINATE, batching properties on the CPU, and more.
	Properties map[string]string
}

// ineffective returns the reason why OpenVINO accepts but ignores a property when
// it compiles a model for a device; "" if it does not ignore it.
func ineffective(key, device string, o common.Options) string {
	switch key {
	case "ENABLE_MMAP":
		return "it is for reading a model, but this package reads the files itself; use Options.MapFiles"
	case "CACHE_DIR":
		return "use Options.CacheDir"
	case "CACHE_BLOB_ID", "WEIGHTS_PATH":
		return "it is for compiled models that are exported and imported; use Options.CacheDir"
	case "CACHE_ENCRYPTION_CALLBACKS", "MODEL_PTR":
		return "its value is a pointer, which text cannot hold"
	case "CACHE_MODE", "ENABLE_WEIGHTLESS":
		if o.CacheDir == "" {
			return "it is for a cache; also set Options.CacheDir"
		}
	case "FORCE_TBB_TERMINATE":
		return "it is for the whole process, not for a model"
	case "ALLOW_AUTO_BATCHING", "AUTO_BATCH_TIMEOUT":
		if device == "CPU" {
			return "the CPU has no automatic batching"
		}
	}
	return ""
}

// settings are OpenVINO's properties by their keys.
type settings map[string]string

type property struct{ key, value string }

// sorted returns the properties in the order of their keys.
func (s settings) sorted() []property {
	var list []property
	for _, k := range slices.Sorted(maps.Keys(s)) {
		list = append(list, property{k, s[k]})
	}
	return list
}

// maxSplit is the size in bytes of a model's files up to which each session gets a
// compiled model of its own instead of a stream. The streams of one compiled model
// share a lock and wake each other, which costs more than Runs of microseconds. On
// two cores, two compiled models made 1.6 times as many Runs a second with the
// digits model of 30 KB, and 1.7 to 2.3 times as many with networks of 16 KB to 1
// MiB whose Runs take 6 to 30 us, but no more with Runs of 0.4 ms. With larger
// models the gain is smaller (1.2 with 3 MiB) and the cost higher: each compiled
// model has its own copy of the weights, and if the copies do not fit into the
// cache, streams are faster (1.6 times with 16 MiB).
const maxSplit = 1 << 20

// split returns the number of compiled models among which the sessions of a small
// model are divided: one for each session, but no more than there are cores. If it
// is more than one, split changes s to the settings of each: one stream, with its
// share of the threads. With one thread, the calling thread itself executes Runs.
func (s settings) split(device string, o common.Options) int {
	native, _ := o.Native.(Options)
	_, streams := native.Properties["NUM_STREAMS"]
	_, threads := native.Properties["INFERENCE_NUM_THREADS"]
	if device != defaultDevice || native.Streams != 0 || streams || threads {
		return 1
	}
	cores := runtime.NumCPU()
	if o.Threads == 0 {
		cores = min(cores, runtime.GOMAXPROCS(0))
	}
	n := min(o.Sessions, cores)
	if n < 2 {
		return 1
	}
	share := cores / n
	if o.Threads > 0 {
		share = min(share, o.Threads)
	}
	s["NUM_STREAMS"], s["INFERENCE_NUM_THREADS"] = "1", strconv.Itoa(share)
	return n
}

// settings returns the properties for compiling a model that all sessions share.
func (d *driver) settings(device string, o common.Options) (settings, error) {
	native, err := common.NativeOptions[Options](o.Native)
	if err != nil {
		return nil, err
	}
	streams := native.Streams
	if streams == 0 && o.Sessions > 1 {
		streams = o.Sessions
	}
	hints := []string{"LATENCY", "THROUGHPUT", "CUMULATIVE_THROUGHPUT"}
	mode := strings.ToUpper(native.Hint)
	if mode == "" {
		mode = hints[0]
	}
	if !slices.Contains(hints, mode) {
		return nil, fail("load", common.ErrOption, "Hint is %q; it can be %s", native.Hint, strings.ToLower(strings.Join(hints, ", ")))
	}
	if streams < 0 {
		return nil, fail("load", common.ErrOption, "Streams is %d; it can be 0 (the number of sessions) or more", streams)
	}
	set := settings{"PERFORMANCE_HINT": mode}
	if streams > 0 {
		set["NUM_STREAMS"] = strconv.Itoa(streams)
	}
	if o.Threads > 0 {
		set["INFERENCE_NUM_THREADS"] = strconv.Itoa(o.Threads * max(streams, 1))
	}
	if strings.HasPrefix(device, "CPU") {
		if all := runtime.GOMAXPROCS(0); o.Threads == 0 && all < runtime.NumCPU() { // otherwise OpenVINO's own choice is good
			set["INFERENCE_NUM_THREADS"] = strconv.Itoa(all)
		}
		// OpenVINO would pin the calling thread, which belongs to Go, with two
		// system calls in each Run, and every model's threads to the same cores.
		set["ENABLE_CPU_PINNING"] = "NO"
	}
	if o.CacheDir != "" {
		if err := privdir.Make(o.CacheDir); err != nil { // because the cache contains code
			return nil, &common.Error{Engine: engine, Op: "load", Kind: common.ErrOption, Message: "CacheDir cannot be used", Err: err}
		}
		set["CACHE_DIR"] = o.CacheDir
		// If a file of the cache were mapped, changing it would change results,
		// or end the process.
		if !d.release.mapsByCore() {
			set["ENABLE_MMAP"] = "NO"
		}
	}
	if o.Profile {
		set["PERF_COUNT"] = "YES"
	}
	if o.Precision == common.Float16 || o.Precision == common.BFloat16 {
		set["INFERENCE_PRECISION_HINT"] = precisionName(o.Precision)
	} else {
		// By default, devices that have bf16 or f16 use them instead of float32,
		// and CPUs quantize activations of models with compressed weights.
		set["EXECUTION_MODE_HINT"] = "ACCURACY"
		capabilities, err := d.deviceProperty(device, "OPTIMIZATION_CAPABILITIES")
		if o.Precision != 0 || err != nil || strings.Contains(capabilities, "FP32") {
			set["INFERENCE_PRECISION_HINT"] = "f32"
		}
	}
	for k, v := range native.Properties {
		if k == "" || strings.ContainsRune(k+v, 0) {
			return nil, fail("load", common.ErrOption, "property %q=%q has no name, or has a NUL character", k, v)
		}
		if why := ineffective(k, device, o); why != "" {
			return nil, fail("load", common.ErrOption, "property %q has no effect here: %s", k, why)
		}
		set[k] = v
	}
	return set, nil
}
