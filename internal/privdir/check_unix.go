// SPDX-License-Identifier: Apache-2.0

//go:build unix

package privdir

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"
)

// Check returns an error if other users can change the content of the folder at path: if the folder belongs neither to the
// user who runs this program nor to root, if its group or others can write to it, or if everybody can rename it, because they
// can write to one of its parents, which has no sticky bit. The error has the command that corrects it.
func Check(path string) error { return check(path, os.Geteuid()) }

func check(path string, user int) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &fs.PathError{Op: "open", Path: resolved, Err: syscall.ENOTDIR}
	}
	if owner := int(info.Sys().(*syscall.Stat_t).Uid); owner != user && owner != 0 {
		return fmt.Errorf("folder %s, mode %04o, belongs to user %d, who can change the code in it; it must belong to user %d, who runs this program, "+
			"or to root: chown %[4]d %[5]s", resolved, info.Mode().Perm(), owner, user, quote(resolved))
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("folder %s has mode %04o: other users can change the code in it; forbid it with: chmod go-w %s",
			resolved, info.Mode().Perm(), quote(resolved))
	}
	// A symbolic link can be replaced in its own folder, so its parents are checked as well.
	for _, dir := range []string{resolved, path} {
		for dir != filepath.Dir(dir) {
			dir = filepath.Dir(dir)
			info, err := os.Stat(dir)
			if err != nil {
				return err
			}
			if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
				return fmt.Errorf("folder %s has mode %04o: all users can replace %s in it; forbid it with: chmod go-w %s",
					dir, info.Mode().Perm(), path, quote(dir))
			}
		}
	}
	return nil
}

// quote quotes a path for a shell if that is necessary.
func quote(path string) string {
	special := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+,:@%=", r)
	}
	if !strings.ContainsFunc(path, special) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
