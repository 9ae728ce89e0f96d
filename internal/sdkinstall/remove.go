// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// Remove removes an engine's SDKs for a target, damaged ones too, and returns their folders. An empty version means all.
func Remove(root, engine, version, goos, goarch string) (removed []string, err error) {
	found, err := fs.Glob(os.DirFS(root), "*/*/"+sdkdir.Target(goos, goarch))
	if err != nil {
		return nil, err
	}
	for _, dir := range found {
		parts := strings.Split(dir, "/")
		if parts[0] != engine || version != "" && parts[1] != version {
			continue
		}
		temp, err := sdkdir.TempDir(root)
		if err != nil {
			return removed, err
		}
		// A rename removes it atomically.
		full := filepath.Join(root, filepath.FromSlash(dir))
		err = os.Rename(full, filepath.Join(temp, "old"))
		if rmErr := os.RemoveAll(temp); err == nil {
			err = rmErr
		}
		if err != nil {
			return removed, err
		}
		removed = append(removed, full)
		for p := path.Dir(dir); p != "."; p = path.Dir(p) {
			os.Remove(filepath.Join(root, filepath.FromSlash(p))) // fails unless empty, which is fine
		}
	}
	return removed, nil
}
