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

// Options are OpenVINO's own options, for common.Options.Native. The zero
// Options are those of a nil Native.
type Options struct {
	// Streams is how many Runs the device works on side by side, each on its
	// share of the threads (NUM_STREAMS). 0: as many as Sessions or, for a small
	// model on the CPU, one in each of several compiled models (see the package).
	Streams int
	// Hint is what to tune for (PERFORMANCE_HINT): "latency", "throughput"
	// or "cumulative_throughput". Empty: latency.
	Hint string
	// Properties are handed to the device as they are and win over what the
	// other options set. OpenVINO's documentation lists them by device. One that
	// takes no effect where a model is compiled is refused as an unknown one is:
	// ENABLE_MMAP (see common.Options.MapFiles), CACHE_DIR (CacheDir), CACHE_MODE
	// without a CacheDir, FORCE_TBB_TERMINATE, on the CPU those of batching, and
	// some more.
	Properties map[string]string
}

// ineffective is why OpenVINO ignores a property that it accepts when it
// compiles a model for a device; "" where it does not.
func ineffective(key, device string, o common.Options) string {
	switch key {
	case "ENABLE_MMAP":
		return "it is for reading a model, and this package reads its files itself; use Options.MapFiles"
	case "CACHE_DIR":
		return "use Options.CacheDir"
	case "CACHE_BLOB_ID", "WEIGHTS_PATH":
		return "it is for compiled models that are exported and imported; use Options.CacheDir"
	case "CACHE_ENCRYPTION_CALLBACKS", "MODEL_PTR":
		return "its value is a pointer, which text cannot hold"
	case "CACHE_MODE", "ENABLE_WEIGHTLESS":
		if o.CacheDir == "" {
			return "it is for a cache; set Options.CacheDir, too"
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

// settings are properties by OpenVINO's names for them.
type settings map[string]string

// property is one of them.
type property struct{ key, value string }

// sorted are the properties by key.
func (s settings) sorted() []property {
	var list []property
	for _, k := range slices.Sorted(maps.Keys(s)) {
		list = append(list, property{k, s[k]})
	}
	return list
}

// maxSplit is the size of a model's files, in bytes, up to which each session
// gets a compiled model of its own instead of a stream. Streams of one compiled
// model take turns at a lock and wake each other: with Runs of microseconds that
// costs more than the Runs. On two cores two compiled models made 1.6 times as
// many Runs a second with the 30 KB of digits, and 1.7 to 2.3 times as many with
// networks of 16 KB to 1 MiB whose Runs take 6 to 30 us; as many, where Runs take
// 0.4 ms or more. Above, what is gained becomes less (1.2 with 3 MiB), and what
// it costs more: each compiled model has its own copy of the weights, and where
// they no longer fit the cache together, streams are faster (1.6 times with
// 16 MiB).
const maxSplit = 1 << 20

// split returns how many compiled models the sessions of a small model share:
// as many as there are sessions, or cores. Where that is more than one, it
// changes s to what each is compiled with: one stream, and its share of the
// threads. With one thread, Runs are executed by the thread that calls.
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

// settings are what to compile a model with, where all sessions share one
// compiled model.
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
		return nil, fail("load", common.ErrOption, "Streams is %d", streams)
	}
	set := settings{"PERFORMANCE_HINT": mode}
	if streams > 0 {
		set["NUM_STREAMS"] = strconv.Itoa(streams)
	}
	if o.Threads > 0 {
		set["INFERENCE_NUM_THREADS"] = strconv.Itoa(o.Threads * max(streams, 1))
	}
	if strings.HasPrefix(device, "CPU") {
		if all := runtime.GOMAXPROCS(0); o.Threads == 0 && all < runtime.NumCPU() { // otherwise OpenVINO chooses well
			set["INFERENCE_NUM_THREADS"] = strconv.Itoa(all)
		}
		// OpenVINO would pin the calling thread, which is one of Go's, with
		// two system calls a Run, and each model's to the same first cores.
		set["ENABLE_CPU_PINNING"] = "NO"
	}
	if o.CacheDir != "" {
		if err := privdir.Make(o.CacheDir); err != nil { // what is cached is code
			return nil, &common.Error{Engine: engine, Op: "load", Kind: common.ErrOption, Message: "CacheDir", Err: err}
		}
		set["CACHE_DIR"] = o.CacheDir
		// A file of the cache that is mapped and then changed would change
		// results, or end the process.
		if !d.release.mapsByCore() {
			set["ENABLE_MMAP"] = "NO"
		}
	}
	if o.Profile {
		set["PERF_COUNT"] = "YES"
	}
	if o.Precision == common.Float16 || o.Precision == common.BFloat16 {
		set["INFERENCE_PRECISION_HINT"] = hint(o.Precision)
	} else {
		// Devices prefer bf16 or f16 to float32 where they have them, and
		// CPUs quantize activations of models with compressed weights.
		set["EXECUTION_MODE_HINT"] = "ACCURACY"
		capabilities, err := d.deviceProperty(device, "OPTIMIZATION_CAPABILITIES")
		if o.Precision != 0 || err != nil || strings.Contains(capabilities, "FP32") {
			set["INFERENCE_PRECISION_HINT"] = "f32"
		}
	}
	for k, v := range native.Properties {
		if k == "" || strings.ContainsRune(k+v, 0) {
			return nil, fail("load", common.ErrOption, "property %q=%q: it has no name or a NUL", k, v)
		}
		if why := ineffective(k, device, o); why != "" {
			return nil, fail("load", common.ErrOption, "property %q has no effect here: %s", k, why)
		}
		set[k] = v
	}
	return set, nil
}
