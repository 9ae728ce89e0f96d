// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/spf13/cobra"

	_ "github.com/anyinfer/anyinfer/mnn"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tensorrt"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
	_ "github.com/anyinfer/anyinfer/tnn"
)

// health is what doctor says of an engine.
type health struct {
	Engine  string          `json:"engine"`
	Status  string          `json:"status"` // ready, missing or broken
	Version string          `json:"version,omitempty"`
	Library string          `json:"library,omitempty"`
	Devices []common.Device `json:"devices,omitempty"`
	Error   string          `json:"error,omitempty"`
	Fix     string          `json:"fix,omitempty"`
}

func newDoctorCommand() *cobra.Command {
	var asJSON bool
	var engines []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell which engines are ready, and how to fix the others",
		Long: `Tell which engines are ready, and how to fix the others.

An engine is ready, missing (no library found) or broken (a library was found
but does not work). The exit code is 1 where an engine is broken or none is
ready; with --engine, where one of those is not ready.`,
		Example: `  anyinfer doctor
  anyinfer doctor --engine tensorrt   # the health check of a container, say`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkEngines(engines); err != nil {
				return err
			}
			named := engines
			if len(named) == 0 {
				named = common.Engines()
			}
			var all []health
			for _, name := range named {
				all = append(all, examine(name))
			}
			if err := printHealth(cmd.OutOrStdout(), all, asJSON); err != nil {
				return err
			}
			return verdict(all, len(engines) > 0)
		},
	}
	cmd.Flags().StringSliceVar(&engines, "engine", nil, "engines to look at, separated by commas, all of which must be ready")
	must(cmd.RegisterFlagCompletionFunc("engine", completeEngines))
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// examine opens an engine and closes it again.
func examine(name string) health {
	h := health{Engine: name, Status: "ready"}
	e, err := common.Open(name, nil)
	if err != nil {
		h.Status, h.Error = "broken", err.Error()
		if detail := (*common.Error)(nil); errors.As(err, &detail) {
			h.Fix, h.Library = detail.Hint, detail.Path
		}
		if missing(err) {
			h.Status = "missing"
		}
		return h
	}
	defer e.Close()
	info := e.Info()
	h.Version, h.Library = info.Version, info.Library
	if h.Devices, err = e.Devices(context.Background()); err != nil {
		h.Status, h.Error = "broken", err.Error()
	}
	return h
}

func printHealth(w io.Writer, all []health, asJSON bool) error {
	if asJSON {
		return printJSON(w, all)
	}
	t := newTable(w, "ENGINE", "STATUS", "VERSION", "DEVICES", "LIBRARY OR FIX")
	for _, h := range all {
		last := h.Library
		if h.Status != "ready" {
			last = cmp.Or(h.Fix, h.Library)
		}
		t.row(h.Engine, h.Status, cmp.Or(shortVersion(h.Version), "-"), cmp.Or(deviceNames(h.Devices), "-"), last)
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, h := range all {
		if h.Error != "" {
			fmt.Fprintf(w, "\n%s\n", h.Error)
		}
	}
	return nil
}

func deviceNames(devices []common.Device) string {
	var names []string
	for _, d := range devices {
		names = append(names, d.Name)
	}
	return strings.Join(names, ",")
}

// verdict is the error of a doctor who finds engines ill: all of them have to be
// ready, or those that are there, of which there has to be one.
func verdict(all []health, every bool) error {
	ready, broken := 0, 0
	for _, h := range all {
		switch h.Status {
		case "ready":
			ready++
		case "broken":
			broken++
		}
	}
	switch {
	case broken > 0:
		return fmt.Errorf("%d of %d engines broken", broken, len(all))
	case every && ready < len(all):
		return fmt.Errorf("%d of %d engines missing", len(all)-ready, len(all))
	case ready == 0:
		return errors.New("no engine is ready")
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
