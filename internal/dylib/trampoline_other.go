// SPDX-License-Identifier: Apache-2.0

//go:build !((linux || darwin) && (amd64 || arm64))

package dylib

// registers is -1, so that no call has a frame: this system has no trampoline.
const registers = -1

func callFrame(*frame) uintptr { panic("dylib: no trampoline on this system") }
