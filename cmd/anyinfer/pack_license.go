// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/internal/execgroup"
)

// licenseFile is what files with licences are called.
var licenseFile = regexp.MustCompile(`(?i)^(LICEN[SC]E|COPYING|NOTICE)`)

// licensesIn are the files with licences in a folder, if there are any, as files of a folder of the archive.
func licensesIn(dir, to string) (files []packed) {
	entries, _ := os.ReadDir(dir) // none: there are no licences
	for _, e := range entries {
		if licenseFile.MatchString(e.Name()) && e.Type().IsRegular() {
			files = append(files, packed{name: to + "/" + e.Name(), from: filepath.Join(dir, e.Name())})
		}
	}
	return files
}

// addLicenses adds the licences of Go and of the modules that a program is built of, but for its own, and notes those that it
// does not find.
func (p *packer) addLicenses(ctx context.Context, program string) error {
	info, err := buildinfo.ReadFile(program)
	if err != nil { // another language's
		p.lacking = append(p.lacking, filepath.Base(program))
		return nil
	}
	folders, fetch := map[string]string{}, map[string]string{} // by module; the module by that and its version
	if root, err := execgroup.CommandContext(ctx, "go", "env", "GOROOT").Output(); err == nil {
		folders["go"] = strings.TrimSpace(string(root))
	}
	paths := []string{"go"}
	for _, m := range info.Deps {
		paths = append(paths, m.Path)
		from := m
		if m.Replace != nil {
			from = m.Replace
		}
		if from.Version != "" && !strings.HasPrefix(from.Version, "(") {
			fetch[from.Path+"@"+from.Version] = m.Path
		} else if text, err := os.ReadFile(filepath.Join(from.Path, "go.mod")); err == nil && bytes.HasPrefix(text, []byte("module "+m.Path+"\n")) {
			folders[m.Path] = from.Path
		}
	}
	if info.Main.Path == modulePath {
		paths = append(paths, modulePath)
		if dir, err := execgroup.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", modulePath).Output(); err == nil {
			folders[modulePath] = strings.TrimSpace(string(dir))
		}
	}
	if err := fetched(ctx, fetch, folders); err != nil {
		return err
	}
	for _, path := range paths {
		var files []packed
		if dir := folders[path]; dir != "" {
			files = licensesIn(dir, "licenses/"+path)
		}
		if files == nil {
			p.lacking = append(p.lacking, path)
		}
		p.files = append(p.files, files...)
	}
	return ctx.Err()
}

// fetched adds the folders of modules to folders, by the names that modules has for each with its version. One that cannot be
// fetched is left out.
func fetched(ctx context.Context, modules, folders map[string]string) error {
	if len(modules) == 0 {
		return nil
	}
	temp, err := os.MkdirTemp("", "anyinfer-pack") // no module, whose go.sum would count
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	args := []string{"mod", "download", "-json"}
	for m := range modules {
		args = append(args, m)
	}
	slices.Sort(args[3:])
	cmd := execgroup.CommandContext(ctx, "go", args...)
	// No code of theirs is run; and what is in the module cache, as it is where the program was built, needs no network then.
	cmd.Dir, cmd.Env = temp, append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOSUMDB=off")
	out, _ := cmd.Output() // fails where one fails
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); err != nil {
			return nil
		}
		if path := modules[m.Path+"@"+m.Version]; path != "" {
			folders[path] = m.Dir
		}
	}
}
