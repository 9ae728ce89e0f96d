// SPDX-License-Identifier: Apache-2.0

//go:build race

package litert_test

// raced: the race detector allocates.
const raced = true
