// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// withoutPython changes a Python module so that programs without Python can load it as a shared library. It does not
// change the code:
//
//   - Undefined symbols of Python become weak: without Python they are NULL, and the loader reports no error.
//   - The library no longer requires an executable stack, which new C libraries refuse.
//   - libgomp, which is linked but not used, is no longer loaded.
func withoutPython(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	f, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	symbols, err := f.DynamicSymbols()
	libraries, err2 := f.ImportedLibraries()
	table, dynamic := f.SectionByType(elf.SHT_DYNSYM), f.SectionByType(elf.SHT_DYNAMIC)
	if err := errors.Join(err, err2); err != nil || f.Class != elf.ELFCLASS64 || f.ByteOrder != binary.LittleEndian || table == nil || dynamic == nil {
		return cmp.Or(err, fmt.Errorf("%s is not a shared library for a 64-bit little-endian processor", file))
	}
	for i, s := range symbols {
		if s.Section == elf.SHN_UNDEF && strings.HasPrefix(strings.TrimPrefix(s.Name, "_"), "Py") {
			entry := content[table.Offset+uint64(i+1)*elf.Sym64Size:] // symbols omits the first
			entry[4] = elf.ST_INFO(elf.STB_WEAK, elf.ST_TYPE(s.Info))
		}
	}
	headers, size := binary.LittleEndian.Uint64(content[0x20:]), uint64(binary.LittleEndian.Uint16(content[0x36:]))
	for i, p := range f.Progs {
		if p.Type == elf.PT_GNU_STACK {
			binary.LittleEndian.PutUint32(content[headers+uint64(i)*size+4:], uint32(p.Flags&^elf.PF_X))
		}
	}
	entries := content[dynamic.Offset : dynamic.Offset+dynamic.FileSize]
	for at := 0; at < len(entries) && libraries != nil; {
		if elf.DynTag(binary.LittleEndian.Uint64(entries[at:])) != elf.DT_NEEDED {
			at += 16
			continue
		}
		if strings.HasPrefix(libraries[0], "libgomp") {
			copy(entries[at:], entries[at+16:]) // the last entry is DT_NULL
		} else {
			at += 16
		}
		libraries = libraries[1:]
	}
	return os.WriteFile(file, content, 0o644)
}

// completeMNN completes the SDK in dir, into which MNN's wheel was unpacked: it adds the headers and compiles the shim.
// It returns the digest of the shim.
func completeMNN(ctx context.Context, pin Pin, tools tools, dir string, progress pypi.Progress) (shim string, err error) {
	recipe := tools.recipe
	progress("fetching headers")
	if err := pin.headers.fetch(tools.cargo, dir); err != nil {
		return "", err
	}
	text := fmt.Sprintf("MNN %s, Copyright Alibaba Group Holding Limited, from the package %s %s and the crate %s %s.\n\n"+
		"Licensed under the Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0\n\n"+
		"libMNN.so is the package's module for Python, changed to be loaded without Python: its references to Python are weak,\n"+
		"its stack is not executable, and it does not load libgomp, which it does not use.\n",
		pin.Version, pin.Package, pin.PackageVersion, pin.headers.name, pin.headers.version)
	if err := os.WriteFile(filepath.Join(dir, "licenses", "LICENSE"), []byte(text), 0o644); err != nil {
		return "", err
	}
	sdk, err := recipe.SDK.Find(dir)
	if err != nil {
		return "", err
	}
	if err := withoutPython(sdk.Libraries[0]); err != nil {
		return "", err
	}
	if version, err := recipe.Version(sdk); err != nil || version != pin.Version {
		return "", cmp.Or(err, fmt.Errorf("the crate contains the headers of version %s instead of %s", version, pin.Version))
	}
	progress("compiling the shim")
	sdk.SameFolder, sdk.Strict = true, true
	if err := recipe.Build(ctx, sdk, filepath.Join(dir, filepath.FromSlash(pin.Library)), io.Discard); err != nil {
		return "", err
	}
	return recipe.Digest()
}

// tools are the programs that complete an SDK whose package lacks headers.
type tools struct {
	recipe toolchain.Recipe
	cargo  func(args ...string) ([]byte, error)
}

// Possible returns an error if this machine lacks a package or a tool for an engine's newest SDK.
func Possible(ctx context.Context, engine string) error {
	pin, err := find(InstallOptions{Engine: engine})
	if err == nil && pin.headers != nil {
		_, err = findTools(ctx, pin)
	}
	return err
}

// findTools finds the tools. Install calls it before it fetches anything.
func findTools(ctx context.Context, pin Pin) (t tools, err error) {
	recipe, _ := toolchain.Find(pin.Engine) // engines with a crate have a recipe
	if t.recipe, err = recipe.For(pin.OS + "/" + pin.Arch); err != nil {
		return t, err
	}
	_, noCompiler := t.recipe.Compiler()
	if _, missing := pin.headers.read(pin.headers.cached()); missing != nil {
		t.cargo, err = cargoIn(ctx)
	}
	return t, cmp.Or(ctx.Err(), errors.Join(noCompiler, err))
}
