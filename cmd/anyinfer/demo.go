// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
	"github.com/anyinfer/anyinfer/testdata"
	"github.com/spf13/cobra"
)

func newDemoCommand() *cobra.Command {
	var out string
	var tasks []string
	var isolation isolationFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run small models with every engine, installing what is missing",
		Long: `Run small models with every engine, installing what is missing.

Engines whose SDK must be built are omitted unless they are installed.

Each engine recognizes scans of handwritten digits that the model was not trained
on, one at a time on one thread, and finds the edges in a photo, which it writes
to edges-ENGINE.png. The table shows how many digits were right, the largest
difference between the scores and onnxruntime's, and the median time of a scan.

Then the engines that run these models find a face in a photo, cut the person out
of it, and read a receipt, in pictures named faces-ENGINE.png, person-ENGINE.png and
text-ENGINE.png.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), out, tasks, isolation)
		},
	}
	cmd.Flags().StringVar(&out, "out", "anyinfer-demo", "folder to write the pictures to")
	must(cmd.MarkFlagDirname("out"))
	cmd.Flags().StringSliceVar(&tasks, "tasks", []string{"faces", "person", text}, "what to do with pictures at the end")
	isolation.add(cmd)
	return cmd
}

func demo(ctx context.Context, w, log io.Writer, out string, tasks []string, isolation isolationFlags) error {
	if err := checkDemoTasks(tasks); err != nil {
		return err
	}
	d, err := readDigits()
	if err != nil {
		return err
	}
	photo, err := readPhoto()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	status := newStatusLine(log)
	defer status.clear()
	var lines [][]string
	var notes, ready []string
	var failed []error
	for _, name := range common.Engines() {
		if note := reasonToSkip(name); note != "" {
			lines = append(lines, []string{name, "not installed, see below"})
			notes = append(notes, name+": "+note)
			continue
		}
		line, err := demoEngine(ctx, log, status, name, d, photo, filepath.Join(out, "edges-"+name+".png"), isolation.isolation())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = append(failed, err)
			line = []string{name, "failed, see below"}
		} else {
			ready = append(ready, name)
		}
		lines = append(lines, line)
	}
	status.clear()
	t := newTable(w, "ENGINE", "VERSION", "ACCURACY", "MAX DIFF", "LATENCY", "PHOTO")
	for _, line := range lines {
		t.row(line...)
	}
	if err := t.flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := demoPictures(ctx, w, log, status, ready, out, tasks, isolation); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		failed = append(failed, err)
	}
	if len(ready) > 0 {
		fmt.Fprintln(w, "\npictures are in", out)
	}
	for _, n := range notes {
		fmt.Fprintln(w, n)
	}
	return errors.Join(failed...)
}

// reasonToSkip returns the reason why the demo omits an engine: it does not run on
// this machine, or its SDK is missing and cannot be installed here. The reason is
// empty for other engines.
func reasonToSkip(name string) string {
	e, err := common.Open(name, nil)
	e.Close()
	if detail := (*common.Error)(nil); model.NotSupported(name, err) && errors.As(err, &detail) {
		return detail.Message
	}
	if !model.LibraryMissing(err) || model.LibrarySet(name) {
		return ""
	}
	if !hasPackage(name) {
		if build := model.InstallCommand(name); build != "" {
			return fmt.Sprintf("it has no package; '%s' uses your own copy of the SDK", build)
		}
		return "it has no package"
	}
	if err := sdkinstall.Possible(context.Background(), name); err != nil {
		return err.Error()
	}
	return ""
}

// demoEngine runs an engine and returns its line of the table.
func demoEngine(ctx context.Context, log io.Writer, status *statusLine, name string, d digits, photo *image.Gray, file string, isolation model.Isolation) ([]string, error) {
	e, err := openOrInstall(ctx, log, status, name)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	status.show(name + ": recognizing digits")
	result, err := d.run(ctx, e, isolation)
	if err != nil {
		return nil, err
	}
	status.show(name + ": filtering the photo")
	edges, err := filter(ctx, e, photo, isolation)
	if err != nil {
		return nil, err
	}
	if err := writePNG(file, edges); err != nil {
		return nil, err
	}
	return []string{
		name, shortVersion(e.Info().Version),
		fmt.Sprintf("%.1f %% (%d of %d)", 100*float64(result.correct)/float64(d.n), result.correct, d.n),
		fmt.Sprintf("%.1e", result.diff),
		fmt.Sprintf("%.1f us", float64(result.latency.Nanoseconds())/1000),
		filepath.Base(file),
	}, nil
}

// openOrInstall opens an engine. It installs the SDK if that is missing.
func openOrInstall(ctx context.Context, log io.Writer, status *statusLine, name string) (*common.Engine, error) {
	status.show(name + ": opening the library")
	e, err := common.Open(name, nil)
	if !model.LibraryMissing(err) || model.LibrarySet(name) {
		return e, err
	}
	status.clear()
	_, _, err = sdkinstall.Install(ctx, sdkinstall.InstallOptions{Engine: name, Log: log, Progress: status.show})
	if err != nil {
		return nil, err
	}
	status.show(name + ": opening the library")
	return common.Open(name, nil)
}

// source returns the embedded model of that name in a format that the engine reads.
func source(engine, model string) (common.Source, error) {
	for _, format := range common.Formats(engine) {
		for _, ext := range []string{format, format + "proto"} {
			if _, err := fs.Stat(testdata.FS, model+"."+ext); err == nil {
				return common.FS(testdata.FS, model+"."+ext), nil
			}
		}
	}
	return common.Source{}, fmt.Errorf("%s: the demo has no %s model in a format that it reads", engine, model)
}

// digits has n scans of 8x8 pixels, the digits that they show, and onnxruntime's
// scores.
type digits struct {
	n      int
	pixels []float32 // 0 to 1
	labels []uint8
	scores []float32
}

const (
	scanPixels = 8 * 8
	classes    = 10
)

func readDigits() (d digits, err error) {
	scans, err := embedded[uint8]("scans.npy")
	if err != nil {
		return d, err
	}
	if d.labels, err = embedded[uint8]("scans_labels.npy"); err != nil {
		return d, err
	}
	if d.scores, err = embedded[float32]("scans_scores.npy"); err != nil {
		return d, err
	}
	for _, p := range scans {
		d.pixels = append(d.pixels, float32(p)/16)
	}
	d.n = len(d.labels)
	return d, nil
}

func embedded[T common.Elem](name string) ([]T, error) {
	f, err := testdata.FS.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := npy.Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return common.Data[T](t)
}

type digitsResult struct {
	correct int
	diff    float64
	latency time.Duration
}

func (d digits) run(ctx context.Context, e *common.Engine, isolation model.Isolation) (r digitsResult, err error) {
	src, err := source(e.Info().Name, "digits")
	if err != nil {
		return r, err
	}
	m, err := model.LoadOn(ctx, e, src, common.Options{Threads: 1}, model.Inputs{}, isolation)
	if errors.Is(err, common.ErrOption) { // a GPU has no threads
		m, err = model.LoadOn(ctx, e, src, common.Options{}, model.Inputs{}, isolation)
	}
	if err != nil {
		return r, err
	}
	defer m.Close()
	s, err := m.NewSession(ctx, "")
	if err != nil {
		return r, err
	}
	defer s.Close()
	in, err := common.Data[float32](s.Input(0))
	if err != nil {
		return r, err
	}
	out, err := common.Data[float32](s.Output(0))
	if err != nil {
		return r, err
	}
	if len(in) != scanPixels || len(out) != classes {
		return r, fmt.Errorf("the digits model has %d inputs and %d outputs", len(in), len(out))
	}
	var times []time.Duration
	for i := range d.n {
		copy(in, d.pixels[i*scanPixels:])
		start := time.Now()
		if err := s.Run(ctx); err != nil {
			return r, err
		}
		times = append(times, time.Since(start))
		if slices.Index(out, slices.Max(out)) == int(d.labels[i]) {
			r.correct++
		}
		for j, v := range out {
			r.diff = max(r.diff, math.Abs(float64(v)-float64(d.scores[i*classes+j])))
		}
	}
	slices.Sort(times)
	r.latency = times[len(times)/2]
	return r, nil
}

func readPhoto() (*image.Gray, error) {
	f, err := testdata.FS.Open("photo.png")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, err
	}
	gray := image.NewGray(img.Bounds())
	for y := range gray.Rect.Dy() {
		for x := range gray.Rect.Dx() {
			gray.Set(x, y, img.At(x, y))
		}
	}
	return gray, nil
}

// filter runs the edge filter, whose input has a dynamic height and width.
func filter(ctx context.Context, e *common.Engine, photo *image.Gray, isolation model.Isolation) (*image.Gray, error) {
	src, err := source(e.Info().Name, "edges")
	if err != nil {
		return nil, err
	}
	height, width := photo.Rect.Dy(), photo.Rect.Dx()
	m, err := model.LoadOn(ctx, e, src, common.Options{}, model.Inputs{}, isolation)
	if errors.Is(err, common.ErrOption) || err == nil && !m.Signatures()[0].Dynamic() { // the engine or the format has only fixed shapes
		m.Close()
		o := common.Options{Shapes: map[string]common.ShapeRange{"image": common.Fixed(1, 1, height, width)}}
		m, err = model.LoadOn(ctx, e, src, o, model.Inputs{}, isolation)
	}
	if err != nil {
		return nil, err
	}
	defer m.Close()
	sig := m.Signatures()[0]
	shape := slices.Clone(sig.Inputs[0].Shape)
	for i, n := 0, []int{height, width}; i < len(shape) && len(n) > 0; i++ {
		if shape[i] < 0 { // height comes before width in every layout
			shape[i], n = n[0], n[1:]
		}
	}
	t, err := common.NewTensor(common.Float32, shape...)
	if err != nil {
		return nil, err
	}
	pixels, err := common.Data[float32](t)
	if err != nil {
		return nil, err
	}
	for i, p := range photo.Pix {
		pixels[i] = float32(p) / 255
	}
	out, err := m.Run(ctx, common.Tensors{sig.Inputs[0].Name: t})
	if err != nil {
		return nil, err
	}
	values, err := common.Data[float32](out[sig.Outputs[0].Name])
	if err != nil {
		return nil, err
	}
	if len(values) != height*width {
		return nil, fmt.Errorf("the edge filter has %d outputs for %d pixels", len(values), height*width)
	}
	edges := image.NewGray(photo.Rect)
	for i, v := range values {
		edges.Set(i%width, i/width, color.Gray{Y: uint8(255 * min(max(v, 0), 1))})
	}
	return edges, nil
}

func writePNG(file string, img image.Image) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, img), f.Close())
}
