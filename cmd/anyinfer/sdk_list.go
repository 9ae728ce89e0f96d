// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
)

// sdkList is the output of list --json.
type sdkList struct {
	Root      string         `json:"root"`
	Installed []sdkInstalled `json:"installed"`
	Available []sdkAvailable `json:"available"`
}

type sdkInstalled struct {
	sdkdir.SDK
	Dir string `json:"dir"`

	origin string // if the SDK is a pinned one
}

type sdkAvailable struct {
	Engine         string `json:"engine"`
	Version        string `json:"version"`
	OS             string `json:"os"`
	Arch           string `json:"arch"`
	Package        string `json:"package"`
	PackageVersion string `json:"package_version"`
	Registry       string `json:"registry"`
	Publisher      string `json:"publisher"`
	ThirdParty     string `json:"third_party,omitempty"`
	File           string `json:"file"`
	SHA256         string `json:"sha256"`
	DownloadSize   int64  `json:"download_size"`
	Installed      bool   `json:"installed"`

	origin string
}

func newSDKList() *cobra.Command {
	var asJSON bool
	var dir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the installed and the available SDKs",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := (&sdkFlags{dir: dir}).root()
			if err != nil {
				return err
			}
			list, err := listSDKs(root)
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(list)
			}
			return list.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&dir, "dir", "", "root of the SDKs (default $"+sdkdir.EnvRoot+", else in the user's cache folder)")
	must(cmd.MarkFlagDirname("dir"))
	return cmd
}

func listSDKs(root string) (sdkList, error) {
	installed, err := sdkdir.ListDir(root)
	if err != nil {
		return sdkList{}, err
	}
	list := sdkList{Root: root, Installed: []sdkInstalled{}, Available: []sdkAvailable{}}
	for _, s := range installed {
		list.Installed = append(list.Installed, sdkInstalled{SDK: s, Dir: s.Dir})
	}
	for _, p := range sdkinstall.Pins() {
		origin := p.Packages()
		if p.Publisher.ThirdParty != "" {
			origin += " (third party)"
		}
		i := slices.IndexFunc(installed, func(s sdkdir.SDK) bool { return s.Path() == p.Path() && s.SHA256 == p.SHA256 })
		if i >= 0 {
			list.Installed[i].origin = origin
		}
		list.Available = append(list.Available, sdkAvailable{
			p.Engine, p.Version, p.OS, p.Arch, p.Package, p.PackageVersion, p.Publisher.Registry, p.Publisher.Publisher,
			p.Publisher.ThirdParty, p.File, p.SHA256, p.Download, i >= 0, origin,
		})
	}
	return list, nil
}

func (l sdkList) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Installed in %s:\n", l.Root)
	for _, s := range l.Installed {
		fmt.Fprintf(w, "  %s\t%s\t%s/%s\t%s\t%s\n", s.Engine, s.Version, s.OS, s.Arch, pypi.Size(s.Size), s.origin)
	}
	if len(l.Installed) == 0 {
		fmt.Fprintln(w, "  nothing yet")
	}
	fmt.Fprintf(w, "\nAvailable (anyinfer sdk install ENGINE [--version V] [--os O --arch A]):\n")
	for _, here := range []bool{true, false} { // SDKs for this machine first
		for _, a := range l.Available {
			if here == (a.OS == runtime.GOOS && a.Arch == runtime.GOARCH) && !a.Installed {
				fmt.Fprintf(w, "  %s\t%s\t%s/%s\t%s\t%s\n",
					a.Engine, a.Version, a.OS, a.Arch, pypi.Size(a.DownloadSize), a.origin)
			}
		}
	}
	return w.Flush()
}
