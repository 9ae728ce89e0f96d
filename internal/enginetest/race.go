// SPDX-License-Identifier: Apache-2.0

//go:build race

package enginetest

// raced: the race detector is on. It keeps memory of its own for every
// address and goroutine there ever was, and allocates where Go does not.
const raced = true
