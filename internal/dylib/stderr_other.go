// SPDX-License-Identifier: Apache-2.0

//go:build !(linux && !android && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64 || s390x))

package dylib

// theStderrPipe returns nil: the output of libraries stays on C's stderr.
func theStderrPipe() *stderrPipe { return nil }
