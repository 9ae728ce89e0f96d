// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// made makes a folder anew, unless it was made of the same inputs.
func made(dir, inputs string, do func() error) error {
	marker := filepath.Join(dir, ".made-of")
	if was, err := os.ReadFile(marker); err == nil && string(was) == inputs {
		return nil
	}
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o777)); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return os.WriteFile(marker, []byte(inputs), 0o666)
}

// digest is that of all files in folders, and of what a command prints.
func digest(command string, folders ...string) (string, error) {
	h := sha256.New()
	said, err := exec.Command("sh", "-c", command).Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", command, err)
	}
	h.Write(said)
	for _, folder := range folders {
		err := fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(filepath.Join(folder, name))
			fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// standin stands for an SDK that tests cannot have: TNN has no package, and
// TensorRT takes a GPU. It is laid out as that SDK is, in a folder of the cache,
// with the engine's shim beside it.
type standin struct {
	engine, version string // of TensorRT, as that is written in its header: 1015 is 10.15
	dir             string
	cxx             string // the compiler
	flags           string // for it
	forShim         string // environment of what compiles the shim
	target          string // flags for that
}

func newStandin(engine, version string) standin {
	return standin{engine: engine, version: version, cxx: cmp.Or(os.Getenv("CXX"), "g++"), flags: "-O2",
		dir: cache("standin", strings.TrimSuffix(engine+"-"+version, "-"))}
}

// withSanitizers is the stand-in compiled with sanitizers, in another folder.
func (s standin) withSanitizers() standin {
	s.dir, s.flags = cache("standin", "sanitizers", filepath.Base(s.dir)), sanitizers
	s.forShim = "CXXFLAGS='" + sanitizersCXX + "' LDFLAGS='-fsanitize=address,undefined -Wl,-z,undefs' "
	return s
}

// chosen is what tests of the engine run on: a stand-in, or the genuine SDK.
func chosen(engine, version string) standin {
	s := newStandin(engine, version)
	if s.given() != "" {
		s.dir = cache("standin", "given")
	}
	return s
}

// given is the genuine SDK, if its variable names one.
func (s standin) given() string { return os.Getenv(strings.ToUpper(s.engine) + "_ROOT") }

func (s standin) root() string { return cmp.Or(s.given(), s.dir) }

func (s standin) shim() string { return filepath.Join(s.dir, "libanyinfer_"+s.engine+".so") }

// libraryOf says which of TensorRT's libraries a source is of; the others are of libnvinfer.
var libraryOf = map[string]string{"control.cc": "cuda", "cuda.cc": "cuda", "memory.cc": "cuda", "stream.cc": "cuda", "parser.cc": "nvonnxparser", "plugin.cc": "nvinfer_plugin"}

// build compiles the stand-in, and the shim on it, where they are not there yet.
func (s standin) build(t *task) error {
	from := filepath.Join("internal", "testing", "standins", s.engine)
	inputs, err := digest("echo "+quote(fmt.Sprint(s))+" && "+s.cxx+" --version", from, s.engine, "cinclude", filepath.Join("internal", "shims"))
	if err != nil {
		return err
	}
	return made(s.dir, inputs, func() error {
		files, err := filepath.Glob(filepath.Join(from, "*.cc"))
		if err != nil {
			return err
		}
		sources := map[string]string{} // by library
		for _, f := range files {
			library := cmp.Or(libraryOf[filepath.Base(f)], "nvinfer")
			sources[library] += " " + f
		}
		dir := quote(s.dir)
		lines := []string{"mkdir " + dir + "/lib && cp -r " + from + "/include " + dir}
		// Libraries find each other where they lie, so that a program that opens libcuda.so.1 later gets this one.
		library := func(name, suffix, sources, links string) {
			file := "lib" + name + ".so" + suffix
			lines = append(lines, s.cxx+" -std=c++17 -Wall -Wextra -fPIC -fvisibility=hidden -pthread "+s.flags+" -I"+dir+"/include -shared -o "+dir+"/lib/"+file+
				" -Wl,-soname,"+file+" -Wl,-rpath,'$ORIGIN'"+sources+" -L"+dir+"/lib "+links)
			if suffix != "" {
				lines = append(lines, "ln -s "+file+" "+dir+"/lib/lib"+name+".so")
			}
		}
		if s.engine == "tnn" {
			library("TNN", "", sources["nvinfer"], "-fopenmp")
		} else {
			lines = append(lines, "sed -i 's/^#define STANDIN_TENSORRT .*/#define STANDIN_TENSORRT "+s.version+"/' "+dir+"/include/NvInferVersion.h")
			major := "." + s.version[:len(s.version)-2]
			library("cuda", ".1", sources["cuda"], "")
			library("nvinfer", major, sources["nvinfer"], "-lcuda")
			library("nvonnxparser", major, sources["nvonnxparser"], "-lnvinfer -lcuda")
			library("nvinfer_plugin", major, sources["nvinfer_plugin"], "-lnvinfer -lcuda")
		}
		for _, line := range append(lines, s.shimLine(s.dir)) {
			if err := t.sh(line); err != nil {
				return err
			}
		}
		return nil
	})
}

// shimLine compiles the shim on what lies in root.
func (s standin) shimLine(root string) string {
	return s.forShim + "go run ./cmd/anyinfer shim build " + s.engine + " --root " + quote(root) + " --out " + quote(s.shim()) + s.target
}

// buildShims compiles the shims of what has no package, on what is given or on
// stand-ins.
func buildShims(t *task) error {
	var problems []error
	for _, s := range []standin{chosen("tnn", ""), chosen("tensorrt", "1015")} {
		if given := s.given(); given != "" {
			problems = append(problems, t.sh(s.shimLine(given)))
		} else {
			problems = append(problems, s.build(t))
		}
	}
	return errors.Join(problems...)
}

// reference installs the SDKs in Python.
func reference(t *task) error {
	const list = "internal/testing/enginetest/requirements.txt"
	inputs, err := digest(values.Replace("$PYTHON --version && cat " + list))
	if err != nil {
		return err
	}
	return made(cache("reference"), inputs, func() error {
		return t.sh("$PYTHON -m pip install --quiet --target $CACHE/reference -r " + list)
	})
}
