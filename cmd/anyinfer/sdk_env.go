// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/shell"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

func newSDKEnv() *cobra.Command {
	var f sdkFlags
	cmd := &cobra.Command{
		Use:   "env [ENGINE...]",
		Short: "Print shell exports for building with engines' tags, which links their SDKs",
		Long: `Print shell exports for building with engines' tags, which links their SDKs; for all installed engines unless some are named:

  eval "$(anyinfer sdk env openvino tflite)" && go build -tags openvino,tflite ./...

The program loads the SDKs from their present folders. For another target it is only linked, and that system's loader
must find them:

  eval "$(anyinfer sdk env tflite --arch arm64)" && CGO_ENABLED=1 CC=aarch64-linux-gnu-gcc GOARCH=arm64 go build -tags tflite ./...

'anyinfer build --target linux/arm64 --tags tflite' does both.

Programs built without tags find SDKs by themselves; for them the exports select one of several.

If it fails, it prints the command false, and the error on standard error: then eval fails, and && skips the next command.

For mnn, tnn and tensorrt the linker uses the folders in MNN_ROOT, TNN_ROOT and TENSORRT_ROOT if they are set.`,
		Args:              someEngines,
		ValidArgsFunction: completeEngine,
		Annotations:       map[string]string{evaluated: "sh"},
		RunE: func(cmd *cobra.Command, engines []string) error {
			root, err := f.root()
			if err != nil {
				return err
			}
			goos, goarch := f.target()
			sdks, err := chooseSDKs(root, engines, f.version, goos, goarch)
			if err != nil {
				return err
			}
			vars, err := variables(sdks, target{os: goos, arch: goarch}.host())
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), exports(vars))
			return err
		},
	}
	f.add(cmd, "version of the SDK (default the newest installed)")
	return cmd
}

// evaluated annotates commands whose output a shell evaluates. If such a command fails it prints the command false, because
// eval does not see its exit code.
const evaluated = "evaluated"

// chooseSDKs returns the newest installed SDK of each engine for a target.
func chooseSDKs(root string, engines []string, version, goos, goarch string) ([]sdkdir.SDK, error) {
	list, err := sdkdir.ListDir(root)
	if err != nil {
		return nil, err
	}
	var chosen []sdkdir.SDK
	for _, s := range list { // newest first
		if s.OS == goos && s.Arch == goarch && (version == "" || s.Version == version) &&
			(len(engines) == 0 || slices.Contains(engines, s.Engine)) &&
			!slices.ContainsFunc(chosen, func(c sdkdir.SDK) bool { return c.Engine == s.Engine }) {
			chosen = append(chosen, s)
		}
	}
	for _, r := range toolchain.All {
		named, found := slices.Contains(engines, r.Engine), os.Getenv(r.SDK.Env) != ""
		if named && !found && (target{os: goos, arch: goarch}).host() {
			_, err := r.Locate("") // the system's own
			found = err == nil
		}
		if found && (len(engines) == 0 || named) &&
			!slices.ContainsFunc(chosen, func(c sdkdir.SDK) bool { return c.Engine == r.Engine }) {
			chosen = append(chosen, sdkdir.SDK{Engine: r.Engine, OS: goos, Arch: goarch})
		}
	}
	for _, engine := range engines {
		if !slices.ContainsFunc(chosen, func(c sdkdir.SDK) bool { return c.Engine == engine }) {
			t := target{os: goos, arch: goarch}
			todo := installFor(engine, version, t)
			if r, ok := toolchain.Find(engine); ok && !pinned(engine, t) {
				todo = fmt.Sprintf("set %s to an SDK for %s/%s", r.SDK.Env, goos, goarch) // a shim without an SDK cannot be linked
			}
			return nil, missingError{fmt.Sprintf("no %s SDK %sfor %s/%s is in %s", engine, spaced(version), goos, goarch, root), todo}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no SDK %sfor %s/%s is in %s; 'anyinfer sdk list' shows the SDKs that can be installed", spaced(version), goos, goarch, root)
	}
	return chosen, nil
}

// variable is an environment variable for a build that links SDKs.
type variable struct {
	name, value string
	add         bool // append to the variable's value
}

// variables returns the environment for a build that links SDKs; run means that the program runs on this machine. It
// links a C++ SDK itself, not the shim that is installed with it.
func variables(sdks []sdkdir.SDK, run bool) ([]variable, error) {
	var all []variable
	var cppflags, ldflags []string
	for _, s := range sdks {
		if run && s.Library != "" {
			all = append(all, variable{name: dylib.Spec{Engine: s.Engine}.Env(), value: s.LibraryPath()})
		}
		libDir := s.LibDir()
		if r, ok := toolchain.Find(s.Engine); ok {
			r.SDK.Arch = s.Arch
			location, err := r.Locate("", s.Dir)
			if err != nil {
				return nil, err
			}
			libDir = location.LibDir()
			cppflags = append(cppflags, "-I"+location.Include)
			if location.OldStrings {
				cppflags = append(cppflags, "-DANYINFER_"+strings.ToUpper(r.Engine)+"_CXX11_ABI=0") // not _GLIBCXX_USE_CXX11_ABI, which other shims would see, too
			}
			all = append(all, variable{name: r.SDK.Env, value: location.Root})
		}
		ldflags = append(ldflags, "-L"+libDir)
		if run && s.OS != "windows" {
			ldflags = append(ldflags, "-Wl,-rpath,"+libDir)
		}
	}
	for _, v := range []struct {
		name  string
		flags []string
	}{ // CGO_CPPFLAGS: setting CGO_CXXFLAGS would replace its default of -O2
		{"CGO_CPPFLAGS", cppflags}, {"CGO_LDFLAGS", ldflags},
	} {
		if v.flags == nil {
			continue
		}
		flags, err := goQuote(v.flags)
		if err != nil {
			return nil, err
		}
		all = append(all, variable{name: v.name, value: flags, add: true})
	}
	return all, nil
}

// exports returns lines for a POSIX shell.
func exports(vars []variable) string {
	var b strings.Builder
	for _, v := range vars {
		fmt.Fprintf(&b, "export %s=%s", v.name, shell.Quote(v.value))
		if v.add {
			fmt.Fprintf(&b, "\"${%s:+ $%s}\"", v.name, v.name)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// goQuote joins flags for the go command: a flag with spaces is in quotes, without escapes.
func goQuote(flags []string) (string, error) {
	quoted := make([]string, len(flags))
	for i, f := range flags {
		switch {
		case !strings.ContainsAny(f, " \t\r\n'\""):
			quoted[i] = f
		case !strings.Contains(f, `"`):
			quoted[i] = `"` + f + `"`
		case !strings.Contains(f, "'"):
			quoted[i] = "'" + f + "'"
		default:
			return "", fmt.Errorf("the go command cannot parse %s: it has both kinds of quotes", f)
		}
	}
	return strings.Join(quoted, " "), nil
}
