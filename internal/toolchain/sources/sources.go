// SPDX-License-Identifier: Apache-2.0

// Package sources has the C and C++ sources that engines register for the
// packages that compile shims. It imports nothing from this module, because
// all programs that import an engine link it.
package sources

import "io/fs"

var byEngine = map[string]fs.FS{}

// Register makes Find return files for the engine. Engines call it from init.
func Register(engine string, files fs.FS) { byEngine[engine] = files }

// Find returns the sources of an engine whose package the program imports.
func Find(engine string) (files fs.FS, ok bool) {
	files, ok = byEngine[engine]
	return files, ok
}
