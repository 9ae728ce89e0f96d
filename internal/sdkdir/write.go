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
func Put(built, final, old string, want SDK) (sdk SDK, already bool, err error) {
	already, err = Swap(built, final, old, func() (ok bool) {
		sdk, ok = Intact(final, want)
		return ok
	})
	return sdk, already, err
}

// Swap moves a complete folder from built to final, and a damaged one that is there to old. If another process was faster,
// so that final is intact, it stays.
func Swap(built, final, old string, intact func() bool) (already bool, err error) {
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return false, err
	}
	err = os.Rename(built, final)
	if err != nil {
		if intact() {
			return true, nil
		}
		if err := os.Rename(final, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		err = os.Rename(built, final)
	}
	if !intact() {
		return false, errors.Join(err, fmt.Errorf("%s was not installed correctly", final))
	}
	return err != nil, nil
}

// Delete removes a folder below the root, and folders above it that are empty then. Programs see all of it or nothing.
func Delete(root, dir, elsewhere string) error {
	temp, err := TempDir(root, elsewhere)
	if err != nil {
		return err
	}
	err = os.Rename(filepath.Join(root, dir), filepath.Join(temp, "old"))
	if rmErr := os.RemoveAll(temp); err == nil {
		err = rmErr
	}
	for p := filepath.Dir(dir); err == nil && p != "."; p = filepath.Dir(p) {
		os.Remove(filepath.Join(root, p)) // fails unless empty, which is fine
	}
	return err
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
// the superuser can install for all. elsewhere says how to choose another one.
func MakeRoot(root, elsewhere string) error {
	err := os.MkdirAll(root, 0o755)
	if err == nil {
		err = privdir.Check(root)
	}
	if err != nil {
		return fmt.Errorf("%w; or choose another folder with %s", err, elsewhere)
	}
	return nil
}

// TempDir makes a temporary folder below the root, and removes the folders of installations that were killed a day ago.
func TempDir(root, elsewhere string) (string, error) {
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), tempPrefix) && time.Since(info.ModTime()) > 24*time.Hour {
			os.RemoveAll(filepath.Join(root, e.Name()))
		}
	}
	temp, err := os.MkdirTemp(root, tempPrefix)
	if err != nil {
		return "", fmt.Errorf("%w; choose another folder with %s", err, elsewhere)
	}
	return temp, nil
}
