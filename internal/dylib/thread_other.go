// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package dylib

// OnOwnThread runs f. The libraries known to spoil a thread do so on Linux only.
func OnOwnThread(f func()) { f() }
