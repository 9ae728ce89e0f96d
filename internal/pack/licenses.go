// SPDX-License-Identifier: Apache-2.0

package pack

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
	"github.com/anyinfer/anyinfer/internal/module"
)

// licenseFile matches the names of files with licences.
var licenseFile = regexp.MustCompile(`(?i)^(LICEN[SC]E|COPYING|NOTICE)`)

// licensesIn returns the files with licences in a folder, as files of the archive's
// folder to.
func licensesIn(dir, to string) (files []file) {
	entries, _ := os.ReadDir(dir) // an unreadable folder has none
	for _, e := range entries {
		if licenseFile.MatchString(e.Name()) && e.Type().IsRegular() {
			files = append(files, file{name: to + "/" + e.Name(), path: filepath.Join(dir, e.Name())})
		}
	}
	return files
}

// AddProgram adds a program, and the licences of Go and of the program's dependencies.
func (a *Archive) AddProgram(ctx context.Context, program string) error {
	if err := a.addExecutable(program); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil { // it is not a Go program
		a.unlicensed = append(a.unlicensed, filepath.Base(program))
		return nil
	}
	folders := map[string]string{}  // by module
	versions := map[string]string{} // modules by path@version of the module or its replacement
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
			versions[from.Path+"@"+from.Version] = m.Path
		} else if text, err := os.ReadFile(filepath.Join(from.Path, "go.mod")); err == nil && bytes.HasPrefix(text, []byte("module "+m.Path+"\n")) {
			folders[m.Path] = from.Path
		}
	}
	if info.Main.Path == module.Path {
		paths = append(paths, module.Path)
		if dir, err := execgroup.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module.Path).Output(); err == nil {
			folders[module.Path] = strings.TrimSpace(string(dir))
		}
	}
	if err := downloadModules(ctx, versions, folders); err != nil {
		return err
	}
	for _, path := range paths {
		var files []file
		if dir := folders[path]; dir != "" {
			files = licensesIn(dir, "licenses/"+path)
		}
		if files == nil {
			a.unlicensed = append(a.unlicensed, path)
		}
		a.files = append(a.files, files...)
	}
	return ctx.Err()
}

// downloadModules downloads modules, and sets their folders. The keys of modules are
// path@version, its values the keys of folders. Failed downloads are skipped.
func downloadModules(ctx context.Context, modules, folders map[string]string) error {
	if len(modules) == 0 {
		return nil
	}
	temp, err := os.MkdirTemp("", "anyinfer-pack") // outside of any module, whose go.sum would be used
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
	// Their code is not run, so sums need no check. Then modules in the cache need no
	// network.
	cmd.Dir, cmd.Env = temp, append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOSUMDB=off")
	out, _ := cmd.Output() // after an error, out has the modules that succeeded
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
