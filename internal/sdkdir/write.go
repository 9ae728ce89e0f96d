// SPDX-License-Identifier: Apache-2.0

package sdkdir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/internal/privdir"
)

// tempPrefix begins the names of temporary folders. They are below the root, on the file system of the SDKs, so that an
// installation ends with one rename.
const tempPrefix = ".tmp-"

// Write writes the sdk.json of the SDK in dir, after all other files.
func Write(dir string, sdk SDK) (err error) {
	if err := forbidOthers(dir); err != nil {
		return err
	}
	if sdk.Size, err = size(dir); err != nil {
		return err
	}
	text, err := json.MarshalIndent(sdk, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(dir, Manifest)
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file) // programs read it meanwhile
}

// forbidOthers makes the files in dir writable only for the user, because compilers follow the umask.
func forbidOthers(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&0o022 == 0 {
			return err
		}
		return os.Chmod(path, info.Mode().Perm()&^0o022)
	})
}

// Put moves a complete SDK from built to its final folder. If another process was faster, its SDK stays.
func Put(built, final, old string, want SDK) (SDK, bool, error) {
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return SDK{}, false, err
	}
	err := os.Rename(built, final)
	if err != nil {
		if sdk, ok := Intact(final, want); ok {
			return sdk, true, nil
		}
		// final has a damaged SDK.
		if err := os.Rename(final, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return SDK{}, false, err
		}
		err = os.Rename(built, final)
	}
	sdk, ok := Intact(final, want)
	if !ok {
		return sdk, false, errors.Join(err, fmt.Errorf("%s was not installed correctly", final))
	}
	return sdk, err != nil, nil
}

// Intact reports whether dir has the wanted SDK, and its files have the recorded size.
func Intact(dir string, want SDK) (SDK, bool) {
	sdk, err := Read(dir)
	if err != nil || sdk.SHA256 != want.SHA256 {
		return sdk, false
	}
	n, err := size(dir)
	return sdk, err == nil && n == sdk.Size
}

func size(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == filepath.Join(dir, Manifest) {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// MakeRoot makes the root if it is missing. It refuses a root to which other users can write; they may read it, so that
// the superuser can install for all.
func MakeRoot(root string) error {
	err := os.MkdirAll(root, 0o755)
	if err == nil {
		err = privdir.Check(root)
	}
	if err != nil {
		return fmt.Errorf("%w; or choose another folder with --dir or %s", err, EnvRoot)
	}
	return nil
}

// TempDir makes a temporary folder below the root, and removes the folders of installations that were killed a day ago.
func TempDir(root string) (string, error) {
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), tempPrefix) && time.Since(info.ModTime()) > 24*time.Hour {
			os.RemoveAll(filepath.Join(root, e.Name()))
		}
	}
	temp, err := os.MkdirTemp(root, tempPrefix)
	if err != nil {
		return "", fmt.Errorf("%w; choose another folder with --dir or %s", err, EnvRoot)
	}
	return temp, nil
}
