// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/spf13/cobra"

	_ "github.com/anyinfer/anyinfer/mnn"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tensorrt"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
	_ "github.com/anyinfer/anyinfer/tnn"
)

// health is the state of an engine.
type health struct {
	Engine  string          `json:"engine"`
	Status  string          `json:"status"` // ready, missing or broken
	Version string          `json:"version,omitempty"`
	Library string          `json:"library,omitempty"`
	Devices []common.Device `json:"devices,omitempty"`
	Error   string          `json:"error,omitempty"`
	Fix     string          `json:"fix,omitempty"`

	installable bool // the engine is missing, and would run on this machine
}

func newDoctorCommand() *cobra.Command {
	var asJSON bool
	var engines []string
	cmd := &cobra.Command{
		Use:   "doctor [ENGINE...]",
		Short: "Show which engines are ready, and how to fix the others",
		Long: `Show which engines are ready, and how to fix the others: a line for each, or the details of the named engines.

An engine is ready, missing (no library was found, or the engine does not run on this machine) or broken (a library was found
but does not work). If engines are named, the exit code is 1 unless all of them are ready; otherwise it is 1 if an engine is
broken or none is ready.`,
		Example: `  anyinfer doctor
  anyinfer doctor tensorrt    # its library and devices; useful as the health check of a container
  anyinfer doctor --verbose   # the same for all engines`,
		Args: someEngines,
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return slices.DeleteFunc(common.Engines(), func(e string) bool { return slices.Contains(args, e) }), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			engines = append(engines, args...)
			if err := checkEngines(engines); err != nil {
				return err
			}
			named := engines
			if len(named) == 0 {
				named = common.Engines()
			}
			var all []health
			for _, name := range named {
				all = append(all, examine(cmd.Context(), name))
			}
			details, err := cmd.Flags().GetBool("verbose")
			if err != nil {
				return err
			}
			if err := printHealth(cmd.OutOrStdout(), all, asJSON, details || len(engines) > 0); err != nil {
				return err
			}
			return checkHealth(all, len(engines) > 0)
		},
	}
	cmd.Flags().StringSliceVar(&engines, "engine", nil, "engines to check, separated by commas; the same as ENGINE...")
	must(cmd.RegisterFlagCompletionFunc("engine", completeEngines))
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, with all details")
	return cmd
}

// examine opens an engine and closes it again.
func examine(ctx context.Context, name string) health {
	h := health{Engine: name, Status: "ready"}
	e, err := common.Open(name, nil)
	if err != nil {
		h.Status, h.Error = "broken", err.Error()
		if detail := (*common.Error)(nil); errors.As(err, &detail) {
			h.Fix, h.Library = detail.Hint, detail.Path
		}
		if model.LibraryMissing(err) || model.NotSupported(name, err) {
			h.Status, h.installable = "missing", model.LibraryMissing(err)
		}
		return h
	}
	defer e.Close()
	info := e.Info()
	h.Version, h.Library = info.Version, info.Library
	if h.Devices, err = e.Devices(ctx); err != nil {
		h.Status, h.Error = "broken", err.Error()
	}
	return h
}

func printHealth(w io.Writer, all []health, asJSON, details bool) error {
	if asJSON {
		return printJSON(w, all)
	}
	if details {
		for i, h := range all {
			if i > 0 {
				fmt.Fprintln(w)
			}
			h.print(w)
		}
		return nil
	}
	t := newTable(w, "ENGINE", "STATUS", "VERSION", "DEVICES", "LIBRARY, OR WHAT TO DO")
	t.path = true
	for _, h := range all {
		last := h.Library
		switch {
		case h.Status == "broken", h.Status == "missing" && !h.installable:
			last = "type 'anyinfer doctor " + h.Engine + "'"
		case h.Status == "missing" && model.LibrarySet(h.Engine):
			last = h.Fix // the user's own library is missing
		case h.Status == "missing":
			last = cmp.Or(model.InstallCommand(h.Engine), model.InstallHint(h.Engine))
		}
		t.row(h.Engine, h.Status, cmp.Or(shortVersion(h.Version), "-"), cmp.Or(deviceNames(h.Devices), "-"), last)
	}
	return t.flush()
}

// print prints the details of an engine.
func (h health) print(w io.Writer) {
	if h.Error != "" {
		fmt.Fprintf(w, "%s is %s\n", h.Engine, h.Status)
		if h.Version != "" {
			fmt.Fprintf(w, "  version %s\n  library %s\n", h.Version, h.Library)
		}
		fmt.Fprintf(w, "  %s\n", strings.ReplaceAll(h.Error, "\n", "\n  "))
		return
	}
	fmt.Fprintf(w, "%s is %s\n  version %s\n  library %s\n", h.Engine, h.Status, h.Version, h.Library)
	for _, d := range h.Devices {
		fmt.Fprintln(w, strings.TrimRight(printable("  device  "+d.Name+"  "+d.Description), " "))
	}
}

// deviceNames lists the names of the first few devices.
func deviceNames(devices []common.Device) string {
	const limit = 3
	var names []string
	for _, d := range devices[:min(len(devices), limit)] {
		names = append(names, d.Name)
	}
	text := strings.Join(names, ",")
	if len(devices) > limit {
		text += ",..."
	}
	return text
}

// checkHealth returns an error unless all engines are ready, if the user named
// them, or else at least one is ready and none is broken.
func checkHealth(all []health, named bool) error {
	by := map[string][]string{}
	for _, h := range all {
		by[h.Status] = append(by[h.Status], h.Engine)
	}
	broken, missing := strings.Join(by["broken"], ", "), strings.Join(by["missing"], ", ")
	switch {
	case broken != "" && named:
		return errors.New("not working: " + broken)
	case broken != "":
		return fmt.Errorf("not working: %s; type 'anyinfer doctor %s' for the reason", broken, strings.Join(by["broken"], " "))
	case named && missing != "":
		return errors.New("not installed: " + missing)
	case by["ready"] == nil:
		return errors.New("no engine is ready")
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
