// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"io/fs"
	"os"
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
		if err := sdkdir.Delete(root, filepath.FromSlash(dir), sdkdir.Elsewhere); err != nil {
			return removed, err
		}
		removed = append(removed, filepath.Join(root, filepath.FromSlash(dir)))
	}
	return removed, nil
}
