// SPDX-License-Identifier: Apache-2.0

// Package sdkinstall fetches pinned SDKs, verifies them and installs them in the folders of package sdkdir.
package sdkinstall

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// InstallOptions are the arguments of Install; only Engine is required.
type InstallOptions struct {
	Engine   string
	Version  string    // default: the newest pinned one
	OS, Arch string    // default: this machine's
	Root     string    // default: sdkdir.Root()
	From     string    // a file to install instead of fetching one; its digest determines the version and target
	Log      io.Writer // gets a line for each step
	// Progress is called with the current activity several times a second.
	Progress func(text string)
}

// Install installs an SDK atomically. already reports whether it was installed before. Several calls may run at once.
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
	if err := sdkdir.MakeRoot(o.Root, sdkdir.Elsewhere); err != nil {
		return sdk, false, err
	}
	final := filepath.Join(o.Root, pin.Path())
	if sdk, ok := sdkdir.Intact(final, pin.SDK); ok {
		if err := sdk.Check(); err != nil {
			return sdk, false, err
		}
		return toolchain.Refresh(ctx, sdk, o.Root, o.Log)
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

	temp, err := sdkdir.TempDir(o.Root, sdkdir.Elsewhere)
	if err != nil {
		return sdk, false, err
	}
	defer os.RemoveAll(temp)
	built := filepath.Join(temp, "sdk")
	if file == nil {
		wheel := pypi.Wheel{Package: pin.Package, Version: pin.PackageVersion, File: pin.File, Size: pin.Download, SHA256: pin.SHA256}
		then := fmt.Sprintf("anyinfer sdk install %s --from %s", pin.Engine, pin.File)
		if pin.headers != nil {
			then += "\nThis SDK also needs the headers in a crate. " + pin.headers.offline()
		}
		if file, err = wheel.Download(ctx, pin.String(), then, temp, progress); err != nil {
			return sdk, false, err
		}
		defer file.Close()
	}
	if err := build(ctx, file, pin, built, progress); err != nil {
		return sdk, false, err
	}
	if pin.headers != nil {
		if pin.Shim, err = completeMNN(ctx, pin, tools, built, progress); err != nil {
			return sdk, false, err
		}
	}
	if err := sdkdir.Write(built, pin.SDK); err != nil {
		return sdk, false, err
	}
	return sdkdir.Put(built, final, filepath.Join(temp, "old"), pin.SDK)
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

// identify returns the pin whose file is f.
func identify(f *os.File, o InstallOptions) (Pin, error) {
	if _, err := Find(o.Engine, o.Version, o.OS, o.Arch); err != nil {
		return Pin{}, err
	}
	got, err := pypi.Digest(f)
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
func build(ctx context.Context, archive *os.File, pin Pin, dir string, progress pypi.Progress) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := pypi.Unpack(ctx, archive, pin.unpack, dir, progress); err != nil {
		return err
	}
	return linkLibrary(dir, pin.Library)
}

var versionInName = regexp.MustCompile(`(\.so)\.[0-9.]+$|\.[0-9.]+(\.dylib)$`)

// linkLibrary links a library with a version in its name to the plain name that a linker's -l needs. It makes a hard
// link, which needs no privileges on Windows, or a symbolic one on file systems without hard links.
func linkLibrary(dir, library string) error {
	plain := versionInName.ReplaceAllString(library, "$1$2")
	if plain == library {
		return nil
	}
	if os.Link(filepath.Join(dir, library), filepath.Join(dir, plain)) == nil {
		return nil
	}
	return os.Symlink(path.Base(library), filepath.Join(dir, plain))
}
