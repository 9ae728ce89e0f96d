// SPDX-License-Identifier: Apache-2.0

// Package platform has the names and ELF types of the processors of Linux.
package platform

import (
	"debug/elf"
	"encoding/binary"
	"strings"
)

// Processor is a processor by names other than GOARCH.
type Processor struct {
	Name    string // for messages
	Triplet string // in Debian's folders and cross compilers
	Machine elf.Machine
	Class   elf.Class
	// Interpreter is Debian's dynamic loader. It is empty if the go command sets the
	// same loader without cgo.
	Interpreter string
}

// Linux has the supported processors by GOARCH. Debian's arm is ARMv7.
var Linux = map[string]Processor{
	"amd64":   {"x86-64", "x86_64-linux-gnu", elf.EM_X86_64, elf.ELFCLASS64, ""},
	"arm64":   {"arm64", "aarch64-linux-gnu", elf.EM_AARCH64, elf.ELFCLASS64, ""},
	"arm":     {"32-bit ARM", "arm-linux-gnueabihf", elf.EM_ARM, elf.ELFCLASS32, "/lib/ld-linux-armhf.so.3"},
	"386":     {"32-bit x86", "i686-linux-gnu", elf.EM_386, elf.ELFCLASS32, ""},
	"riscv64": {"64-bit RISC-V", "riscv64-linux-gnu", elf.EM_RISCV, elf.ELFCLASS64, "/lib/ld-linux-riscv64-lp64d.so.1"},
}

// Name returns the name of the processor in the header of an ELF file.
func Name(m elf.Machine, c elf.Class) string {
	for _, p := range Linux {
		if p.Machine == m && p.Class == c {
			return p.Name
		}
	}
	return strings.TrimPrefix(m.String(), "EM_")
}

// OtherName returns the name of the processor of an ELF file that starts with head, at
// least 20 bytes, if it is not goarch's. It returns "" for other files.
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

// Compiler returns the command of a cross compiler; name is gcc or g++.
func (p Processor) Compiler(name string) string { return p.Triplet + "-" + name }

// Package returns the package of Debian that has Compiler.
func (p Processor) Package(name string) string {
	return name + "-" + strings.ReplaceAll(p.Triplet, "_", "-")
}

// Is reports whether an ELF file is for the processor.
func (p Processor) Is(f *elf.File) bool {
	return f.Machine == p.Machine && f.Class == p.Class && f.Data == elf.ELFDATA2LSB
}
