// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/internal/cengine/shim"
	"github.com/anyinfer/anyinfer/internal/execgroup"
	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

// minCargo is the oldest that can read the crates.
const minCargo = "1.84"

// buildTools makes sure of all that the long build for a GOARCH needs, before it starts, and returns the environment for it.
func buildTools(ctx context.Context, goarch string) (env []string, err error) {
	var missing []string
	need := func(what string, err error) {
		if err != nil {
			missing = append(missing, fmt.Sprintf("  %s: %v", what, err))
		}
	}
	env, err = cargoEnv(ctx)
	need("cargo "+minCargo+" or newer (rustup installs it; on Debian 13 and Ubuntu 25.04 or newer: apt install cargo)", err)
	compilers := "build-essential"
	if goarch != runtime.GOARCH {
		compilers = platform.Linux[goarch].Package("g++")
	}
	cc, err := shim.C.For(goarch).Compiler()
	need("a C compiler (apt install "+compilers+")", err)
	cxx, err := shim.CXX.For(goarch).Compiler()
	need("a C++ compiler (apt install "+compilers+")", err)
	if goarch != runtime.GOARCH {
		need("$CC", compilesFor(ctx, cc, goarch))
		need("$CXX", compilesFor(ctx, cxx, goarch))
		target := rustTarget(goarch)
		need("Rust's library for "+target+" (rustup target add "+target+")", findRustLibrary(ctx, target, env))
		env = append(env, "CARGO_BUILD_TARGET="+target, "CC="+strings.Join(cc, " "), "CXX="+strings.Join(cxx, " "))
	}
	_, err = exec.LookPath("cmake")
	need("cmake (apt install cmake)", err)
	if os.Getenv("CMAKE_GENERATOR") == "" {
		_, err = exec.LookPath("make")
		need("make (apt install build-essential)", err)
	}
	need("libclang (apt install libclang-dev)", findLibclang())
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if missing != nil {
		return nil, fmt.Errorf("building it needs what is not here; the commands are those of Debian and Ubuntu:\n%s", strings.Join(missing, "\n"))
	}
	return env, nil
}

// cargoEnv is an environment in which cargo works.
func cargoEnv(ctx context.Context) ([]string, error) {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { // they would change what is built
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains([]string{"MNN_COMPILE", "MNN_SRC", "MNN_LIB_DIR", "CARGO_BUILD_TARGET"}, name)
	})
	version := func() (string, error) {
		cmd := execgroup.CommandContext(ctx, "cargo", "--version")
		cmd.Dir, cmd.Env = rustDir, env
		out, err := cmd.Output()
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			first, _, _ := strings.Cut(string(failed.Stderr), "\n")
			err = fmt.Errorf("%w: %s", err, first)
		}
		return string(out), err
	}
	said, err := version()
	if err != nil && os.Getenv("RUSTUP_HOME") == "" {
		// Where HOME is not the account's own, rustup does not find its toolchains.
		if account, lookup := user.Current(); lookup == nil {
			env = append(env, "RUSTUP_HOME="+filepath.Join(account.HomeDir, ".rustup"))
			if again, retried := version(); retried == nil {
				said, err = again, nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	var has string
	if _, err := fmt.Sscanf(said, "cargo %s", &has); err != nil || sdkdir.CompareVersions(has, minCargo) < 0 {
		return nil, fmt.Errorf("this is %s", strings.TrimSpace(said))
	}
	return env, nil
}

// compilesFor asks a compiler, if there is one, what it is for.
func compilesFor(ctx context.Context, compiler []string, goarch string) error {
	if compiler == nil {
		return nil
	}
	out, err := execgroup.CommandContext(ctx, compiler[0], append(compiler[1:len(compiler):len(compiler)], "-dumpmachine")...).Output()
	machine := strings.TrimSpace(string(out))
	cpu, _, _ := strings.Cut(platform.Linux[goarch].Triplet, "-")
	if err == nil && !strings.HasPrefix(machine, cpu+"-") {
		err = fmt.Errorf("%s compiles for %s, not for linux/%s", strings.Join(compiler, " "), machine, goarch)
	}
	return err
}

// rustTarget is what Rust calls linux on a GOARCH that is amd64 or arm64.
func rustTarget(goarch string) string {
	return strings.Replace(platform.Linux[goarch].Triplet, "-linux-", "-unknown-linux-", 1)
}

// findRustLibrary asks the compiler where its library for a target is, and looks there.
func findRustLibrary(ctx context.Context, target string, env []string) error {
	cmd := execgroup.CommandContext(ctx, cmp.Or(os.Getenv("RUSTC"), "rustc"), "--print", "target-libdir", "--target", target)
	cmd.Dir, cmd.Env = rustDir, env
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	_, err = os.Stat(strings.TrimSpace(string(out)))
	return err
}

// findLibclang looks for libclang where the build will, which is near its end.
func findLibclang() error {
	if named := os.Getenv("LIBCLANG_PATH"); named != "" {
		if info, err := os.Stat(named); err == nil && !info.IsDir() || libclangIn(named) {
			return nil
		}
		return errors.New("LIBCLANG_PATH names none")
	}
	dirs := append(filepath.SplitList(os.Getenv("LD_LIBRARY_PATH")), filepath.SplitList(os.Getenv("LIBRARY_PATH"))...)
	if prefix, err := exec.Command(cmp.Or(os.Getenv("LLVM_CONFIG_PATH"), "llvm-config"), "--prefix").Output(); err == nil {
		p := strings.TrimSpace(string(prefix))
		dirs = append(dirs, filepath.Join(p, "lib"), filepath.Join(p, "lib64"))
	}
	dirs = append(dirs, "/usr/local/llvm*/lib*", "/usr/local/lib*", "/usr/local/lib*/*", "/usr/local/lib*/*/*", "/usr/lib*", "/usr/lib*/*", "/usr/lib*/*/*")
	if slices.ContainsFunc(dirs, libclangIn) {
		return nil
	}
	return errors.New("not found; LIBCLANG_PATH can name its folder")
}

// libclangIn reports whether folders that match a pattern have a libclang.
func libclangIn(pattern string) bool {
	for _, name := range []string{"libclang.so", "libclang.so.*", "libclang-*.so", "libclang-*.so.*"} {
		found, _ := filepath.Glob(filepath.Join(pattern, name))
		if slices.ContainsFunc(found, func(f string) bool { return !strings.Contains(filepath.Base(f), "-cpp.") }) {
			return true
		}
	}
	return false
}
