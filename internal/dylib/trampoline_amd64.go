// SPDX-License-Identifier: Apache-2.0

//go:build linux || darwin

package dylib

// registers is the number of integer arguments that C's calling convention
// passes in registers.
const registers = 6
