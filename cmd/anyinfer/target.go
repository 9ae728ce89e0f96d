// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/anyinfer/anyinfer/internal/platform"
)

// target is the kind of machine that a program is for.
type target struct {
	os, arch string // as GOOS and GOARCH
	arm      string // as GOARM; "" if not given
}

// targets are the values that shell completion offers; the go command has more.
var targets = []string{
	"linux/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/386", "linux/riscv64",
	"darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64",
}

// processors translates the names of container images, of Debian and of uname -m to Go's.
var processors = map[string]string{
	"arm": "arm/v7", "armhf": "arm/v7", "armv7l": "arm/v7", "armv6l": "arm/v6",
	"arm64/v8": "arm64", "aarch64": "arm64", "x86_64": "amd64", "i386": "386", "i686": "386",
}

// parseTarget parses the value of --target; "" means the running system.
func parseTarget(s string) (target, error) {
	if s == "" {
		return target{os: runtime.GOOS, arch: runtime.GOARCH}, nil
	}
	goos, arch, _ := strings.Cut(s, "/")
	if name := processors[arch]; name != "" {
		arch = name
	}
	arch, variant, _ := strings.Cut(arch, "/")
	t := target{os: goos, arch: arch, arm: strings.TrimPrefix(variant, "v")}
	if known := arch == "arm" && (variant == "v6" || variant == "v7") || arch != "arm" && variant == ""; goos == "" || arch == "" || !known {
		return target{}, usageError{fmt.Errorf("--target %q: want an operating system and a processor, as in %s", s, strings.Join(targets[:4], ", "))}
	}
	return t, nil
}

func (t target) String() string {
	if t.arm != "" {
		return t.os + "/" + t.arch + "/v" + t.arm
	}
	return t.os + "/" + t.arch
}

// host reports whether t is the running system.
func (t target) host() bool { return t.os == runtime.GOOS && t.arch == runtime.GOARCH }

// env returns settings for the go command.
func (t target) env() []string {
	env := []string{"GOOS=" + t.os, "GOARCH=" + t.arch}
	if t.arm != "" {
		env = append(env, "GOARM="+t.arm)
	}
	return env
}

// interpreter returns the program loader to set; "" if the go command sets the right one.
func (t target) interpreter() string {
	if t.os != "linux" {
		return ""
	}
	return platform.Linux[t.arch].Interpreter
}

// missingError is the error for something that is missing on this machine, with the advice.
type missingError struct{ what, hint string }

func (e missingError) Error() string { return e.what + "; " + e.hint }

// compilers returns settings of CC and CXX for cgo, except variables that the environment sets.
func (t target) compilers(cplusplus bool) (env []string, err error) {
	if t.host() {
		return nil, nil
	}
	for _, c := range []struct {
		variable, language, command string
		needed                      bool
	}{{"CC", "C", "gcc", true}, {"CXX", "C++", "g++", cplusplus}} {
		if os.Getenv(c.variable) != "" || !c.needed {
			continue
		}
		processor, known := platform.Linux[t.arch]
		if !known || t.os != "linux" || t.arm == "6" {
			return nil, missingError{fmt.Sprintf("no %s compiler for %s is known", c.language, t), "name one in " + c.variable}
		}
		command := processor.Compiler(c.command)
		if _, err := exec.LookPath(command); errors.Is(err, exec.ErrNotFound) {
			return nil, missingError{fmt.Sprintf("there is no %s compiler for %s", c.language, t), fmt.Sprintf(
				"install %s (on Debian and Ubuntu: apt install %s), or name another in %s", command, processor.Package(c.command), c.variable)}
		}
		env = append(env, c.variable+"="+command)
	}
	return env, nil
}
