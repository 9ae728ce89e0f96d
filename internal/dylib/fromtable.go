// SPDX-License-Identifier: Apache-2.0

package dylib

// FromTable makes a Library of functions whose addresses the library at path has
// returned; 0 stands for a function that it lacks.
func FromTable(path string, addrs []uintptr) *Library { return &Library{Path: path, addrs: addrs} }
