// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

func newPackCommand() *cobra.Command {
	var to string
	var p packer
	cmd := &cobra.Command{
		Use:   "pack MODEL...",
		Short: "Make an archive of a program, engines and models to run on another machine",
		Long: `Make an archive of a program, engines and models to run on another machine.

It has one folder with this command, built for the target, or with a program of yours; the engines' libraries, which are
installed where they are missing, and their licences; the models, with the files that belong to them; and a script to run
it all, which needs no root and no installation. The target is as in 'anyinfer build'.

The same content makes the same archive, byte for byte.`,
		Example: `  anyinfer pack --target linux/arm64 --engine tflite,openvino digits.tflite digits.xml --out digits.tar.gz
  anyinfer pack --target linux/arm/v7 --engine tflite --program ./app digits.tflite --out app.tar.gz
  scp digits.tar.gz board: && ssh board 'tar xzf digits.tar.gz && digits/run doctor'`,
		ValidArgsFunction: completeModel,
		RunE: func(cmd *cobra.Command, files []string) (err error) {
			if p.target, err = parseTarget(to); err != nil {
				return err
			}
			p.stdout, p.stderr, p.status = cmd.OutOrStdout(), cmd.ErrOrStderr(), newStatusLine(cmd.ErrOrStderr())
			defer p.status.clear()
			return p.run(cmd.Context(), files)
		},
	}
	cmd.Flags().StringVar(&to, "target", "", "what it is to run on, such as linux/arm64 (default this machine)")
	cmd.Flags().StringSliceVar(&p.engines, "engine", nil, "engines to bring along, with commas between")
	cmd.Flags().StringVar(&p.program, "program", "", "program to bring along, built for the target (default this command)")
	cmd.Flags().StringVarP(&p.out, "out", "o", "", "file to write, which ends in .tar.gz (default PROGRAM-TARGET.tar.gz)")
	completeTarget(cmd)
	must(cmd.RegisterFlagCompletionFunc("engine", completeEngines))
	must(cmd.MarkFlagFilename("program"))
	must(cmd.MarkFlagFilename("out", "tar.gz"))
	return cmd
}

// packer makes an archive.
type packer struct {
	target       target
	engines      []string
	program, out string

	stdout, stderr io.Writer
	status         *statusLine

	files     []packed
	models    []string // their places in the folder
	libraries []library
	glibc     string   // the oldest version that does
	lacking   []string // what has no licence here
}

// packed is a file of the archive.
type packed struct {
	name       string // in the folder
	from       string // a file on this machine, or
	text       string
	executable bool
}

// library is an engine's.
type library struct {
	engine, version string
	name            string // its place in the folder
	// listed means that the loader has to be told its folder.
	listed bool
}

func (p *packer) run(ctx context.Context, models []string) error {
	command := p.program == ""
	program := cmp.Or(p.program, "anyinfer")
	if p.out == "" {
		p.out = filepath.Base(program) + "-" + strings.ReplaceAll(p.target.String(), "/", "-") + ".tar.gz"
	}
	if err := p.check(models); err != nil {
		return err
	}
	if err := p.addModels(models); err != nil {
		return err
	}
	if !command { // before anything is fetched
		if err := checkProgram(program, p.target); err != nil {
			return err
		}
	}
	for _, engine := range p.engines {
		sdk, err := p.sdk(ctx, engine)
		if err != nil {
			return err
		}
		if err := p.addSDK(sdk); err != nil {
			return err
		}
	}
	if command {
		temp, err := os.MkdirTemp("", "anyinfer-pack")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		program = filepath.Join(temp, "anyinfer")
		licenses, err := buildCommand(ctx, p.target, program, temp, p.stdout, p.stderr)
		if err != nil {
			return err
		}
		p.files = append(p.files, licenses...)
	}
	if err := p.addProgram(program); err != nil {
		return err
	}
	if !command {
		if err := p.addLicenses(ctx, program); err != nil {
			return err
		}
	}
	folder := strings.TrimSuffix(filepath.Base(p.out), packSuffix)
	p.files = append(p.files,
		packed{name: "run", text: p.script(filepath.Base(program), command), executable: true},
		packed{name: "README.txt", text: p.readme(folder, filepath.Base(program), command)})
	size, err := p.write(ctx, folder)
	if err != nil {
		return err
	}
	p.status.clear()
	fmt.Fprintf(p.stdout, "packed: %s (%s), for %s\n", p.out, sdkinstall.Size(size), p.needs())
	if p.lacking != nil {
		fmt.Fprintf(p.stdout, "No licences were found of: %s\n", strings.Join(p.lacking, ", "))
	}
	first := ""
	if command {
		first = " doctor"
	}
	fmt.Fprintf(p.stdout, "There, type: tar xzf %s && %s/run%s\n", shellQuote(filepath.Base(p.out)), shellQuote(folder), first)
	return nil
}

