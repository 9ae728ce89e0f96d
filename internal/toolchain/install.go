// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// Install compiles a shim with the SDK at from and installs it below root, where the engine looks for it: in the SDK of
// that version if it is installed, else in a folder of its own.
func (r Recipe) Install(ctx context.Context, from Location, root string, log io.Writer) (sdkdir.SDK, error) {
	version, err := r.Version(from)
	if err != nil {
		return sdkdir.SDK{}, err
	}
	sdk := sdkdir.SDK{Engine: r.Engine, Version: version, OS: runtime.GOOS, Arch: r.SDK.GOARCH(), Library: "lib/" + r.Library()}
	if err := sdkdir.MakeRoot(root, sdkdir.Elsewhere); err != nil {
		return sdk, err
	}
	final := filepath.Join(root, sdk.Path())
	temp, err := sdkdir.TempDir(root, sdkdir.Elsewhere)
	if err != nil {
		return sdk, err
	}
	defer os.RemoveAll(temp)
	from.SameFolder = from.Root == final
	built := filepath.Join(temp, "sdk")
	library := filepath.Join(built, filepath.FromSlash(sdk.Library))
	if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
		return sdk, err
	}
	if err := r.Build(ctx, from, library, log); err != nil {
		return sdk, err
	}
	installed, err := sdkdir.Read(final)
	if err != nil {
		if err := sdkdir.Write(built, sdk); err != nil {
			return sdk, err
		}
		sdk, _, err = sdkdir.Put(built, final, filepath.Join(temp, "old"), sdk)
		return sdk, err
	}
	installed.Shim = ""
	if from.Root == final {
		if installed.Shim, err = r.Digest(); err != nil {
			return installed, err
		}
	}
	// A rename does not affect programs that have opened the old file.
	if err := os.Rename(library, installed.LibraryPath()); err != nil {
		return installed, err
	}
	if err := sdkdir.Write(final, installed); err != nil {
		return installed, err
	}
	return sdkdir.Read(final)
}

// Refresh compiles the shim of an installed SDK again if another version of this module compiled it. already reports
// whether it was up to date.
func Refresh(ctx context.Context, sdk sdkdir.SDK, root string, log io.Writer) (_ sdkdir.SDK, already bool, err error) {
	r, ok := Find(sdk.Engine)
	if !ok {
		return sdk, true, nil
	}
	digest, err := r.Digest()
	if err != nil || digest == sdk.Shim {
		return sdk, true, err
	}
	r.SDK.Arch = sdk.Arch
	from, err := r.SDK.Find(sdk.Dir)
	if err != nil {
		return sdk, false, err
	}
	sdk, err = r.Install(ctx, from, root, log)
	return sdk, false, err
}
