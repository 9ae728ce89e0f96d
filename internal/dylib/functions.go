// SPDX-License-Identifier: Apache-2.0

package dylib

// Functions makes a Library of the functions at addrs, which the library at
// path told; 0 is one that it lacks.
func Functions(path string, addrs []uintptr) *Library { return &Library{Path: path, addrs: addrs} }
