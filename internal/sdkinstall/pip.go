// SPDX-License-Identifier: Apache-2.0

package sdkinstall

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

// download makes pip fetch the pinned file into dir.
func download(ctx context.Context, p Pin, dir string, progress progress) (string, error) {
	python, err := findPip(ctx, dir)
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, offline(p))
	}
	requirements := filepath.Join(dir, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", p.Package, p.PackageVersion, p.SHA256)
	if err := os.WriteFile(requirements, []byte(line), 0o600); err != nil {
		return "", err
	}
	args := []string{"-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "download", "--require-hashes", "-r", requirements, "--dest", dir}
	args = append(args, wheelArgs(p.File)...)
	cmd := exec.CommandContext(ctx, python, args...)
	// "python -m" would import a pip.py in the current folder.
	cmd.Dir = dir
	// pip's temporary files are removed with dir, even if an interrupt kills pip.
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.WaitDelay = 5 * time.Second
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	done := showDownload(progress, p, dir)
	err = cmd.Run()
	done()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("pip could not fetch %s: %w\n%s\n%s", p, err, strings.TrimSpace(output.String()), offline(p))
	}
	return filepath.Join(dir, p.File), nil
}

// wheelArgs returns the arguments, parts of a wheel's name, with which pip chooses this wheel on any machine.
func wheelArgs(file string) []string {
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

// offline explains how to install without pip or a network on this machine.
func offline(p Pin) string {
	text := fmt.Sprintf("Without pip or a network here: fetch %s on another machine with\n"+
		"  python3 -m pip download %s %s==%s\nthen run\n  anyinfer sdk install %s --from %s",
		p.File, strings.Join(wheelArgs(p.File), " "), p.Package, p.PackageVersion, p.Engine, p.File)
	if p.headers != nil {
		text += "\nThis SDK also needs the headers in a crate. " + p.headers.offline()
	}
	return text
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
	return "", errors.New("python3 with pip is needed to fetch SDKs and was not found; " +
		"install it (on Debian and Ubuntu: apt install python3-pip; elsewhere: python3 -m ensurepip)")
}

// showDownload reports progress until done is called. pip prints its own progress bar with lines about temporary
// folders, so this reads the sizes of the files that pip writes.
func showDownload(progress progress, p Pin, dir string) (done func()) {
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
			case n < p.Download:
				rate := float64(n) / max(time.Since(start).Seconds(), 0.1)
				progress("fetching %d %%, %s of %s, %s/s", 100*n/p.Download, Size(n), Size(p.Download), Size(int64(rate)))
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
