// SPDX-License-Identifier: Apache-2.0

//go:build race || asan

package enginetest

// instrumented: the race detector or AddressSanitizer is on. They keep memory
// of their own for what there ever was, and allocate where Go does not.
const instrumented = true
