// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/internal/dylib"
)

// packTime is the time of all files in an archive: the same content makes the same archive.
var packTime = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// write writes the archive, whole or not at all, and returns its size.
func (p *packer) write(ctx context.Context, folder string) (size int64, err error) {
	slices.SortFunc(p.files, func(a, b packed) int { return cmp.Compare(a.name, b.name) })
	temp := fmt.Sprintf("%s.%d.tmp", p.out, os.Getpid())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return 0, err
	}
	defer os.Remove(temp) // where it was not renamed
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	for i, file := range p.files {
		if err = ctx.Err(); err != nil {
			break
		}
		p.status.say(fmt.Sprintf("packing %d of %d, %s", i+1, len(p.files), file.name))
		if err = file.write(t, folder); err != nil {
			break
		}
	}
	if err == nil { // or they complain about what is missing
		err = errors.Join(t.Close(), z.Close())
	}
	info, failed := f.Stat()
	if err = cmp.Or(err, failed, f.Close()); err != nil {
		f.Close()
		return 0, err
	}
	return info.Size(), os.Rename(temp, p.out)
}

func (f packed) write(w *tar.Writer, folder string) error {
	h := &tar.Header{Name: folder + "/" + f.name, Size: int64(len(f.text)), Mode: 0o644, ModTime: packTime}
	if f.executable {
		h.Mode = 0o755
	}
	var content io.Reader = strings.NewReader(f.text)
	if f.from != "" {
		file, err := os.Open(f.from)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		content, h.Size = file, info.Size()
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}

// script runs the program with the libraries beside it, from wherever it is called.
func (p *packer) script(program string, command bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, `#!/bin/sh
# Runs %s with the engines' libraries that lie here. README.txt says more.
file=$0
while [ -L "$file" ]; do
	link=$(readlink "$file")
	case $link in
	/*) file=$link ;;
	*) file=$(dirname "$file")/$link ;;
	esac
done
here=$(CDPATH= cd "$(dirname "$file")" && pwd -P) || exit
`, program)
	var listed []string
	for _, l := range p.libraries {
		fmt.Fprintf(&b, "export %s=\"$here/%s\"\n", dylib.Spec{Engine: l.engine}.Env(), l.name)
		if l.listed {
			listed = append(listed, "$here/lib/"+l.engine)
		}
	}
	if listed != nil {
		fmt.Fprintf(&b, "export LD_LIBRARY_PATH=\"%s${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\"\n", strings.Join(listed, ":"))
	}
	if command {
		b.WriteString("[ $# -gt 0 ] || set -- doctor\n")
	}
	fmt.Fprintf(&b, "exec \"$here\"/bin/%s \"$@\"\n", shellQuote(program))
	return b.String()
}

// needs says what the target has to have.
func (p *packer) needs() string {
	if p.glibc == "" {
		return p.target.String()
	}
	return p.target.String() + " with glibc " + p.glibc + " or newer"
}

func (p *packer) readme(folder, program string, command bool) string {
	var b strings.Builder
	var with []string
	for _, l := range p.libraries {
		with = append(with, l.engine+" "+l.version)
	}
	fmt.Fprintf(&b, "%s with %s, for %s.\n\nType in this folder:\n\n", program, strings.Join(with, ", "), p.needs())
	if command {
		b.WriteString("  ./run doctor\n")
		for _, m := range p.models {
			fmt.Fprintf(&b, "  ./run run %s\n", shellQuote(m))
		}
		for _, m := range p.models {
			fmt.Fprintf(&b, "  ./run bench %s\n", shellQuote(m))
		}
	} else {
		b.WriteString("  ./run\n")
		if p.models != nil {
			fmt.Fprintf(&b, "\nThe program gets what is typed behind that. It finds the models in ../models of its own folder:\n\n")
			for _, m := range p.models {
				fmt.Fprintf(&b, "  %s\n", m)
			}
		}
	}
	b.WriteString("\nThe folder can lie anywhere, and run can be called from anywhere, also by a symbolic link.\n" +
		"'ldd --version' tells the version of glibc; where it is too old, the system has to be newer.\n" +
		"lib has the engines' libraries, licenses the licences of ")
	if p.lacking == nil {
		b.WriteString("all that is here.\n")
	} else {
		fmt.Fprintf(&b, "what is here, but for: %s.\n", strings.Join(p.lacking, ", "))
	}
	return b.String()
}
