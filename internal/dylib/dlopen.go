// SPDX-License-Identifier: Apache-2.0

//go:build (linux && (!android || cgo) && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64 || s390x)) || (darwin && (amd64 || arm64)) || ((freebsd || netbsd) && (amd64 || arm64))

package dylib

import "github.com/ebitengine/purego"

// open uses RTLD_LOCAL, so that symbols of one SDK do not replace those of another.
func open(path string) (uintptr, error) {
	return purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func symbol(handle uintptr, name string) (uintptr, error) { return purego.Dlsym(handle, name) }

// processSymbol finds a symbol of the libraries that the process started with.
func processSymbol(name string) (uintptr, error) { return purego.Dlsym(purego.RTLD_DEFAULT, name) }
