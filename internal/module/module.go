// SPDX-License-Identifier: Apache-2.0

// Package module has the path and the version of this module.
package module

import "runtime/debug"

// Path is the path of this module.
const Path = "github.com/anyinfer/anyinfer"

// Version returns the version of this module, even if another module built the program; "" if it is not known.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == Path {
			return m.Version
		}
	}
	return ""
}
