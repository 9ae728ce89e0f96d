// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path"
	"path/filepath"
	"slices"

	"github.com/anyinfer/anyinfer/internal/execgroup"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// projects has, for each engine whose headers come from a crate, a folder with a project that depends on it, for cargo.
//
//go:embed mnn
var projects embed.FS

// A crate is a package of Rust that brings a C++ SDK's headers. Nothing of it is compiled in Rust, or run.
type crate struct {
	name, version string
	publisher     Publisher
	include       string // the folder of headers
	license       string // of what the headers' library was compiled with
}

// minCargo is the oldest that can read the crates.
const minCargo = "1.84"

// cargoIn returns the command cargo with an environment in which it works.
func cargoIn(ctx context.Context) (func(args ...string) ([]byte, error), error) {
	env := os.Environ()
	cargo := func(args ...string) ([]byte, error) {
		cmd := execgroup.CommandContext(ctx, "cargo", args...)
		// cargo reads .cargo/config.toml and rustup rust-toolchain.toml in the working folder and its parents, and both name
		// programs to run: in the parents of a folder in /tmp anybody can put them.
		cmd.Dir, cmd.Env = "/", env
		out, err := cmd.Output()
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(failed.Stderr))
		}
		return out, err
	}
	out, err := cargo("--version")
	if err != nil && os.Getenv("RUSTUP_HOME") == "" {
		// Where HOME is not the account's own, rustup does not find its toolchains.
		if account, lookup := user.Current(); lookup == nil {
			env = append(env, "RUSTUP_HOME="+filepath.Join(account.HomeDir, ".rustup"))
			if again, retried := cargo("--version"); retried == nil {
				out, err = again, nil
			}
		}
	}
	var has string
	if err == nil {
		if _, scanned := fmt.Sscanf(string(out), "cargo %s", &has); scanned != nil || sdkdir.CompareVersions(has, minCargo) < 0 {
			err = fmt.Errorf("this is %s", bytes.TrimSpace(out))
		}
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("cargo %s or newer is needed to fetch headers (rustup installs it; on Debian 13 and Ubuntu 25.04 or newer: apt install cargo): %w", minCargo, err)
	}
	return cargo, err
}

// fetch has cargo fetch the crate and all that it depends on, which cargo does not leave out, and copies the headers and
// the licences below dir.
func (c crate) fetch(cargo func(...string) ([]byte, error), engine, temp, dir string) error {
	project := filepath.Join(temp, "project")
	files, err := fs.Sub(projects, engine)
	if err == nil {
		err = errors.Join(os.CopyFS(project, files), os.Mkdir(filepath.Join(project, "src"), 0o755),
			os.WriteFile(filepath.Join(project, "src", "lib.rs"), nil, 0o644))
	}
	if err != nil {
		return err
	}
	out, err := cargo("metadata", "--quiet", "--manifest-path", filepath.Join(project, "Cargo.toml"), "--locked", "--format-version", "1")
	if err != nil {
		return fmt.Errorf("cargo could not fetch the crate %s %s: %w", c.name, c.version, err)
	}
	var metadata struct{ Packages []packageOfCargo }
	if err := json.Unmarshal(out, &metadata); err != nil {
		return err
	}
	i := slices.IndexFunc(metadata.Packages, func(p packageOfCargo) bool { return p.Name == c.name && p.Version == c.version })
	if i < 0 {
		return fmt.Errorf("cargo does not say where it put the crate %s %s", c.name, c.version)
	}
	source := filepath.Dir(metadata.Packages[i].Manifest)
	if err := os.CopyFS(filepath.Join(dir, "include"), os.DirFS(filepath.Join(source, c.include))); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(source, c.license))
	return errors.Join(err, os.MkdirAll(filepath.Join(dir, "licenses"), 0o755), os.WriteFile(filepath.Join(dir, "licenses", path.Base(path.Dir(c.license))+"-LICENSE"), text, 0o644))
}

// packageOfCargo is what cargo says of a package.
type packageOfCargo struct {
	Name, Version string
	Manifest      string `json:"manifest_path"`
}