// packSuffix ends the name of an archive.
const packSuffix = ".tar.gz"

// check finds what is wrong with the command line.
func (p *packer) check(models []string) error {
	if len(p.engines) == 0 {
		return usageError{fmt.Errorf("--engine: name the engines to bring along; there are: %s", strings.Join(common.Engines(), ", "))}
	}
	if err := checkEngines(p.engines); err != nil {
		return err
	}
	if len(models) == 0 && p.program == "" {
		return usageError{errors.New("name the models to bring along, or with --program a program that has its own")}
	}
	if _, known := platform.Linux[p.target.arch]; !known || p.target.os != "linux" {
		return usageError{fmt.Errorf("--target %s: archives are made for linux on %s", p.target, strings.Join(slices.Sorted(maps.Keys(platform.Linux)), ", "))}
	}
	if p.target.arm == "6" {
		return notHere{"no engine is for " + p.target.String() + ": those for 32-bit ARM are for ARMv7", "build with 'anyinfer build', and bring a library of your own"}
	}
	if name := filepath.Base(p.out); !strings.HasSuffix(name, packSuffix) || name == packSuffix {
		return usageError{fmt.Errorf("--out %q: want the name of a file that ends in %s", p.out, packSuffix)}
	}
	if _, err := os.Lstat(p.out); err == nil {
		return fmt.Errorf("%s is there already; remove it, or choose another name with --out", p.out)
	}
	if info, err := os.Stat(filepath.Dir(p.out)); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %q to write %s to", filepath.Dir(p.out), filepath.Base(p.out))
	}
	return nil
}

// sdk returns the newest installed SDK of an engine for the target; where there is none, it installs one.
func (p *packer) sdk(ctx context.Context, engine string) (sdkdir.SDK, error) {
	root, err := sdkdir.Root()
	if err != nil {
		return sdkdir.SDK{}, err
	}
	list, err := sdkdir.ListDir(root)
	if err != nil {
		return sdkdir.SDK{}, err
	}
	i := slices.IndexFunc(list, func(s sdkdir.SDK) bool { return s.Engine == engine && s.OS == p.target.os && s.Arch == p.target.arch })
	if i >= 0 {
		return list[i], nil
	}
	if _, isShim := toolchain.Find(engine); isShim && !pinned(engine, p.target) {
		return sdkdir.SDK{}, notHere{fmt.Sprintf("no %s for %s lies in %s", engine, p.target, root), installFor(engine, "", p.target)}
	}
	sdk, _, err := sdkinstall.Install(ctx, sdkinstall.InstallOptions{
		Engine: engine, OS: p.target.os, Arch: p.target.arch, Root: root, Log: p.stdout, Progress: p.status.say,
	})
	p.status.clear()
	return sdk, err
}

// addModels adds models, each with the files that belong to it, under names by which it is found again.
func (p *packer) addModels(files []string) error {
	sources, err := newSources(files)
	if err != nil {
		return err
	}
	useful := map[string]bool{}
	for _, s := range sources {
		able := readers(s.Format(), p.engines)
		for _, e := range able {
			useful[e] = true
		}
		if info, err := os.Stat(s.Name()); err != nil || info.IsDir() {
			return cmp.Or(err, fmt.Errorf("%s is a folder; models in files can be packed", s.Name()))
		}
		if len(able) == 0 {
			if _, err := enginesFor([]common.Source{s}); err != nil {
				return err
			}
			return fmt.Errorf("none of the engines to pack reads %s; add one of: %s", s.Name(), strings.Join(readers(s.Format(), common.Engines()), ", "))
		}
		if err := p.addModel(s.Paths()); err != nil {
			return err
		}
	}
	for _, e := range p.engines {
		if len(files) > 0 && !useful[e] {
			return fmt.Errorf("%s reads none of the models; it reads files that end in %s", e, strings.Join(readable(e), ", "))
		}
	}
	return nil
}

