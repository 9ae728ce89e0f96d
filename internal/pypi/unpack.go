// SPDX-License-Identifier: Apache-2.0

package pypi

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// MaxUnpacked bounds the unpacked size of an archive; the largest pinned one has 260 MB.
var MaxUnpacked int64 = 1 << 30

// Digest returns the SHA-256 of a file, leaving it at its start.
func Digest(f *os.File) (string, error) {
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	_, err := f.Seek(0, io.SeekStart)
	return hex.EncodeToString(h.Sum(nil)), err
}

// Rule unpacks archive members with a prefix, and replaces it with another one.
type Rule [2]string

// Size formats a number of bytes as MB.
func Size(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// Unpack writes the members that the rules choose, and the licences, below dir. It refuses the whole archive if the
// path of any member is outside dir; os.Root enforces that too.
func Unpack(ctx context.Context, f *os.File, rules []Rule, dir string, progress Progress) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	archive, err := zip.NewReader(f, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // checkMember has a better message
		return fmt.Errorf("%s is damaged: %w", filepath.Base(f.Name()), err)
	}
	var total int64
	for _, m := range archive.File {
		if err := checkMember(m); err != nil {
			return fmt.Errorf("%s is refused: %w", filepath.Base(f.Name()), err)
		}
		if Destination(m.Name, rules) != "" {
			total += int64(m.UncompressedSize64)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	remaining := MaxUnpacked
	for _, m := range archive.File {
		to := Destination(m.Name, rules)
		if to == "" || m.Mode().IsDir() {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := unpackMember(root, m, to, remaining)
		if err != nil {
			return fmt.Errorf("unpacking %s from %s: %w", m.Name, filepath.Base(f.Name()), err)
		}
		remaining -= n
		progress("unpacking %d %%, %s of %s", 100*(MaxUnpacked-remaining)/max(total, 1), Size(MaxUnpacked-remaining), Size(total))
	}
	return nil
}

func checkMember(m *zip.File) error {
	if !m.Mode().IsRegular() && !m.Mode().IsDir() {
		return fmt.Errorf("member %q is a link or special file", m.Name)
	}
	// A backslash or colon makes a path on Windows.
	if !fs.ValidPath(strings.TrimSuffix(m.Name, "/")) || strings.ContainsAny(m.Name, `\:`) {
		return fmt.Errorf("member %q would be written outside the folder", m.Name)
	}
	return nil
}

// Destination returns the path for a member, or "" to skip it. Licences go to the folder licenses.
func Destination(name string, rules []Rule) string {
	for _, r := range rules {
		if rest, ok := strings.CutPrefix(name, r[0]); ok {
			if strings.HasSuffix(rest, ".pc") || strings.HasSuffix(rest, "_debug.lib") { // they contain paths of the build
				return ""
			}
			return r[1] + rest
		}
	}
	dir, rest, _ := strings.Cut(name, "/")
	base := path.Base(rest)
	if strings.HasSuffix(dir, ".dist-info") && (strings.HasPrefix(rest, "licenses/") ||
		strings.HasPrefix(base, "LICENSE") || strings.HasPrefix(base, "NOTICE") || strings.HasSuffix(base, "third-party-programs.txt")) {
		return "licenses/" + strings.TrimPrefix(rest, "licenses/")
	}
	return ""
}

func unpackMember(root *os.Root, m *zip.File, to string, remaining int64) (int64, error) {
	in, err := m.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	return Write(root, to, in, remaining)
}

// Write writes a file of at most remaining bytes, with the folders above it.
func Write(root *os.Root, to string, in io.Reader, remaining int64) (int64, error) {
	if err := root.MkdirAll(path.Dir(to), 0o755); err != nil {
		return 0, err
	}
	out, err := root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, io.LimitReader(in, remaining+1))
	if n > remaining {
		err = fmt.Errorf("the archive unpacks to more than %s", Size(MaxUnpacked))
	}
	return n, errors.Join(err, out.Close())
}
