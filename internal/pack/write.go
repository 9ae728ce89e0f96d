// SPDX-License-Identifier: Apache-2.0

package pack

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/shell"
)

// modTime is the time of all files in an archive, so that the same content makes
// the same archive.
var modTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Suffix ends the name of an archive. The rest of the name is the folder in the
// archive.
const Suffix = ".tar.gz"

// Write writes the archive atomically to the file out, and returns its size. It
// calls progress before each file.
func (a *Archive) Write(ctx context.Context, out string, progress func(text string)) (size int64, err error) {
	folder := strings.TrimSuffix(filepath.Base(out), Suffix)
	files := append(slices.Clone(a.files), file{name: "run", text: a.script(), executable: true}, file{name: "README.txt", text: a.readme()})
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	temp := fmt.Sprintf("%s.%d.tmp", out, os.Getpid())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return 0, err
	}
	defer os.Remove(temp) // if it was not renamed
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	for i, file := range files {
		if err = ctx.Err(); err != nil {
			break
		}
		progress(fmt.Sprintf("packing %d of %d, %s", i+1, len(files), file.name))
		if err = file.write(t, folder); err != nil {
			break
		}
	}
	if err == nil { // after an error Close would report the incomplete file instead
		err = errors.Join(t.Close(), z.Close())
	}
	info, statErr := f.Stat()
	if err = cmp.Or(err, statErr, f.Close()); err != nil {
		f.Close()
		return 0, err
	}
	return info.Size(), os.Rename(temp, out)
}

func (f file) write(w *tar.Writer, folder string) error {
	h := &tar.Header{Name: folder + "/" + f.name, Size: int64(len(f.text)), Mode: 0o644, ModTime: modTime}
	if f.executable {
		h.Mode = 0o755
	}
	var content io.Reader = strings.NewReader(f.text)
	if f.path != "" {
		opened, err := os.Open(f.path)
		if err != nil {
			return err
		}
		defer opened.Close()
		info, err := opened.Stat()
		if err != nil {
			return err
		}
		content, h.Size = opened, info.Size()
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}

// script returns a shell script that runs the program with the archive's libraries,
// from any working folder.
func (a *Archive) script() string {
	var b strings.Builder
	fmt.Fprintf(&b, `#!/bin/sh
# Runs %s with the engines' libraries in this folder. See README.txt.
file=$0
while [ -L "$file" ]; do
	link=$(readlink "$file")
	case $link in
	/*) file=$link ;;
	*) file=$(dirname "$file")/$link ;;
	esac
done
here=$(CDPATH= cd "$(dirname "$file")" && pwd -P) || exit
`, a.program)
	var loaderPath []string
	for _, l := range a.libraries {
		fmt.Fprintf(&b, "export %s=\"$here/%s\"\n", dylib.Spec{Engine: l.engine}.Env(), l.name)
		if l.onLoaderPath {
			loaderPath = append(loaderPath, "$here/lib/"+l.engine)
		}
	}
	if loaderPath != nil {
		fmt.Fprintf(&b, "export LD_LIBRARY_PATH=\"%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\"\n", strings.Join(loaderPath, ":"))
	}
	if a.isCommand {
		b.WriteString("[ $# -gt 0 ] || set -- doctor\n")
	}
	fmt.Fprintf(&b, "exec \"$here\"/bin/%s \"$@\"\n", shell.Quote(a.program))
	return b.String()
}

// readme returns README.txt.
func (a *Archive) readme() string {
	var b strings.Builder
	var with []string
	for _, l := range a.libraries {
		with = append(with, l.engine+" "+l.version)
	}
	fmt.Fprintf(&b, "%s with %s, for %s.\n\nType in this folder:\n\n", a.program, strings.Join(with, ", "), a.Requirements())
	if a.isCommand {
		b.WriteString("  ./run doctor\n")
		for _, m := range a.models {
			fmt.Fprintf(&b, "  ./run run %s\n", shell.Quote(m))
		}
		for _, m := range a.models {
			fmt.Fprintf(&b, "  ./run bench %s\n", shell.Quote(m))
		}
	} else {
		b.WriteString("  ./run\n")
		if a.models != nil {
			fmt.Fprintf(&b, "\nThe program gets the arguments of ./run. It finds the models in ../models of its own folder:\n\n")
			for _, m := range a.models {
				fmt.Fprintf(&b, "  %s\n", m)
			}
		}
	}
	b.WriteString("\nThe folder can be anywhere, and run works from any folder, also by a symbolic link.\n" +
		"'ldd --version' prints the version of glibc. If it is too old, a newer system is needed.\n" +
		"lib has the engines' libraries, licenses has the licences of ")
	if a.unlicensed == nil {
		b.WriteString("everything in this folder.\n")
	} else {
		fmt.Fprintf(&b, "everything in this folder but: %s.\n", strings.Join(a.unlicensed, ", "))
	}
	return b.String()
}
