// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/execgroup"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// linkable are the engines whose build tag links an SDK.
var linkable = []string{"mnn", "openvino", "tensorrt", "tflite", "tnn"}

func newBuildCommand() *cobra.Command {
	var to string
	var b build
	cmd := &cobra.Command{
		Use:   "build [PACKAGE...] [-- FLAG...]",
		Short: "Build a program for another kind of machine, with go build",
		Long: `Build a program for another kind of machine, with go build, whose command line is shown.

The target is GOOS/GOARCH, or what container images call it: linux/arm/v6 is a Raspberry Pi Zero or 1, linux/arm and
linux/arm/v7 are newer ones with a 32-bit system. There, and for linux/riscv64, the loader is set that Debian has: without cgo
go build writes another.

Programs open engines' libraries when they run, and are built without cgo. With an engine's name in --tags its SDK is
linked instead, by $CC and $CXX or Debian's cross compiler; 'anyinfer sdk install ENGINE --arch ARCH' puts it in place.
Tags of your own go there too. One that looks like a mistyped engine is refused: where it is yours, put it into $GOFLAGS.

What follows -- are flags for go build.`,
		Example: `  anyinfer build --target linux/arm64
  anyinfer build --target linux/arm/v6 -o app ./cmd/app -- -trimpath -ldflags "-s -w"
  anyinfer build --target linux/arm64 --tags openvino,tflite -o app .`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if b.target, err = parseTarget(to); err != nil {
				return err
			}
			if b.tags, err = splitTags(b.tags); err != nil {
				return err
			}
			b.packages = args
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				b.packages, b.flags = args[:dash], args[dash:]
			}
			return b.run(cmd.Context(), "", cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&to, "target", "", "what to build for, such as linux/arm64 (default this machine)")
	cmd.Flags().StringVarP(&b.out, "out", "o", "", "file to write, or folder with a / behind it (default as go build)")
	cmd.Flags().StringSliceVar(&b.tags, "tags", nil, "build tags; those of engines link their SDKs: "+strings.Join(linkable, ","))
	completeTarget(cmd)
	must(cmd.RegisterFlagCompletionFunc("tags", completeList(linkable)))
	return cmd
}

// splitTags are tags apart, where spaces are between them too, as the go command takes them. It refuses what is an engine's
// name, or looks like one, and is no tag that links an SDK: the program would be built without it, and nothing would show that.
func splitTags(tags []string) (all []string, err error) {
	for _, tag := range tags {
		all = append(all, strings.Fields(tag)...)
	}
	for _, tag := range all {
		there := fmt.Sprintf(" (tags that link an SDK: %s)", strings.Join(linkable, ", "))
		if slices.Contains(linkable, tag) {
			continue
		}
		if slices.Contains(common.Engines(), tag) {
			return nil, usageError{fmt.Errorf("--tags %s: the engine %s is never linked, a program opens it when it runs; leave the tag out%s", tag, tag, there)}
		}
		for _, engine := range linkable {
			if looksLike(tag, engine) {
				return nil, usageError{fmt.Errorf("--tags %s: there is no engine of that name; did you mean %s?%s", tag, engine, there)}
			}
		}
	}
	return all, nil
}

// looksLike reports whether word is name but for one wrong letter, or two in a long name. Between it and short names lie
// words such as cnn: these differ in the first letter.
func looksLike(word, name string) bool {
	word = strings.ToLower(word)
	most := 1
	if len(name) >= 8 {
		most = 2
	}
	return distance(word, name) <= most && (len(name) > 4 || word[0] == name[0])
}

// distance is how many letters have to be put in, taken out, replaced or swapped with the next to make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		for j := range rows[i] {
			switch {
			case i == 0 || j == 0:
				rows[i][j] = i + j
				continue
			case a[i-1] == b[j-1]:
				rows[i][j] = rows[i-1][j-1]
			default:
				rows[i][j] = 1 + min(rows[i-1][j], rows[i][j-1], rows[i-1][j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// build is a call of go build.
type build struct {
	target          target
	out             string
	tags            []string
	flags, packages []string
	module          []string // flags that say which module it is
	settings        []string // more of the environment
}

// run builds in dir, by default the working folder.
func (b build) run(ctx context.Context, dir string, stdout, stderr io.Writer) error {
	if _, err := exec.LookPath("go"); err != nil {
		return notHere{"there is no go command in $PATH", "install Go"}
	}
	env, err := b.env()
	if err != nil {
		return err
	}
	args, err := b.args(ctx)
	if err != nil {
		return err
	}
	var line []string
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		line = append(line, name+"="+shellQuote(value))
	}
	for _, a := range append([]string{"go"}, args...) {
		line = append(line, shellQuote(a))
	}
	fmt.Fprintln(stdout, strings.Join(line, " "))
	cmd := execgroup.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, append(os.Environ(), env...), stdout, stderr
	if err := cmd.Run(); err != nil {
		return cmp.Or(ctx.Err(), fmt.Errorf("go build for %s: %w", b.target, err))
	}
	return nil
}

// env are the settings of go build's environment.
func (b build) env() ([]string, error) {
	linked := slices.DeleteFunc(slices.Clone(b.tags), func(tag string) bool { return !slices.Contains(linkable, tag) })
	env := append(b.target.env(), b.settings...)
	if len(linked) == 0 {
		return append(env, "CGO_ENABLED=0"), nil
	}
	if b.target.arm == "6" {
		return nil, notHere{"no SDK is for " + b.target.String() + ": those for 32-bit ARM are for ARMv7", "leave out --tags " + strings.Join(linked, ",")}
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
		if had := os.Getenv(v.name); v.add && had != "" {
			v.value += " " + had
		}
		env = append(env, v.name+"="+v.value)
	}
	return env, nil
}

// args are the command line of the go command.
func (b build) args(ctx context.Context) ([]string, error) {
	flags := b.flags
	for _, f := range flags {
		switch name, _, _ := strings.Cut(strings.TrimLeft(f, "-"), "="); {
		case strings.HasPrefix(f, "-") && (name == "tags" || name == "o"):
			return nil, usageError{fmt.Errorf("write %s before --", f)}
		}
	}
	if i := b.target.interpreter(); i != "" {
		// A -ldflags on the command line replaces that of GOFLAGS.
		if set, _ := execgroup.CommandContext(ctx, "go", "env", "GOFLAGS").Output(); strings.Contains(string(set), "-ldflags") {
			return nil, errors.New("GOFLAGS has -ldflags, and " + b.target.String() + " needs one more; write -- -ldflags=... on the command line instead")
		}
		flags = addLinkerFlags(flags, "-I "+i)
	}
	args := []string{"build"}
	if b.out != "" {
		args = append(args, "-o", b.out)
	}
	if b.tags != nil {
		args = append(args, "-tags", strings.Join(b.tags, ","))
	}
	return slices.Concat(args, b.module, flags, b.packages), nil
}

// addLinkerFlags adds to what go build hands to the linker. Of several -ldflags only the last that matches a package
// counts, so each gets more. What the user has comes later, and wins.
func addLinkerFlags(args []string, more string) []string {
	all := []string{"-ldflags=" + more}
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(args[i], "=")
		if name != "-ldflags" && name != "--ldflags" {
			all = append(all, args[i])
			continue
		}
		if !given && i+1 < len(args) {
			i++
			value = args[i]
		}
		pattern := ""
		if value = strings.TrimSpace(value); value != "" && value[0] != '-' {
			pattern, value, _ = strings.Cut(value, "=")
			pattern += "="
		}
		all = append(all, strings.TrimSpace("-ldflags="+pattern+more+" "+value))
	}
	return all
}
