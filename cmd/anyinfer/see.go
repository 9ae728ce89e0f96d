// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/models"
	"github.com/anyinfer/anyinfer/internal/see"
	"github.com/anyinfer/anyinfer/vision"
	"github.com/spf13/cobra"
)

// seeFlags are the flags of see.
type seeFlags struct {
	engine, device, out, labels string
	minScore                    float32
	json                        bool
	isolation                   isolationFlags
}

func newSeeCommand() *cobra.Command {
	var f seeFlags
	cmd := &cobra.Command{
		Use:   "see MODEL|TASK IMAGE...",
		Short: "Show what a model finds in pictures",
		Long: `Show what a model finds in pictures.

MODEL is the file of a model that detects, classifies, segments or cuts out; what it
expects is read from its metadata, or from its inputs and outputs. TASK is faces,
hands, pose, mesh, person, text, layout or orientation, for models that are installed
first ('anyinfer model list'). IMAGE is a picture, a folder of them, or - for a stream
of JPEG or PNG frames.

The results are printed, or drawn with -o: into a file for one picture, into a folder
for several, or, with -o -, as a stream of PNG frames.

A model is first loaded and run once by another process, as by 'anyinfer run'.`,
		Example: `  anyinfer see faces party.jpg -o faces.png
  anyinfer see text page.png -o read.png
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
	cmd.Flags().Float32Var(&f.minScore, "min-score", 0, "least score of what is found, 0 to 1 (default what suits the model)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print a line of JSON for each picture")
	f.isolation.add(cmd)
	f.isolation.addIsolate(cmd)
	must(cmd.RegisterFlagCompletionFunc("engine", completeEngines))
	must(cmd.RegisterFlagCompletionFunc("device", completeDevice))
	return cmd
}

func runSee(ctx context.Context, in io.Reader, out, progress io.Writer, status *statusLine, name string, images []string, f seeFlags) error {
	if !(f.minScore >= 0 && f.minScore <= 1) {
		return usageError{fmt.Errorf("--min-score is %v; want 0 to 1", f.minScore)}
	}
	if f.out == "-" && f.json {
		return usageError{errors.New("-o - and --json both write to the standard output")}
	}
	if extension := strings.ToLower(filepath.Ext(f.out)); extension != ".png" && slices.Contains(see.Extensions, extension) {
		return usageError{fmt.Errorf("-o %s: pictures are written as PNG files; want a name that ends in .png", f.out)}
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
	finder, closeModels, err := newFinder(ctx, name, progress, status, f, labels)
	if err != nil {
		return err
	}
	defer closeModels()
	v := viewer{
		finder: finder, flags: f, out: bufio.NewWriter(out), status: status, files: files, written: map[string]bool{},
		folder: len(files) > 1 || isFolder(images[0]) || isFolder(f.out) || files[0] == "-",
	}
	defer status.clear()
	var errs []error
	for i, file := range files {
		if file == "-" {
			err = v.stream(ctx, in)
		} else {
			status.show(fmt.Sprintf("%d of %d: %s", i+1, len(files), file))
			err = v.file(ctx, file)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		errs = append(errs, err) // the other pictures may be good
	}
	return errors.Join(append(errs, v.out.Flush())...)
}

// newFinder loads the model of that name, or those of a task that has several, and returns
// what runs them.
func newFinder(ctx context.Context, name string, progress io.Writer, status *statusLine, f seeFlags, labels []string) (finder *see.Finder, done func(), err error) {
	names := []string{name}
	detector := models.Detector(name)
	if name == text {
		names = textModels
	} else if detector != "" {
		names = []string{name, detector}
	} else if slices.Contains(textModels, name) {
		return nil, nil, usageError{fmt.Errorf("%s is one of the models that read text together: anyinfer see text", name)}
	}
	var engines []*common.Engine
	var loaded []*common.Model
	closeAll := func() {
		for _, e := range engines {
			e.Close()
		}
	}
	defer func() {
		if err != nil {
			closeAll()
		}
	}()
	base := ""
	for _, name := range names {
		path, err := modelPath(ctx, name, progress, status)
		if err != nil {
			return nil, nil, err
		}
		sources, err := model.Sources([]string{path})
		if err != nil {
			return nil, nil, err
		}
		e, m, err := model.Load(ctx, f.engine, sources, common.Options{Device: f.device}, model.Inputs{}, f.isolation.isolation())
		if err != nil {
			return nil, nil, err
		}
		engines, loaded, base = append(engines, e), append(loaded, m), cmp.Or(base, filepath.Base(path))
	}
	engine := engines[0].Info().Name
	switch {
	case name == text:
		finder, err = see.NewReader(loaded[0], loaded[1], loaded[2], engine, f.minScore)
	case detector != "":
		finder, err = see.NewLandmarks(loaded[1], loaded[0], engine, base, f.minScore)
	default:
		finder, err = see.New(loaded[0], engine, base, f.minScore, labels)
	}
	return finder, closeAll, err
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
	finder *see.Finder
	flags  seeFlags
	out    *bufio.Writer
	status *statusLine

	files   []string        // all pictures, which are not overwritten
	written map[string]bool // the files that were written
	folder  bool            // --out is a folder
}

func (v *viewer) file(ctx context.Context, path string) error {
	img, err := see.ReadFile(path)
	if err != nil {
		return err
	}
	return v.look(ctx, path, filepath.Base(path), img)
}

func (v *viewer) stream(ctx context.Context, in io.Reader) error {
	if f, ok := in.(*os.File); ok { // reading a pipe ends with ctx
		defer context.AfterFunc(ctx, func() { f.SetReadDeadline(time.Now()) })()
	}
	n := 0
	for frame, err := range see.Frames(in) {
		if err != nil {
			return fmt.Errorf("frame %d: %w", n+1, err)
		}
		n++
		v.status.show(fmt.Sprintf("frame %d", n))
		img, err := see.Decode(bytes.NewReader(frame))
		if err != nil {
			return fmt.Errorf("frame %d: %w", n, err)
		}
		name := fmt.Sprintf("frame-%06d.png", n)
		if err := v.look(ctx, name, name, img); err != nil {
			return err
		}
	}
	if n == 0 {
		return errors.New("the stream has no frames")
	}
	return nil
}

// look looks at a picture of a file of that name.
func (v *viewer) look(ctx context.Context, path, name string, img image.Image) error {
	found, err := v.finder.Find(ctx, path, img)
	if err != nil {
		return err
	}
	switch {
	case v.flags.json:
		err = json.NewEncoder(v.out).Encode(found)
	case v.flags.out == "":
		v.status.clear()
		fmt.Fprintf(v.out, "%s (%d x %d, %s)\n", path, found.Width, found.Height, found.Engine)
		for _, r := range found.Results {
			fmt.Fprintf(v.out, "  %s\n", r)
		}
		if len(found.Results) == 0 {
			fmt.Fprintln(v.out, "  nothing found")
		}
	case v.flags.out == "-":
		err = png.Encode(v.out, found.Draw(img))
	}
	if err = errors.Join(err, v.out.Flush()); err != nil || v.flags.out == "" || v.flags.out == "-" {
		return err
	}
	file, err := v.target(name)
	if err != nil {
		return err
	}
	return writePNG(file, found.Draw(img))
}

// target returns the file for what was found in a picture of that name. It is none of the
// pictures, and none that was written already.
func (v *viewer) target(name string) (string, error) {
	file := v.flags.out
	if v.folder {
		if err := os.MkdirAll(v.flags.out, 0o777); err != nil {
			return "", err
		}
		file = filepath.Join(v.flags.out, strings.TrimSuffix(name, filepath.Ext(name))+".png")
		if v.written[file] || v.isPicture(file) {
			file = filepath.Join(v.flags.out, name+".png") // photo.jpg and photo.png are two
		}
	}
	if v.written[file] || v.isPicture(file) {
		return "", fmt.Errorf("-o %s would overwrite %s; name another file or folder", v.flags.out, file)
	}
	v.written[file] = true
	return file, nil
}

func (v *viewer) isPicture(file string) bool {
	info, err := os.Stat(file)
	return err == nil && slices.ContainsFunc(v.files, func(picture string) bool {
		other, err := os.Stat(picture)
		return err == nil && os.SameFile(info, other)
	})
}
