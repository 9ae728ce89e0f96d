// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/module"
	"github.com/anyinfer/anyinfer/internal/pack"
	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
	"github.com/anyinfer/anyinfer/internal/shell"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

func newPackCommand() *cobra.Command {
	var targetFlag string
	var p packing
	cmd := &cobra.Command{
		Use:   "pack MODEL...",
		Short: "Make an archive of a program, engines and models to run on another machine",
		Long: `Make an archive of a program, engines and models to run on another machine.

It has one folder with this command, built for the target, or with your own program; the engines' libraries, which are
installed if they are missing, and their licences; the models, with all their files; and a script that runs
the program, without root and without an installation. The target is as in 'anyinfer build'.

The same content makes the same archive, byte for byte.`,
		Example: `  anyinfer pack --target linux/arm64 --engine tflite,openvino digits.tflite digits.xml --out digits.tar.gz
  anyinfer pack --target linux/arm/v7 --engine tflite --program ./app digits.tflite --out app.tar.gz
  scp digits.tar.gz board: && ssh board 'tar xzf digits.tar.gz && digits/run doctor'`,
		ValidArgsFunction: completeModel,
		RunE: func(cmd *cobra.Command, files []string) (err error) {
			if p.target, err = parseTarget(targetFlag); err != nil {
				return err
			}
			p.models, p.stdout, p.stderr, p.status = files, cmd.OutOrStdout(), cmd.ErrOrStderr(), newStatusLine(cmd.ErrOrStderr())
			defer p.status.clear()
			return p.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&targetFlag, "target", "", "machine to pack for, such as linux/arm64 (default this one)")
	cmd.Flags().StringSliceVar(&p.engines, "engine", nil, "engines to pack, separated by commas")
	cmd.Flags().StringVar(&p.program, "program", "", "program to pack, built for the target (default this command)")
	cmd.Flags().StringVarP(&p.out, "out", "o", "", "file to write, ending in .tar.gz (default PROGRAM-TARGET.tar.gz)")
	completeTarget(cmd)
	must(cmd.RegisterFlagCompletionFunc("engine", completeEngines))
	must(cmd.MarkFlagFilename("program"))
	must(cmd.MarkFlagFilename("out", "tar.gz"))
	return cmd
}

// packing is a call of pack.
type packing struct {
	target       target
	engines      []string
	models       []string
	program, out string

	stdout, stderr io.Writer
	status         *statusLine
}

func (p *packing) run(ctx context.Context) error {
	command := p.program == ""
	if p.out == "" {
		p.out = filepath.Base(cmp.Or(p.program, "anyinfer")) + "-" + strings.ReplaceAll(p.target.String(), "/", "-") + pack.Suffix
	}
	archive, err := p.check()
	if err != nil {
		return err
	}
	if err := p.addModels(archive); err != nil {
		return err
	}
	if !command { // before SDKs are downloaded
		if err := archive.CheckProgram(p.program); err != nil {
			return err
		}
	}
	for _, engine := range p.engines {
		sdk, err := p.sdk(ctx, engine)
		if err != nil {
			return err
		}
		if err := archive.AddSDK(sdk); err != nil {
			return err
		}
	}
	if command {
		temp, err := os.MkdirTemp("", "anyinfer-pack")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temp)
		err = archive.AddCommand(ctx, temp, module.Version(), p.stdout, p.stderr)
		if err != nil {
			return err
		}
	} else if err := archive.AddProgram(ctx, p.program); err != nil {
		return err
	}
	size, err := archive.Write(ctx, p.out, p.status.show)
	p.status.clear()
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "packed: %s (%s), for %s\n", p.out, pypi.Size(size), archive.Requirements())
	if missing := archive.Unlicensed(); missing != nil {
		fmt.Fprintf(p.stdout, "No licences were found for: %s\n", strings.Join(missing, ", "))
	}
	argument := ""
	if command {
		argument = " doctor"
	}
	name := filepath.Base(p.out)
	fmt.Fprintf(p.stdout, "On the target, type: tar xzf %s && %s/run%s\n", shell.Quote(name), shell.Quote(strings.TrimSuffix(name, pack.Suffix)), argument)
	return nil
}

// check checks the flags, and makes the archive.
func (p *packing) check() (*pack.Archive, error) {
	if len(p.engines) == 0 {
		return nil, usageError{fmt.Errorf("--engine: name the engines to pack; there are: %s", strings.Join(common.Engines(), ", "))}
	}
	if err := checkEngines(p.engines); err != nil {
		return nil, err
	}
	if len(p.models) == 0 && p.program == "" {
		return nil, usageError{errors.New("name the models to pack, or with --program a program that contains its own")}
	}
	archive, err := pack.New(p.target.String())
	if err != nil {
		return nil, usageError{fmt.Errorf("--target: %w", err)}
	}
	if p.target.arm == "6" {
		return nil, missingError{"there are no engines for " + p.target.String() + "; the SDKs for 32-bit ARM need ARMv7", "build with 'anyinfer build', and your own library"}
	}
	if name := filepath.Base(p.out); !strings.HasSuffix(name, pack.Suffix) || name == pack.Suffix {
		return nil, usageError{fmt.Errorf("--out %q: want the name of a file that ends in %s", p.out, pack.Suffix)}
	}
	if _, err := os.Lstat(p.out); err == nil {
		return nil, fmt.Errorf("%s already exists; remove it, or choose another name with --out", p.out)
	}
	if info, err := os.Stat(filepath.Dir(p.out)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("there is no folder %q to write %s to", filepath.Dir(p.out), filepath.Base(p.out))
	}
	return archive, nil
}

// sdk returns the newest installed SDK of an engine for the target, or else installs
// one.
func (p *packing) sdk(ctx context.Context, engine string) (sdkdir.SDK, error) {
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
		return sdkdir.SDK{}, missingError{fmt.Sprintf("there is no %s for %s in %s", engine, p.target, root), installFor(engine, "", p.target)}
	}
	sdk, _, err := sdkinstall.Install(ctx, sdkinstall.InstallOptions{
		Engine: engine, OS: p.target.os, Arch: p.target.arch, Root: root, Log: p.stdout, Progress: p.status.show,
	})
	p.status.clear()
	return sdk, err
}

// addModels adds the models. At least one of the engines must read each.
func (p *packing) addModels(archive *pack.Archive) error {
	sources, err := model.Sources(p.models)
	if err != nil {
		return err
	}
	reads := map[string]bool{}
	for _, s := range sources {
		readers := model.Readers(s.Format(), p.engines)
		for _, e := range readers {
			reads[e] = true
		}
		if info, err := os.Stat(s.Name()); err != nil || info.IsDir() {
			return cmp.Or(err, fmt.Errorf("%s is a folder; only models that are files can be packed", s.Name()))
		}
		if len(readers) == 0 {
			if _, err := model.EnginesFor([]common.Source{s}); err != nil {
				return err
			}
			return fmt.Errorf("none of the engines to pack reads %s; add one of: %s", s.Name(), strings.Join(model.Readers(s.Format(), common.Engines()), ", "))
		}
		if err := archive.AddModel(s.Paths()...); err != nil {
			return err
		}
	}
	for _, e := range p.engines {
		if len(p.models) > 0 && !reads[e] {
			return fmt.Errorf("%s reads none of the models; it reads files that end in %s", e, strings.Join(model.Extensions(e), ", "))
		}
	}
	return nil
}
