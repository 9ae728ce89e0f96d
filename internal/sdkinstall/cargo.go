// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/internal/execgroup"
	"github.com/anyinfer/anyinfer/internal/shims"
)

// projects has, for each engine whose SDK is built from a crate, a folder with what cargo builds.
//
//go:embed mnn
var projects embed.FS

// buildCrate has cargo build the pinned crate, whose build makes a C++ library, and makes the folder of an SDK of that,
// with the engine's shim compiled on it.
func buildCrate(ctx context.Context, pin Pin, temp, dir string, log io.Writer, progress progress) error {
	recipe, _ := shims.Find(pin.Engine) // each has one
	recipe, err := recipe.For(pin.OS + "/" + pin.Arch)
	if err != nil {
		return err
	}
	env, err := buildTools(ctx, pin.Arch)
	if err != nil {
		return err
	}
	fmt.Fprintln(log, "There is no binary of it: cargo fetches its source and what its build needs, and builds it. "+
		"That takes 8 to 15 minutes on 2 cores and 300 MB of disk, once.")
	output, err := os.CreateTemp("", "anyinfer-"+pin.Package+"-*.log")
	if err != nil {
		return err
	}
	keep := false
	defer func() {
		output.Close()
		if !keep {
			os.Remove(output.Name())
		}
	}()
	out, err := cargo(ctx, pin, temp, env, output, progress)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		keep = true
		return fmt.Errorf("cargo could not build %s: %w\n%s\nAll that it said is in %s", pin, err, tail(output), output.Name())
	}
	progress("compiling the shim")
	return assemble(ctx, pin, recipe, out, dir)
}

// assemble makes the folder of an SDK of what the build script of a crate left in out.
func assemble(ctx context.Context, pin Pin, recipe shims.Recipe, out, dir string) error {
	installed := filepath.Join(out, "mnn-install")
	library := filepath.Join(dir, filepath.FromSlash(pin.Library))
	err := errors.Join(
		os.CopyFS(filepath.Join(dir, "include"), os.DirFS(filepath.Join(installed, "include"))),
		os.CopyFS(filepath.Join(dir, "lib"), os.DirFS(filepath.Join(installed, "lib"))),
		copyLicenses(filepath.Join(dir, "licenses"), filepath.Join(out, "vendor"), pin))
	if err != nil {
		return err
	}
	place, err := recipe.SDK.Find(dir)
	if err != nil {
		return err
	}
	if version, err := recipe.Version(place); err != nil || version != pin.Version {
		return cmp.Or(err, fmt.Errorf("the crate brought version %s instead of %s", version, pin.Version))
	}
	if err := recipe.Build(ctx, place, library, io.Discard); err != nil {
		return err
	}
	sdk := pin.SDK
	if sdk.Shim, err = recipe.Digest(); err != nil {
		return err
	}
	return describe(dir, sdk)
}

// copyLicenses puts the licences that come with a source into dir. MNN's own lies there in no file.
func copyLicenses(dir, source string, pin Pin) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("MNN %s, Copyright Alibaba Group Holding Limited, from the crate %s %s.\n\n"+
		"Licensed under the Apache License, Version 2.0: http://www.apache.org/licenses/LICENSE-2.0\n", pin.Version, pin.Package, pin.PackageVersion)
	err := os.WriteFile(filepath.Join(dir, "LICENSE"), []byte(text), 0o644)
	walked := fs.WalkDir(os.DirFS(source), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), "LICENSE") {
			return err
		}
		text, err := os.ReadFile(filepath.Join(source, filepath.FromSlash(name)))
		to := path.Base(path.Dir(name)) + "-" + d.Name()
		return errors.Join(err, os.WriteFile(filepath.Join(dir, to), text, 0o644))
	})
	return errors.Join(err, walked)
}

// rustDir is the working folder of cargo and rustc. cargo reads .cargo/config.toml there and in all parents, and rustup
// rust-toolchain.toml, which name programs to run: in the parents of a folder in /tmp anybody can put them.
const rustDir = "/"

// cargo builds the project of the pin's engine below temp, and returns the folder that the crate's build script filled.
func cargo(ctx context.Context, pin Pin, temp string, env []string, log io.Writer, progress progress) (out string, err error) {
	project := filepath.Join(temp, "project")
	files, err := fs.Sub(projects, pin.Engine)
	if err == nil {
		err = errors.Join(os.CopyFS(project, files), os.Mkdir(filepath.Join(project, "src"), 0o755),
			os.WriteFile(filepath.Join(project, "src", "lib.rs"), nil, 0o644))
	}
	if err != nil {
		return "", err
	}
	// Only with -vv does cargo print the output of build scripts.
	cmd := execgroup.CommandContext(ctx, "cargo", "build", "--manifest-path", filepath.Join(project, "Cargo.toml"),
		"--locked", "--release", "-vv", "--color", "never")
	cmd.Dir = rustDir
	cmd.Env = append(env, "CARGO_TARGET_DIR="+filepath.Join(temp, "target"), "TMPDIR="+temp)
	settings := filepath.Join(project, pin.Arch+".cmake")
	if _, err := os.Stat(settings); err == nil {
		cmd.Env = append(cmd.Env, "CMAKE_TOOLCHAIN_FILE="+settings)
	}
	f := &cargoOutput{log: log, prefix: fmt.Sprintf("[%s %s] ", pin.Package, pin.PackageVersion), start: time.Now(), progress: progress, doing: "fetching and building what the build needs"}
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Run(); err != nil {
		return "", err
	}
	if f.out == "" {
		return "", errors.New("the crate does not say where its library is")
	}
	return f.out, nil
}

// cargoOutput reads the output of cargo, line by line.
type cargoOutput struct {
	log      io.Writer
	prefix   string // of what the crate's build script says
	start    time.Time
	progress progress

	line  []byte // not yet ended
	doing string
	out   string // the build script's folder, when known
}

func (f *cargoOutput) Write(p []byte) (int, error) {
	rest := append(f.line, p...)
	for {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		if !ended {
			break
		}
		f.readLine(string(line))
		rest = after
	}
	f.line = append([]byte(nil), rest...)
	return f.log.Write(p)
}

// building matches the progress of make and ninja: "[ 45%] Building CXX object ..." and "[123/456] Building CXX object ...".
var building = regexp.MustCompile(`^\[ *(\d+)(%|/(\d+))\] `)

func (f *cargoOutput) readLine(line string) {
	text, ofCrate := strings.CutPrefix(line, f.prefix)
	switch m := building.FindStringSubmatch(text); {
	case ofCrate && m != nil:
		done, _ := strconv.Atoi(m[1])
		all, _ := strconv.Atoi(cmp.Or(m[3], "100"))
		f.doing = fmt.Sprintf("compiling %d %%", 100*done/max(all, 1))
	case ofCrate:
		if lib, ok := strings.CutPrefix(text, "cargo:rustc-link-search=native="); ok && filepath.Base(lib) == "lib" {
			f.out = filepath.Dir(filepath.Dir(lib))
		}
	}
	f.progress("%s, %d min", f.doing, int(time.Since(f.start).Minutes()))
}

// tail is the end of a log.
func tail(f io.ReadSeeker) string {
	if _, err := f.Seek(-4000, io.SeekEnd); err != nil {
		_, _ = f.Seek(0, io.SeekStart) // it is shorter
	}
	text, _ := io.ReadAll(f)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-25):], "\n")
}
