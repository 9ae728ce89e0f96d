// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
)

// standin stands for an SDK that tests cannot have: TNN has no package, and
// TensorRT takes a GPU. It is laid out as that SDK is, in a folder of the cache,
// with the engine's shim beside it.
type standin struct {
	engine, version string // of TensorRT, as that is written in its header: 1015 is 10.15
	dir             string
	cxx, flags      string // the compiler, and what it gets
	shimEnv, target string // environment and flags of what compiles the shim
}

func newStandin(engine, version string) standin {
	return standin{engine: engine, version: version, dir: cache("standin", engine+version), cxx: cmp.Or(os.Getenv("CXX"), "g++"), flags: "-O2"}
}

// withSanitizers is the stand-in compiled with sanitizers.
func (s standin) withSanitizers() standin {
	s.dir, s.flags = s.dir+"-sanitized", sanitizers
	s.shimEnv = "CXXFLAGS='$SANITIZE_CXX' LDFLAGS='-fsanitize=address,undefined -Wl,-z,undefs' "
	return s
}

// chosen is what tests of the engine run on: a stand-in, or the genuine SDK that
// its variable names.
func chosen(engine, version string) standin {
	s := newStandin(engine, version)
	if s.genuine() != "" {
		s.dir = cache("standin", "genuine")
	}
	return s
}

func (s standin) genuine() string { return os.Getenv(strings.ToUpper(s.engine) + "_ROOT") }
func (s standin) root() string    { return cmp.Or(s.genuine(), s.dir) }
func (s standin) shim() string    { return filepath.Join(s.dir, "libanyinfer_"+s.engine+".so") }

// libraryOf says which of TensorRT's libraries a source is of; the others are of libnvinfer.
var libraryOf = map[string]string{"control.cc": "cuda", "cuda.cc": "cuda", "memory.cc": "cuda", "stream.cc": "cuda", "parser.cc": "nvonnxparser", "plugin.cc": "nvinfer_plugin"}

// build compiles the stand-in, and the shim on it.
func (s standin) build(t *task) {
	from := "internal/testing/standins/" + s.engine
	inputs := "find " + from + " " + s.engine + " cinclude internal/shims -type f | LC_ALL=C sort | xargs sha256sum | sha256sum; " + s.cxx + " --version; echo '" + s.flags + "'"
	t.made(s.dir, inputs, func() {
		files, err := filepath.Glob(from + "/*.cc")
		t.fail(err)
		sources := map[string]string{} // by library
		for _, f := range files {
			library := cmp.Or(libraryOf[filepath.Base(f)], "nvinfer")
			sources[library] += " " + f
		}
		dir := quote(s.dir)
		t.sh("mkdir " + dir + "/lib && cp -r " + from + "/include " + dir)
		// Libraries find each other where they lie, so that a program that opens libcuda.so.1 later gets this one.
		library := func(name, suffix, sources, links string) {
			file := "lib" + name + ".so" + suffix
			t.sh(s.cxx + " -std=c++17 -Wall -Wextra -fPIC -fvisibility=hidden -pthread " + s.flags + " -I" + dir + "/include -shared -o " + dir + "/lib/" + file +
				" -Wl,-soname," + file + " -Wl,-rpath,'$ORIGIN'" + sources + " -L" + dir + "/lib " + links)
			t.sh("cd " + dir + "/lib && ln -sf " + file + " lib" + name + ".so")
		}
		if s.engine == "tnn" {
			library("TNN", ".0", sources["nvinfer"], "-fopenmp")
		} else {
			t.sh("sed -i 's/^#define STANDIN_TENSORRT .*/#define STANDIN_TENSORRT " + s.version + "/' " + dir + "/include/NvInferVersion.h")
			major := "." + s.version[:len(s.version)-2]
			library("cuda", ".1", sources["cuda"], "")
			library("nvinfer", major, sources["nvinfer"], "-lcuda")
			library("nvonnxparser", major, sources["nvonnxparser"], "-lnvinfer -lcuda")
			library("nvinfer_plugin", major, sources["nvinfer_plugin"], "-lnvinfer -lcuda")
		}
		s.buildShim(t, s.dir)
	})
}

func (s standin) buildShim(t *task, root string) {
	t.sh(s.shimEnv + "go run ./cmd/anyinfer shim build " + s.engine + s.target + " --root " + quote(root) + " --out " + quote(s.shim()))
}

// buildShims compiles the shims that tests use.
func buildShims(t *task) {
	for _, s := range []standin{chosen("tnn", ""), chosen("tensorrt", "1015")} {
		if s.genuine() != "" {
			s.buildShim(t, s.root())
		} else {
			s.build(t)
		}
	}
}
