// SPDX-License-Identifier: Apache-2.0

// Package sdkinstall fetches pinned SDKs, verifies them and puts them where package sdkdir finds them.
package sdkinstall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/internal/privdir"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// InstallOptions says what to install; only Engine is required.
type InstallOptions struct {
	Engine   string
	Version  string    // newest pinned
	OS, Arch string    // those running
	Root     string    // sdkdir.Root()
	From     string    // a file that is already here, instead of fetching one; its digest says which version and target it is
	Log      io.Writer // what is done, in lines
	// Progress is told what is going on right now, several times a second.
	Progress func(text string)
}

// progress is told what is going on, as Printf is.
type progress func(format string, args ...any)

// tempPrefix marks folders below the root that an installation works in: on the same file system, so that the last step
// is one rename.
const tempPrefix = ".tmp-"

// Install puts an SDK in place, whole or not at all. already reports that it was there. Several may run at once.
func Install(ctx context.Context, o InstallOptions) (sdk sdkdir.SDK, already bool, err error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Root == "" {
		if o.Root, err = sdkdir.Root(); err != nil {
			return sdk, false, err
		}
	}
	if o.Root, err = filepath.Abs(o.Root); err != nil {
		return sdk, false, err
	}
	var file *os.File
	var pin Pin
	if o.From == "" {
		pin, err = find(o)
	} else if file, err = os.Open(o.From); err == nil {
		defer file.Close()
		pin, err = identify(file, o)
	}
	if err != nil {
		return sdk, false, err
	}
	if err := makeRoot(o.Root); err != nil {
		return sdk, false, err
	}
	final := filepath.Join(o.Root, pin.Path())
	if sdk, ok := intact(final, pin.SDK); ok {
		if err := sdk.Check(); err != nil {
			return sdk, false, err
		}
		return refresh(ctx, sdk, o)
	}
	var tools tools
	if pin.headers != nil {
		if tools, err = findTools(ctx, pin); err != nil {
			return sdk, false, err
		}
	}
	fmt.Fprintf(o.Log, "%s from %s", pin, pin.Source())
	progress := func(format string, args ...any) {
		if o.Progress != nil {
			o.Progress(pin.Engine + " " + pin.Version + ": " + fmt.Sprintf(format, args...))
		}
	}

	temp, err := tempDir(o.Root)
	if err != nil {
		return sdk, false, err
	}
	defer os.RemoveAll(temp)
	built := filepath.Join(temp, "sdk")
	if file == nil {
		path, err := download(ctx, pin, temp, progress)
		if err != nil {
			return sdk, false, err
		}
		if file, err = os.Open(path); err != nil {
			return sdk, false, err
		}
		defer file.Close()
		progress("verifying")
		got, err := digest(file)
		if err != nil {
			return sdk, false, err
		}
		if got != pin.SHA256 {
			return sdk, false, fmt.Errorf("%s is refused: its SHA-256 is\n  %s, but\n  %s is pinned for %s", pin.File, got, pin.SHA256, pin)
		}
	}
	if err := build(ctx, file, pin, built, progress); err != nil {
		return sdk, false, err
	}
	if pin.headers != nil {
		if pin.Shim, err = completeMNN(ctx, pin, tools, temp, built, progress); err != nil {
			return sdk, false, err
		}
	}
	if err := describe(built, pin.SDK); err != nil {
		return sdk, false, err
	}
	return place(built, final, filepath.Join(temp, "old"), pin.SDK)
}

func find(o InstallOptions) (Pin, error) {
	if o.OS == "" {
		o.OS = runtime.GOOS
	}
	if o.Arch == "" {
		o.Arch = runtime.GOARCH
	}
	return Find(o.Engine, o.Version, o.OS, o.Arch)
}

// identify returns the pin whose file this is.
func identify(f *os.File, o InstallOptions) (Pin, error) {
	got, err := digest(f)
	if err != nil {
		return Pin{}, err
	}
	var expected strings.Builder
	for _, p := range Pins() {
		if p.Engine != o.Engine || o.Version != "" && p.Version != o.Version || o.OS != "" && p.OS != o.OS || o.Arch != "" && p.Arch != o.Arch {
			continue
		}
		if p.SHA256 == got {
			return p, nil
		}
		fmt.Fprintf(&expected, "\n  %s %s", p.SHA256, p.File)
	}
	return Pin{}, fmt.Errorf("%s is refused: its SHA-256 is\n  %s, expected is one of%s", f.Name(), got, expected.String())
}

// build unpacks the archive of an SDK into a folder.
func build(ctx context.Context, archive *os.File, pin Pin, dir string, progress progress) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := unpack(ctx, archive, pin.unpack, dir, progress); err != nil {
		return err
	}
	return linkLibrary(dir, pin.Library)
}

// describe writes the sdk.json of the SDK in dir, when all else is there.
func describe(dir string, sdk sdkdir.SDK) (err error) {
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
	return os.WriteFile(filepath.Join(dir, sdkdir.Manifest), append(text, '\n'), 0o644)
}

// forbidOthers takes from others the right to change what lies in dir: compilers and cargo go by the umask.
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

// place moves a built SDK to its final place. Whoever renames first wins; another that finds an intact one there is done.
func place(built, final, old string, want sdkdir.SDK) (sdkdir.SDK, bool, error) {
	if err := os.MkdirAll(filepath.Dir(final), 0o755); err != nil {
		return sdkdir.SDK{}, false, err
	}
	err := os.Rename(built, final)
	if err != nil {
		if sdk, ok := intact(final, want); ok {
			return sdk, true, nil
		}
		// A damaged one is in the way.
		if err := os.Rename(final, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return sdkdir.SDK{}, false, err
		}
		err = os.Rename(built, final)
	}
	sdk, ok := intact(final, want)
	if !ok {
		return sdk, false, errors.Join(err, fmt.Errorf("%s was not installed correctly", final))
	}
	return sdk, err != nil, nil
}

// intact reports whether the wanted SDK lies in dir with every file at its size.
func intact(dir string, want sdkdir.SDK) (sdkdir.SDK, bool) {
	sdk, err := sdkdir.Read(dir)
	if err != nil || sdk.SHA256 != want.SHA256 {
		return sdk, false
	}
	n, err := size(dir)
	return sdk, err == nil && n == sdk.Size
}

func size(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == filepath.Join(dir, sdkdir.Manifest) {
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

// makeRoot makes the root, where it is missing, and refuses one in which others could change what is installed. Others may
// read it: root can install for all users.
func makeRoot(root string) error {
	err := os.MkdirAll(root, 0o755)
	if err == nil {
		err = privdir.Check(root)
	}
	if err != nil {
		return fmt.Errorf("%w; or choose another folder with --dir or %s", err, sdkdir.EnvRoot)
	}
	return nil
}

// tempDir makes a folder to work in, and removes those of installations that were killed long ago.
func tempDir(root string) (string, error) {
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), tempPrefix) && time.Since(info.ModTime()) > 24*time.Hour {
			os.RemoveAll(filepath.Join(root, e.Name()))
		}
	}
	temp, err := os.MkdirTemp(root, tempPrefix)
	if err != nil {
		return "", fmt.Errorf("%w; choose another folder with --dir or %s", err, sdkdir.EnvRoot)
	}
	return temp, nil
}
