// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package dylib

// KeepSignalStack only calls f: elsewhere the SDK leaves signal stacks alone.
func KeepSignalStack(f func() error) error { return f() }
