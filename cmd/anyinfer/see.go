// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/see"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/spf13/cobra"
)

// seeFlags are the flags of see.
type seeFlags struct {
	engine, device, out, labels string
	minScore                    float32
	json                        bool
}

func newSeeCommand() *cobra.Command {
	var f seeFlags
	cmd := &cobra.Command{
		Use:   "see MODEL|TASK IMAGE...",
		Short: "Show what a model finds in pictures",
		Long: `Show what a model finds in pictures.

MODEL is the file of a model that detects, classifies, segments or cuts out; what it
expects is read from its metadata, or from its inputs and outputs. TASK is faces,
person, layout or orientation, for a model that is installed first ('anyinfer model
list'). IMAGE is a picture, a folder of them, or - for a stream of JPEG or PNG frames.

The results are printed, or drawn with -o: into a file for one picture, into a folder
for several, or, with -o -, as a stream of PNG frames.`,
		Example: `  anyinfer see faces party.jpg -o faces.png
  anyinfer see yolo11n.onnx street.jpg --min-score 0.5
  anyinfer see yolo11n.onnx photos --json > found.jsonl
  ffmpeg -i in.mp4 -f image2pipe -c:v mjpeg - | anyinfer see faces - -o - | ffmpeg -f image2pipe -i - out.mp4`,
		Args:              cobra.MinimumNArgs(2),
		ValidArgsFunction: completeModel,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSee(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), newStatusLine(cmd.ErrOrStderr()), args[0], args[1:], f)
		},
	}
	cmd.Flags().StringVar(&f.engine, "engine", "", "engine that runs the model")
	cmd.Flags().StringVar(&f.device, "device", "", "device to run on, from the list of 'anyinfer doctor ENGINE'")
	cmd.Flags().StringVarP(&f.out, "out", "o", "", "file, folder or - for the pictures with what was found")
	cmd.Flags().StringVar(&f.labels, "labels", "", "coco, coco91, voc, or a file with a label on each line, for a model without labels")
	cmd.Flags().Float32Var(&f.minScore, "min-score", 0, "least score of what is found, 0 to 1 (default 0.25)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print a line of JSON for each picture")
	must(cmd.RegisterFlagCompletionFunc("engine", completeEngines))
	must(cmd.RegisterFlagCompletionFunc("device", completeDevice))
	return cmd
}

func runSee(ctx context.Context, in io.Reader, out, progress io.Writer, status *statusLine, name string, images []string, f seeFlags) error {
	if f.minScore < 0 || f.minScore > 1 {
		return usageError{fmt.Errorf("--min-score is %v; want 0 to 1", f.minScore)}
	}
	if f.out == "-" && f.json {
		return usageError{errors.New("-o - and --json both write to the standard output")}
	}
	if f.engine != "" {
		if err := checkEngines([]string{f.engine}); err != nil {
			return err
		}
	}
	labels, err := readLabels(f.labels)
	if err != nil {
		return err
	}
	files, err := see.Files(images)
	if err != nil {
		return err
	}
	path, err := modelPath(ctx, name, progress, status)
	if err != nil {
		return err
	}
	sources, err := model.Sources([]string{path})
	if err != nil {
		return err
	}
	e, m, err := model.Load(ctx, f.engine, sources, common.Options{Device: f.device}, model.Inputs{})
	if err != nil {
		return err
	}
	defer e.Close()
	s, err := see.New(m, e.Info().Name, filepath.Base(path), f.minScore, labels)
	if err != nil {
		return err
	}
	v := viewer{seer: s, flags: f, out: bufio.NewWriter(out), status: status, folder: len(files) > 1 || len(images) == 1 && isFolder(images[0]) || files[0] == "-"}
	defer status.clear()
	for i, file := range files {
		if file == "-" {
			err = v.stream(ctx, in)
		} else {
			status.show(fmt.Sprintf("%d of %d: %s", i+1, len(files), file))
			err = v.file(ctx, file)
		}
		if err != nil {
			return errors.Join(err, v.out.Flush())
		}
	}
	return v.out.Flush()
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// readLabels returns the labels that --labels names; nil if it is empty.
func readLabels(name string) ([]string, error) {
	switch name {
	case "":
		return nil, nil
	case "coco":
		return vision.COCO(), nil
	case "coco91":
		return vision.COCO91()[1:], nil
	case "voc":
		return vision.VOC(), nil
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n"), "\n"), nil
}

// viewer looks at pictures and prints or draws what is found.
type viewer struct {
	seer   *see.Seer
	flags  seeFlags
	out    *bufio.Writer
	status *statusLine
	folder bool // --out is a folder
}

func (v *viewer) file(ctx context.Context, path string) error {
	img, err := see.ReadFile(path)
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	return v.look(ctx, path, strings.TrimSuffix(name, filepath.Ext(name))+".png", img)
}

func (v *viewer) stream(ctx context.Context, in io.Reader) error {
	n := 0
	for frame, err := range see.Frames(in) {
		if err != nil {
			return fmt.Errorf("frame %d: %w", n+1, err)
		}
		n++
		v.status.show(fmt.Sprintf("frame %d", n))
		img, _, err := vision.Decode(bytes.NewReader(frame))
		if err != nil {
			return fmt.Errorf("frame %d: %w", n, err)
		}
		name := fmt.Sprintf("frame-%06d.png", n)
		if err := v.look(ctx, name, name, img); err != nil {
			return err
		}
	}
	return nil
}

// look looks at a picture. drawing is the name of the file in a folder for --out.
func (v *viewer) look(ctx context.Context, name, drawing string, img image.Image) error {
	sight, err := v.seer.See(ctx, name, img)
	if err != nil {
		return err
	}
	switch {
	case v.flags.json:
		err = json.NewEncoder(v.out).Encode(sight)
	case v.flags.out == "":
		v.status.clear()
		fmt.Fprintf(v.out, "%s (%d x %d, %s)\n", name, sight.Width, sight.Height, sight.Engine)
		for _, r := range sight.Results {
			fmt.Fprintf(v.out, "  %s\n", r.Text())
		}
		if len(sight.Results) == 0 {
			fmt.Fprintln(v.out, "  nothing found")
		}
	}
	if err != nil || v.flags.out == "" {
		return err
	}
	if v.flags.out == "-" {
		return png.Encode(v.out, sight.Draw(img))
	}
	path := v.flags.out
	if v.folder {
		if err := os.MkdirAll(path, 0o777); err != nil {
			return err
		}
		path = filepath.Join(path, drawing)
	}
	return writePNG(path, sight.Draw(img))
}
