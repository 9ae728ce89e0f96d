// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
)

// These functions complete arguments and flags in a shell. After an error they offer
// nothing.

// must panics at an error that only a bug in this program causes.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// completeModel offers files that an engine reads, and second files of the model in
// the last argument.
func completeModel(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var exts []string
	for _, ext := range model.Extensions(common.Engines()...) {
		exts = append(exts, ext[1:])
	}
	for ext, first := range model.Companions {
		if len(args) > 0 && filepath.Ext(args[len(args)-1]) == first {
			exts = append(exts, ext[1:])
		}
	}
	return exts, cobra.ShellCompDirectiveFilterFileExt
}

// completeEngines offers engines for a list with commas.
func completeEngines(cmd *cobra.Command, args []string, list string) ([]string, cobra.ShellCompDirective) {
	return completeList(common.Engines())(cmd, args, list)
}

// completeList offers the words that are not yet in a list with commas.
func completeList(words []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, list string) (all []string, _ cobra.ShellCompDirective) {
		before := list[:strings.LastIndex(list, ",")+1]
		for _, w := range words {
			if !slices.Contains(strings.Split(before, ","), w) {
				all = append(all, before+w)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

func completeTarget(cmd *cobra.Command) {
	must(cmd.RegisterFlagCompletionFunc("target", cobra.FixedCompletions(targets, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveKeepOrder)))
}

// completeDevice offers the devices of the engines in --engine, or of all.
func completeDevice(cmd *cobra.Command, _ []string, _ string) (all []string, _ cobra.ShellCompDirective) {
	engines, _ := cmd.Flags().GetStringSlice("engine")
	if len(engines) == 0 {
		engines = common.Engines()
	}
	for _, name := range engines {
		for _, d := range examine(cmd.Context(), name).Devices {
			if !slices.Contains(all, d.Name) {
				all = append(all, d.Name)
			}
		}
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// completeEngine offers engines that sdk install can install, or installed engines
// for other commands.
func completeEngine(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	engines := sdkValues(cmd, nil, func(s sdkdir.SDK) string { return s.Engine })
	return slices.DeleteFunc(engines, func(e string) bool { return slices.Contains(args, e) }), cobra.ShellCompDirectiveNoFileComp
}

// completeShim offers engines that have a shim.
func completeShim(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return shimEngines(), cobra.ShellCompDirectiveNoFileComp
}

func completeSDKFlags(cmd *cobra.Command) {
	for flag, value := range map[string]func(sdkdir.SDK) string{
		"version": func(s sdkdir.SDK) string { return s.Version },
		"os":      func(s sdkdir.SDK) string { return s.OS },
		"arch":    func(s sdkdir.SDK) string { return s.Arch },
	} {
		must(cmd.RegisterFlagCompletionFunc(flag, func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return sdkValues(cmd, args, value), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		}))
	}
	must(cmd.MarkFlagDirname("dir"))
}

// sdkValues returns the distinct values of the SDKs that the command accepts, of
// engines or, if that is nil, of all.
func sdkValues(cmd *cobra.Command, engines []string, value func(sdkdir.SDK) string) (all []string) {
	var sdks []sdkdir.SDK
	if cmd.Name() == "install" {
		for _, p := range sdkinstall.Pins() {
			sdks = append(sdks, p.SDK)
		}
	} else {
		dir, _ := cmd.Flags().GetString("dir")
		if root, err := (&sdkFlags{dir: dir}).root(); err == nil {
			sdks, _ = sdkdir.ListDir(root)
		}
	}
	for _, s := range sdks {
		if v := value(s); (len(engines) == 0 || slices.Contains(engines, s.Engine)) && !slices.Contains(all, v) {
			all = append(all, v)
		}
	}
	return all
}
