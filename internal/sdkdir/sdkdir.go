// SPDX-License-Identifier: Apache-2.0

// Package sdkdir finds, reads and writes the folders of SDKs on disk. An SDK is the folder
//
//	ROOT/ENGINE/VERSION/GOOS-GOARCH/
//
// with lib/ (shared libraries), include/ if the package has headers, licenses/, and sdk.json, which names its source.
// Package sdkinstall fills it.
package sdkdir

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/anyinfer/anyinfer/internal/privdir"
)

// EnvRoot is the environment variable that names the root.
const EnvRoot = "ANYINFER_SDK_DIR"

// Elsewhere is how users choose another root.
const Elsewhere = "--dir or " + EnvRoot

// Manifest is the name of the file that describes an SDK; a folder without it is not an SDK.
const Manifest = "sdk.json"

// SDK is the content of sdk.json.
type SDK struct {
	Engine         string `json:"engine"`
	Version        string `json:"version"`
	OS             string `json:"os"`   // a GOOS
	Arch           string `json:"arch"` // a GOARCH
	Package        string `json:"package"`
	PackageVersion string `json:"package_version"`
	File           string `json:"file"`    // the archive from which it was unpacked
	SHA256         string `json:"sha256"`  // of that archive
	Library        string `json:"library"` // the C API's shared library, slash-separated, relative to the folder
	Size           int64  `json:"size"`    // bytes of all files but sdk.json
	// Shim is a digest of the sources of Library, if it is a shim that was compiled on the SDK in this folder.
	Shim string `json:"shim,omitempty"`

	Dir string `json:"-"` // the folder itself
}

// LibraryPath returns the path of the file to open.
func (s SDK) LibraryPath() string { return filepath.Join(s.Dir, filepath.FromSlash(s.Library)) }

// LibDir returns the folder of the library and of its dependencies.
func (s SDK) LibDir() string { return filepath.Dir(s.LibraryPath()) }

// Check returns an error if others can change the library: privdir.Check must accept its folder and all up to the root.
func (s SDK) Check() error {
	root := filepath.Dir(filepath.Dir(filepath.Dir(s.Dir)))
	for dir := s.LibDir(); ; dir = filepath.Dir(dir) {
		if err := privdir.Check(dir); err != nil || dir == root {
			return err
		}
	}
}

// Target returns the folder name of an operating system and architecture.
func Target(goos, goarch string) string { return goos + "-" + goarch }

// Path returns the folder of the SDK below the root, whether it is installed or not.
func (s SDK) Path() string { return filepath.Join(s.Engine, s.Version, Target(s.OS, s.Arch)) }

// Root returns $ANYINFER_SDK_DIR, else anyinfer/sdk in the user's cache folder.
func Root() (string, error) {
	if dir := os.Getenv(EnvRoot); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no folder for SDKs: %w; set %s", err, EnvRoot)
	}
	return filepath.Join(cache, "anyinfer", "sdk"), nil
}

// List returns every SDK below Root.
func List() ([]SDK, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	return ListDir(root)
}

// ListDir returns every SDK below root, sorted by engine, version (newest first) and target. It skips SDKs that cannot
// be read; a missing root has none.
func ListDir(root string) ([]SDK, error) {
	manifests, err := fs.Glob(os.DirFS(root), "*/*/*/"+Manifest)
	if err != nil {
		return nil, err
	}
	var list []SDK
	for _, m := range manifests {
		if s, err := Read(filepath.Join(root, filepath.FromSlash(path.Dir(m)))); err == nil {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b SDK) int {
		return cmp.Or(cmp.Compare(a.Engine, b.Engine), CompareVersions(b.Version, a.Version),
			cmp.Compare(a.OS, b.OS), cmp.Compare(a.Arch, b.Arch))
	})
	return list, nil
}

// Installed returns the engine's SDKs for the running system, newest first.
func Installed(engine string) []SDK {
	list, _ := List() // an unreadable root holds no usable SDK
	return slices.DeleteFunc(list, func(s SDK) bool {
		return s.Engine != engine || s.OS != runtime.GOOS || s.Arch != runtime.GOARCH
	})
}

// Read reads the SDK in dir. It returns an error if sdk.json describes another folder, or if the library is missing.
func Read(dir string) (SDK, error) {
	text, err := os.ReadFile(filepath.Join(dir, Manifest))
	if err != nil {
		return SDK{}, err
	}
	var s SDK
	if err := json.Unmarshal(text, &s); err != nil {
		return SDK{}, fmt.Errorf("%s: %w", filepath.Join(dir, Manifest), err)
	}
	version := filepath.Dir(dir)
	if filepath.Base(dir) != Target(s.OS, s.Arch) || filepath.Base(version) != s.Version ||
		filepath.Base(filepath.Dir(version)) != s.Engine {
		return SDK{}, fmt.Errorf("%s describes %s, not its own folder", filepath.Join(dir, Manifest), s.Path())
	}
	if !filepath.IsLocal(filepath.FromSlash(s.Library)) {
		return SDK{}, fmt.Errorf("%s: library %q is outside the folder", filepath.Join(dir, Manifest), s.Library)
	}
	s.Dir = dir
	if _, err := os.Stat(s.LibraryPath()); err != nil {
		return SDK{}, err
	}
	return s, nil
}

// CompareVersions compares dotted versions number by number; a part that is not a number is compared as text.
func CompareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(a, b string) int {
		x, errX := strconv.Atoi(a)
		y, errY := strconv.Atoi(b)
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(a, b)
	})
}
