// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
)

// standin is a stand-in for an SDK: TNN has no package, and TensorRT needs a GPU.
// Its folder in the cache has the files of that SDK, and the engine's shim.
type standin struct {
	engine, version string // 1015 is TensorRT 10.15
	dir             string
	cxx, flags      string // the compiler, and what it gets
	shimEnv, target string // environment and flags of anyinfer shim build
}

func newStandin(engine, version string) standin {
	return standin{engine: engine, version: version, dir: cache("standin", engine+version), cxx: cmp.Or(os.Getenv("CXX"), "g++"), flags: "-O2"}
}

// chosen is the stand-in that tests of the engine use. Where its variable, such
// as TNN_ROOT, names the genuine SDK, only the shim is compiled.
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

// build compiles the stand-in, and the shim on it.
func (s standin) build(t *task) {
	from := "internal/testing/standins/" + s.engine
	t.env = append(t.env, "OUT="+s.dir)
	inputs := "find " + from + " " + s.engine + " cinclude internal/toolchain internal/ci/standins.go -name '*.[ch]*' -o -path '*toolchain/*.go' -o -name standins.go | LC_ALL=C sort | xargs sha256sum | sha256sum; " + s.cxx + " --version; echo '" + s.flags + "'"
	t.made(s.dir, inputs, func() {
		defer s.buildShim(t, s.dir)
		t.sh(`mkdir "$OUT/lib" && cp -r ` + from + `/include "$OUT"`)
		// Libraries find each other in their folder, so that a program that opens libcuda.so.1 later gets this one.
		library := func(name, suffix, sources, links string) {
			file := "lib" + name + ".so" + suffix
			t.sh(s.cxx + " -std=c++17 -Wall -Wextra -fPIC -fvisibility=hidden -pthread " + s.flags + ` -I"$OUT/include" -shared -o "$OUT/lib/` + file + `"` +
				" $(ls " + from + "/*.cc | grep -E " + sources + ") -Wl,-soname," + file + ` -Wl,-rpath,'$ORIGIN' -L"$OUT/lib" ` + links)
			t.sh(`cd "$OUT/lib" && ln -sf ` + file + " lib" + name + ".so")
		}
		if s.engine == "tnn" {
			library("TNN", ".0", ".", "-fopenmp")
			return
		}
		t.sh("sed -i 's/^#define STANDIN_TENSORRT .*/#define STANDIN_TENSORRT " + s.version + `/' "$OUT/include/NvInferVersion.h"`)
		major := "." + s.version[:len(s.version)-2]
		library("cuda", ".1", `'/cuda\.cc'`, "")
		library("nvinfer", major, `-v '/cuda\.cc'`, "-lcuda")
		t.sh(`cd "$OUT/lib" && ln -s libnvinfer.so libnvonnxparser.so`) // the stand-in has both in one library
	})
}

func (s standin) buildShim(t *task, root string) {
	t.sh(s.shimEnv + "go run ./cmd/anyinfer shim build " + s.engine + s.target + ` --root "` + root + `" --out "` + s.shim() + `"`)
}

// buildShims compiles the shims of TNN and TensorRT that tests use.
func buildShims(t *task) {
	for _, s := range []standin{chosen("tnn", ""), chosen("tensorrt", "1015")} {
		if s.genuine() != "" {
			s.buildShim(t, s.root())
		} else {
			s.build(t)
		}
	}
}

// sanitize tests an engine with sanitizers, on a stand-in that has them too.
func (t *task) sanitize(engine, version, skip string) {
	s := newStandin(engine, version)
	s.dir, s.flags = s.dir+"-sanitized", sanitizers
	s.shimEnv = `CXXFLAGS="$SANITIZE -fno-sanitize=vptr" LDFLAGS="-fsanitize=address,undefined -Wl,-z,undefs" `
	s.build(t)
	t.sh("export ANYINFER_TNN_LIBRARY=" + s.dir + " ANYINFER_TENSORRT_LIBRARY=" + s.dir + " && " + sanitized +
		"-skip '" + sameInC + skip + "' ./" + engine)
}
