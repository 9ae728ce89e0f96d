// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/anyinfer/anyinfer/internal/execgroup"
	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// A crate is a Rust package that contains the headers of a C++ SDK. It is neither compiled nor run.
type crate struct {
	name, version string
	size          int64
	sha256        string
	publisher     Publisher
	unpack        []pypi.Rule
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
	content, err := c.read(c.cached())
	if err != nil { // cargo waits if another one is writing it
		// Without --registry, cargo refuses if its configuration replaces the registry by a mirror.
		_, failed := cargo("info", "--quiet", "--registry", "crates-io", c.name+"@"+c.version)
		file := c.cached()
		switch {
		case file == "" && failed != nil:
			return fmt.Errorf("cargo could not fetch the crate %s: %w\n%s", c, failed, c.offline())
		case file == "":
			return fmt.Errorf("cargo did not put the crate %s into its cache", c)
		}
		if content, err = c.read(file); err != nil {
			return err
		}
	}
	z, err := gzip.NewReader(bytes.NewReader(content))
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
		if to := pypi.Destination(strings.TrimPrefix(h.Name, c.String()+"/"), c.unpack); to != "" && h.Typeflag == tar.TypeReg {
			if _, err := pypi.Write(root, to, r, pypi.MaxUnpacked); err != nil {
				return err
			}
		}
	}
}

// offline explains how to bring the crate to a machine without a network.
func (c crate) offline() string {
	return fmt.Sprintf("Without a network here: on another machine run\n  cargo info --registry crates-io %s@%s\n"+
		"and copy registry/cache/*/%s.crate of its CARGO_HOME (~/.cargo) to the same place here", c.name, c.version, c)
}

// read returns the content of the file after it has verified it, because others may be able to write to cargo's cache.
func (c crate) read(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(content)); got != c.sha256 {
		return nil, fmt.Errorf("%s is refused: its SHA-256 is\n  %s, but\n  %s is pinned; if cargo was interrupted, remove the file", file, got, c.sha256)
	}
	return content, nil
}

// cached returns the crate's file in cargo's cache, or "".
func (c crate) cached() string {
	home, _ := os.UserHomeDir()
	home = cmp.Or(os.Getenv("CARGO_HOME"), filepath.Join(home, ".cargo"))
	found, _ := fs.Glob(os.DirFS(home), "registry/cache/*/"+c.String()+".crate") // home may have characters that Glob interprets
	if len(found) == 0 {
		return ""
	}
	return filepath.Join(home, filepath.FromSlash(found[0]))
}
