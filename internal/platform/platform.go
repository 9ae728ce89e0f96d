// SPDX-License-Identifier: Apache-2.0

// Package platform knows what Debian and ELF call the processors of Linux.
package platform

import (
	"debug/elf"
	"strings"
)

// Processor is one by its other names.
type Processor struct {
	Triplet string // of Debian's folders and cross compilers
	Machine elf.Machine
	Class   elf.Class
	// Interpreter is Debian's, where the go command without cgo writes one that
	// Debian lacks.
	Interpreter string
}

// Linux has those that things are built for, by GOARCH. Debian's arm is ARMv7.
var Linux = map[string]Processor{
	"amd64":   {"x86_64-linux-gnu", elf.EM_X86_64, elf.ELFCLASS64, ""},
	"arm64":   {"aarch64-linux-gnu", elf.EM_AARCH64, elf.ELFCLASS64, ""},
	"arm":     {"arm-linux-gnueabihf", elf.EM_ARM, elf.ELFCLASS32, "/lib/ld-linux-armhf.so.3"},
	"386":     {"i686-linux-gnu", elf.EM_386, elf.ELFCLASS32, ""},
	"riscv64": {"riscv64-linux-gnu", elf.EM_RISCV, elf.ELFCLASS64, "/lib/ld-linux-riscv64-lp64d.so.1"},
}

// Compiler is the command of a cross compiler, gcc or g++.
func (p Processor) Compiler(name string) string { return p.Triplet + "-" + name }

// Package is the one of Debian that has Compiler.
func (p Processor) Package(name string) string {
	return name + "-" + strings.ReplaceAll(p.Triplet, "_", "-")
}

// Is reports whether a file is for the processor.
func (p Processor) Is(f *elf.File) bool {
	return f.Machine == p.Machine && f.Class == p.Class && f.Data == elf.ELFDATA2LSB
}
