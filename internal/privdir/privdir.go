// SPDX-License-Identifier: Apache-2.0

// Package privdir guards folders whose content is run as code: SDKs, and what engines compile and keep. Whoever can write
// there runs code in the programs that use it.
//
// On Windows, where access is not in a file's mode, nothing is checked.
package privdir

import "os"

// Make makes the folder at path, and the parents that are missing, for this user alone, and then Checks it.
func Make(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return Check(path)
}
