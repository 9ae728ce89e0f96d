// SPDX-License-Identifier: Apache-2.0

// Package platform knows what Debian and ELF call the processors of Linux.
package platform

import (
	"debug/elf"
	"encoding/binary"
	"strings"
)

// Processor is one by its other names.
type Processor struct {
	Name    string // for people
	Triplet string // of Debian's folders and cross compilers
	Machine elf.Machine
	Class   elf.Class
	// Interpreter is Debian's, where the go command without cgo writes one that
	// Debian lacks.
	Interpreter string
}

// Linux has those that things are built for, by GOARCH. Debian's arm is ARMv7.
var Linux = map[string]Processor{
	"amd64":   {"x86-64", "x86_64-linux-gnu", elf.EM_X86_64, elf.ELFCLASS64, ""},
	"arm64":   {"arm64", "aarch64-linux-gnu", elf.EM_AARCH64, elf.ELFCLASS64, ""},
	"arm":     {"32-bit ARM", "arm-linux-gnueabihf", elf.EM_ARM, elf.ELFCLASS32, "/lib/ld-linux-armhf.so.3"},
	"386":     {"32-bit x86", "i686-linux-gnu", elf.EM_386, elf.ELFCLASS32, ""},
	"riscv64": {"64-bit RISC-V", "riscv64-linux-gnu", elf.EM_RISCV, elf.ELFCLASS64, "/lib/ld-linux-riscv64-lp64d.so.1"},
}

// Name is that of the processor that an ELF file with such a header is for.
func Name(m elf.Machine, c elf.Class) string {
	for _, p := range Linux {
		if p.Machine == m && p.Class == c {
			return p.Name
		}
	}
	return strings.TrimPrefix(m.String(), "EM_")
}

// OtherName is the name of the processor of a file that begins with head, where
// it is in ELF and for another than that of goarch; else "". 20 bytes tell.
func OtherName(head []byte, goarch string) string {
	p, known := Linux[goarch]
	if !known || len(head) < 20 || string(head[:4]) != elf.ELFMAG {
		return ""
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	m, c := elf.Machine(order.Uint16(head[18:])), elf.Class(head[elf.EI_CLASS])
	if m == p.Machine && c == p.Class {
		return ""
	}
	return Name(m, c)
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
