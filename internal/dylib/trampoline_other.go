// SPDX-License-Identifier: Apache-2.0

//go:build !((linux || darwin) && (amd64 || arm64))

package dylib

// registers is how many arguments a prepared call through a trampoline can
// have: there is none for this system.
const registers = -1

func callFrame(*frame) uintptr { panic("dylib: there are no frames") }
