// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/anyinfer/anyinfer/internal/execgroup"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// A crate is a Rust package that contains the headers of a C++ SDK. It is neither compiled nor run.
type crate struct {
	name, version string
	size          int64
	sha256        string
	publisher     Publisher
	unpack        []unpackRule
}

func (c crate) String() string { return c.name + "-" + c.version }

// minCargo is the oldest version that has `cargo info`.
const minCargo = "1.82"

// cargoIn returns the command cargo with an environment in which it works.
func cargoIn(ctx context.Context) (func(args ...string) ([]byte, error), error) {
	env := os.Environ()
	cargo := func(args ...string) ([]byte, error) {
		cmd := execgroup.CommandContext(ctx, "cargo", args...)
		// cargo reads .cargo/config.toml, and rustup rust-toolchain.toml, in the working folder and its parents. Both
		// name programs to run, and anybody can create them in /tmp, a parent of temporary folders.
		cmd.Dir, cmd.Env = "/", env
		out, err := cmd.Output()
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(failed.Stderr))
		}
		return out, err
	}
	out, err := cargo("--version")
	if err != nil && os.Getenv("RUSTUP_HOME") == "" {
		// If HOME is not the account's own, rustup does not find its toolchains.
		if account, lookup := user.Current(); lookup == nil {
			env = append(env, "RUSTUP_HOME="+filepath.Join(account.HomeDir, ".rustup"))
			if again, retried := cargo("--version"); retried == nil {
				out, err = again, nil
			}
		}
	}
	var installed string
	if err == nil {
		if _, scanned := fmt.Sscanf(string(out), "cargo %s", &installed); scanned != nil || sdkdir.CompareVersions(installed, minCargo) < 0 {
			err = fmt.Errorf("this is %s", bytes.TrimSpace(out))
		}
	}
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("cargo %s or newer is needed to fetch headers (rustup installs it; on Debian 13 and Ubuntu 25.04 or newer: apt install cargo): %w", minCargo, err)
	}
	return cargo, err
}

// fetch makes cargo fetch the crate if its cache lacks it, verifies it and unpacks the headers below dir.
func (c crate) fetch(cargo func(...string) ([]byte, error), dir string) error {
	file := c.cached()
	if file == "" {
		if _, err := cargo("info", "--quiet", c.name+"@"+c.version); err != nil {
			return fmt.Errorf("cargo could not fetch the crate %s: %w", c, err)
		}
		if file = c.cached(); file == "" {
			return fmt.Errorf("cargo did not put the crate %s into its cache", c)
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if got, err := digest(f); err != nil || got != c.sha256 {
		return cmp.Or(err, fmt.Errorf("%s is refused: its SHA-256 is\n  %s, but\n  %s is pinned", file, got, c.sha256))
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if to := destination(strings.TrimPrefix(h.Name, c.String()+"/"), c.unpack); to != "" && h.Typeflag == tar.TypeReg {
			if _, err := write(root, to, r, maxUnpacked); err != nil {
				return err
			}
		}
	}
}

// cached returns the crate's file in cargo's cache, or "".
func (c crate) cached() string {
	home, _ := os.UserHomeDir()
	found, _ := filepath.Glob(filepath.Join(cmp.Or(os.Getenv("CARGO_HOME"), filepath.Join(home, ".cargo")), "registry", "cache", "*", c.String()+".crate"))
	return strings.Join(found[:min(1, len(found))], "")
}