// companions are the extensions of files that engines look for beside those with another.
var companions = []struct {
	first, second string
	needed        bool
}{
	{".xml", ".bin", true}, {".tnnproto", ".tnnmodel", true}, {".pdmodel", ".pdiparams", false}, {".mnn", ".mnn.weight", false},
}

func (p *packer) addModel(paths []string) error {
	first := "models/" + filepath.Base(paths[0])
	if i := slices.IndexFunc(p.files, func(f packed) bool { return f.name == first }); i >= 0 {
		return fmt.Errorf("%s and %s would both be %s; rename one", p.files[i].from, paths[0], first)
	}
	p.models = append(p.models, first)
	p.files = append(p.files, packed{name: first, from: paths[0]})
	for _, c := range companions {
		stem, ok := strings.CutSuffix(paths[0], c.first)
		if !ok {
			continue
		}
		second := stem + c.second
		if len(paths) > 1 {
			second = paths[1]
		}
		if _, err := os.Stat(second); errors.Is(err, fs.ErrNotExist) {
			if c.needed {
				return fmt.Errorf("%s is missing, which belongs to %s; where it has another name, say it behind the model", second, paths[0])
			}
			continue
		}
		p.files = append(p.files, packed{name: strings.TrimSuffix(first, c.first) + c.second, from: second})
	}
	return nil
}

// addSDK adds what runs of an SDK: the folder of its library, and the licences.
func (p *packer) addSDK(s sdkdir.SDK) error {
	if err := checkLibrary(s.LibraryPath(), p.target); err != nil {
		return err
	}
	folder := "lib/" + s.Engine
	l := library{engine: s.Engine, version: s.Version, name: folder + "/" + filepath.Base(s.LibraryPath())}
	opened, err := os.Stat(s.LibraryPath())
	if err != nil {
		return err
	}
	err = p.addFolder(s.LibDir(), folder, func(path string, info fs.FileInfo) bool {
		// The same file has a second name for linkers.
		return filepath.Ext(path) != ".a" && (path == s.LibraryPath() || !os.SameFile(info, opened))
	})
	if err != nil {
		return err
	}
	// A shim that was compiled on an SDK elsewhere finds that by a folder of this machine.
	more, err := neededElsewhere(s.LibraryPath())
	if err != nil {
		return err
	}
	for _, file := range more {
		l.listed = true
		p.files = append(p.files, packed{name: folder + "/" + filepath.Base(file), from: file})
	}
	p.libraries = append(p.libraries, l)
	all := func(string, fs.FileInfo) bool { return true }
	err = p.addFolder(filepath.Join(s.Dir, "licenses"), "licenses/"+s.Engine, all)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Of a shim alone they lie in the folder of the SDK.
	found := false
	for _, file := range more {
		for dir, up := filepath.Dir(file), 0; up <= 2 && !found; dir, up = filepath.Dir(dir), up+1 {
			licenses := licensesIn(dir, "licenses/"+s.Engine)
			p.files, found = append(p.files, licenses...), licenses != nil
		}
	}
	if !found {
		p.lacking = append(p.lacking, s.Engine)
	}
	return nil
}

// addFolder adds the files below a folder that are wanted.
func (p *packer) addFolder(dir, to string, want func(path string, info fs.FileInfo) bool) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := os.Stat(path)
		if err != nil || !want(path, info) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		p.files = append(p.files, packed{name: to + "/" + filepath.ToSlash(name), from: path})
		return err
	})
}

// addProgram adds the program. One that links engines has the loader find them.
func (p *packer) addProgram(file string) error {
	if err := checkProgram(file, p.target); err != nil {
		return err
	}
	needed, err := neededBy(file)
	if err != nil {
		return err
	}
	for i, l := range p.libraries {
		if slices.ContainsFunc(needed, func(n string) bool {
			return slices.ContainsFunc(p.files, func(f packed) bool { return f.name == "lib/"+l.engine+"/"+n })
		}) {
			p.libraries[i].listed = true
		}
	}
	p.files = append(p.files, packed{name: "bin/" + filepath.Base(file), from: file, executable: true})
	for _, f := range p.files {
		p.glibc = slices.MaxFunc([]string{p.glibc, glibcOf(f.from)}, sdkdir.CompareVersions)
	}
	return nil
}
