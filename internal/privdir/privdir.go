// SPDX-License-Identifier: Apache-2.0

// Package privdir checks folders whose content is executed: SDKs, and the caches of compiled models. A user who can
// write to such a folder can execute code in the programs that use it.
//
// On Windows it checks nothing, because a file's mode does not have the access rights.
package privdir

import "os"

// Make makes the folder at path and its missing parents, with access for this user alone, and then calls Check.
func Make(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return Check(path)
}
