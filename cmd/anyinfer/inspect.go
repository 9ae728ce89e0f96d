// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"

	"github.com/spf13/cobra"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
)

// inspection describes a model that an engine loaded.
type inspection struct {
	Files      []string               `json:"files"`
	Error      string                 `json:"error,omitempty"` // if it is set, the other fields except Files are empty
	Engine     string                 `json:"engine"`
	Version    string                 `json:"version"`
	Library    string                 `json:"library"`
	Format     string                 `json:"format"`
	Device     string                 `json:"device"`
	Precision  string                 `json:"precision"` // empty if the engine does not report it
	Threads    int                    `json:"threads"`   // 0: the engine decides
	Sessions   int                    `json:"sessions"`
	Details    map[string]string      `json:"details"`
	Metadata   map[string]string      `json:"metadata"`
	Signatures []signatureDescription `json:"signatures"`
}

type signatureDescription struct {
	Name    string              `json:"name"`
	Inputs  []tensorDescription `json:"inputs"`
	Outputs []tensorDescription `json:"outputs"`
}

type tensorDescription struct {
	Name         string                   `json:"name"`
	DType        string                   `json:"dtype"`
	Shape        []int                    `json:"shape"`        // -1: a dynamic dimension; null: a dynamic rank
	Quantization *quantizationDescription `json:"quantization"` // null: the tensor is not quantized
	Labels       []string                 `json:"labels"`
}

type quantizationDescription struct {
	Scale     []*float32 `json:"scale"` // null: not finite
	ZeroPoint []int64    `json:"zero_point"`
	Axis      int        `json:"axis"` // the dimension that has a scale and a zero point for each index, if there are several
}

func newInspectCommand() *cobra.Command {
	var engine string
	var shapes []string
	var asJSON bool
	var isolation isolationFlags
	cmd := &cobra.Command{
		Use:   "inspect MODEL...",
		Short: "Show the inputs and outputs of models",
		Long: `Show the inputs and outputs of models.

Each MODEL is loaded, by the first ready engine that reads it unless --engine
names one. The output has the model's metadata, of which long texts are cut, and its
signatures, with the type, shape (?: a dynamic dimension), quantization and labels
of each input and output. With --json nothing is cut.
With --shape the inputs have these shapes, which determine the shapes of the
outputs. With onnxruntime and tensorrt only dynamic dimensions can be set; the
other engines also change fixed ones. If a model fails, the others are still
printed, and the exit code is 1.

A model is first loaded and run once by another process, as by 'anyinfer run'.`,
		Example: `  anyinfer inspect digits.tflite digits.xml digits.bin
  anyinfer inspect yolo.onnx --shape images=1,3,640,640
  anyinfer inspect digits.onnx --json | jq '.models[].signatures[].inputs'`,
		Args:              someModels,
		ValidArgsFunction: completeModel,
		RunE: func(cmd *cobra.Command, args []string) error {
			if engine != "" {
				if err := checkEngines([]string{engine}); err != nil {
					return err
				}
			}
			fixed, err := parseShapes(shapes)
			if err != nil {
				return err
			}
			return inspect(cmd.Context(), cmd.OutOrStdout(), args, engine, fixed, asJSON, isolation.isolation())
		},
	}
	cmd.Flags().StringVar(&engine, "engine", "", "engine that loads the models")
	must(cmd.RegisterFlagCompletionFunc("engine", cobra.FixedCompletions(common.Engines(), cobra.ShellCompDirectiveNoFileComp)))
	cmd.Flags().StringArrayVar(&shapes, "shape", nil, "NAME=1,3,224,224, shape of an input for which the model is loaded; may be repeated")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	isolation.add(cmd)
	return cmd
}

func inspect(ctx context.Context, w io.Writer, models []string, engine string, shapes map[string]common.Shape, asJSON bool, isolation model.Isolation) error {
	var all []inspection
	var failed []error
	for _, files := range model.Group(models) {
		i, err := inspectModel(ctx, files, engine, shapes, isolation)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			i = inspection{Error: err.Error(), Details: map[string]string{}, Metadata: map[string]string{}, Signatures: []signatureDescription{}}
			failed = append(failed, err)
		}
		i.Files = files
		all = append(all, i)
	}
	var err error
	if asJSON {
		err = printJSON(w, struct {
			Models []inspection `json:"models"`
		}{all})
	} else {
		err = printInspections(w, all)
	}
	if err != nil {
		return err
	}
	return errors.Join(failed...)
}

func inspectModel(ctx context.Context, files []string, engine string, shapes map[string]common.Shape, isolation model.Isolation) (inspection, error) {
	sources, err := model.Sources(files)
	if err != nil {
		return inspection{}, err
	}
	opened, m, err := model.Load(ctx, engine, sources, common.Options{Shapes: model.FixedShapes(shapes)}, model.Inputs{}, isolation)
	if err != nil {
		return inspection{}, err
	}
	defer opened.Close()
	e, info := opened.Info(), m.Info()
	i := inspection{
		Engine: e.Name, Version: e.Version, Library: e.Library, Format: info.Format, Device: info.Device,
		Threads: info.Threads, Sessions: info.Sessions, Details: map[string]string{}, Metadata: map[string]string{},
	}
	maps.Copy(i.Details, info.Details)
	maps.Copy(i.Metadata, info.Metadata)
	if info.Precision != 0 {
		i.Precision = info.Precision.String()
	}
	for _, sig := range m.Signatures() {
		i.Signatures = append(i.Signatures, signatureDescription{sig.Name, describe(sig.Inputs), describe(sig.Outputs)})
	}
	return i, nil
}

func describe(infos []common.TensorInfo) []tensorDescription {
	all := []tensorDescription{}
	for _, info := range infos {
		d := tensorDescription{Name: info.Name, DType: info.DType.String(), Shape: info.Shape, Labels: []string{}}
		d.Labels = append(d.Labels, info.Labels...)
		if q := info.Quant; q != nil {
			d.Quantization = &quantizationDescription{ZeroPoint: q.ZeroPoint, Axis: q.Axis}
			for i, s := range q.Scale {
				p := &q.Scale[i]
				if math.IsNaN(float64(s - s)) { // JSON cannot represent it
					p = nil
				}
				d.Quantization.Scale = append(d.Quantization.Scale, p)
			}
		}
		all = append(all, d)
	}
	return all
}
