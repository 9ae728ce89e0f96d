// SPDX-License-Identifier: Apache-2.0

// Package dylib finds, opens and calls native libraries. It is the only importer
// of purego and the only code that makes raw calls: with purego.SyscallN, or, for
// a call that is prepared once for all Runs, through a trampoline of its own (see
// trampoline.go).
//
// # The pointer rule
//
// Go memory is passed to C only as an Arg made by Ptr, Slice or String. Call pins
// it during the call, which also forces it to the heap: an address that has become
// an integer is not updated when a stack moves. If C keeps the address after the
// call, the caller pins the memory as long as C uses it. Native handles are
// uintptr and never point to Go memory. Only memory.go reads C memory; it copies.
package dylib
