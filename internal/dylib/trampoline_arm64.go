// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package dylib

// registers is how many integer arguments C's calling convention passes in
// registers.
const registers = 8
