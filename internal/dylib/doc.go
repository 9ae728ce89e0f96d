// SPDX-License-Identifier: Apache-2.0

// Package dylib finds, opens and calls native libraries. It is the only
// importer of purego and the only code that makes raw calls: with
// purego.SyscallN or, where a call is prepared once for all Runs, through a
// trampoline of its own (see trampoline.go).
//
// # The pointer rule
//
// Go memory crosses to C as an Arg made by Ptr, Slice or String, and in no
// other way. Call pins it for the length of the call, which also forces it to
// the heap: an address that has become an integer is not updated when a stack
// moves. What C keeps beyond the call is pinned by whoever passes it, for as
// long as C keeps it. Native handles are uintptr and never point to Go memory.
// C memory becomes Go values in memory.go only, which copies.
package dylib
