// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package openvino

// keepSignalStack only calls f: elsewhere the SDK leaves signal stacks alone.
func keepSignalStack(f func() error) error { return f() }
