// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/gobuild"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/suggest"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// linkable lists the engines whose build tags link their SDKs.
var linkable = []string{"mnn", "onnxruntime", "openvino", "tensorrt", "tflite", "tnn"}

func newBuildCommand() *cobra.Command {
	var targetFlag string
	var b build
	cmd := &cobra.Command{
		Use:   "build [PACKAGE...] [-- FLAG...]",
		Short: "Build a program for another kind of machine, with go build",
		Long: `Build a program for another kind of machine, with go build, and print its command line.

The target is GOOS/GOARCH, or a platform of container images: linux/arm/v6 is a Raspberry Pi Zero or 1, linux/arm and
linux/arm/v7 are newer models with a 32-bit system. For these and for linux/riscv64 the program names Debian's dynamic loader;
without cgo, go build writes another one.

Programs open engines' libraries when they run, and are built without cgo. With an engine's name in --tags its SDK is
linked instead, with $CC and $CXX or Debian's cross compiler; 'anyinfer sdk install ENGINE --arch ARCH' installs the SDK.
--tags also accepts your own build tags. A tag that looks like a mistyped engine is refused; put such a tag into $GOFLAGS.

The arguments after -- are flags for go build.`,
		Example: `  anyinfer build --target linux/arm64
  anyinfer build --target linux/arm/v6 -o app ./cmd/app -- -trimpath -ldflags "-s -w"
  anyinfer build --target linux/arm64 --tags openvino,tflite -o app .`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if b.target, err = parseTarget(targetFlag); err != nil {
				return err
			}
			if b.tags, err = splitTags(b.tags); err != nil {
				return err
			}
			b.packages = args
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				b.packages, b.flags = args[:dash], args[dash:]
			}
			return b.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&targetFlag, "target", "", "machine to build for, such as linux/arm64 (default this one)")
	cmd.Flags().StringVarP(&b.out, "out", "o", "", "file to write, or a folder that ends in / (default as in go build)")
	cmd.Flags().StringSliceVar(&b.tags, "tags", nil, "build tags, separated by commas; these link the SDKs of engines: "+strings.Join(linkable, ","))
	completeTarget(cmd)
	must(cmd.RegisterFlagCompletionFunc("tags", completeList(linkable)))
	return cmd
}

// splitTags splits tags at spaces, too, as the go command does. It refuses a tag that is similar to an engine's name,
// or names an engine that is never linked, because the program would be built without the SDK and without a warning.
func splitTags(tags []string) (all []string, err error) {
	for _, tag := range tags {
		all = append(all, strings.Fields(tag)...)
	}
	for _, tag := range all {
		valid := fmt.Sprintf(" (tags that link an SDK: %s)", strings.Join(linkable, ", "))
		if slices.Contains(linkable, tag) {
			continue
		}
		if slices.Contains(common.Engines(), tag) {
			return nil, usageError{fmt.Errorf("--tags %s: the engine %s is never linked, a program opens it at run time; omit the tag%s", tag, tag, valid)}
		}
		for _, engine := range linkable {
			if looksLike(tag, engine) {
				return nil, usageError{fmt.Errorf("--tags %s: there is no engine of that name; did you mean %s?%s", tag, engine, valid)}
			}
		}
	}
	return all, nil
}

// looksLike reports whether word is name with one wrong letter, or with two in a long name. A short word must start
// with the same letter, because others, such as cnn, are different words.
func looksLike(word, name string) bool {
	word = strings.ToLower(word)
	limit := 1
	if len(name) >= 8 {
		limit = 2
	}
	return suggest.Distance(word, name) <= limit && (len(name) > 4 || word[0] == name[0])
}

// build is a call of build.
type build struct {
	target          target
	out             string
	tags            []string
	flags, packages []string
}

func (b build) run(ctx context.Context, stdout, stderr io.Writer) error {
	for _, f := range b.flags {
		switch name, _, _ := strings.Cut(strings.TrimLeft(f, "-"), "="); {
		case strings.HasPrefix(f, "-") && (name == "tags" || name == "o"):
			return usageError{fmt.Errorf("write %s before --", f)}
		}
	}
	env, err := b.env()
	if err != nil {
		return err
	}
	return gobuild.Build{
		Target: b.target.String(), Env: env, Interpreter: b.target.interpreter(),
		Out: b.out, Tags: b.tags, Flags: b.flags, Packages: b.packages,
	}.Run(ctx, stdout, stderr)
}

// env returns the settings of go build's environment.
func (b build) env() ([]string, error) {
	linked := slices.DeleteFunc(slices.Clone(b.tags), func(tag string) bool { return !slices.Contains(linkable, tag) })
	env := b.target.env()
	if len(linked) == 0 {
		return append(env, "CGO_ENABLED=0"), nil
	}
	if b.target.arm == "6" {
		return nil, missingError{"there are no SDKs for " + b.target.String() + "; the SDKs for 32-bit ARM need ARMv7", "omit --tags " + strings.Join(linked, ",")}
	}
	root, err := sdkdir.Root()
	if err != nil {
		return nil, err
	}
	sdks, err := chooseSDKs(root, linked, "", b.target.os, b.target.arch)
	if err != nil {
		return nil, err
	}
	vars, err := variables(sdks, b.target.host())
	if err != nil {
		return nil, err
	}
	compilers, err := b.target.compilers(slices.ContainsFunc(linked, func(tag string) bool { _, ok := toolchain.Find(tag); return ok }))
	if err != nil {
		return nil, err
	}
	env = append(append(env, "CGO_ENABLED=1"), compilers...)
	for _, v := range vars {
		if value := os.Getenv(v.name); v.add && value != "" {
			v.value += " " + value
		}
		env = append(env, v.name+"="+v.value)
	}
	return env, nil
}
