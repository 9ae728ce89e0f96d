// SPDX-License-Identifier: Apache-2.0

//go:build !race && !asan

package enginetest

const instrumented = false
