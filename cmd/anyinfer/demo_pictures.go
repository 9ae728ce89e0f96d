// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/models"
	"github.com/anyinfer/anyinfer/internal/see"
	"github.com/anyinfer/anyinfer/testdata"
	"github.com/anyinfer/anyinfer/vision"
)

// demoTasks are what the demo does with pictures: the task, its first model and the picture.
var demoTasks = [][3]string{{"faces", "faces", "astronaut.jpg"}, {"person", "person", "astronaut.jpg"}, {text, textModels[0], "receipt.png"}}

func checkDemoTasks(tasks []string) error {
	var known []string
	for _, task := range demoTasks {
		known = append(known, task[0])
	}
	for _, task := range tasks {
		if !slices.Contains(known, task) {
			return usageError{fmt.Errorf("--tasks %s: the demo's tasks are %s", task, strings.Join(known, ", "))}
		}
	}
	return nil
}

// demoPictures finds faces in a photo, cuts out the person, and reads a receipt, as far as that is
// among tasks, with each of engines that runs the models for that, and prints a table. It writes
// pictures to the folder out.
func demoPictures(ctx context.Context, w, log io.Writer, status *statusLine, engines []string, out string, tasks []string, isolation isolationFlags) error {
	t := newTable(w, "TASK", "ENGINE", "FOUND", "LATENCY", "PICTURE")
	for _, task := range demoTasks {
		if !slices.Contains(tasks, task[0]) {
			continue
		}
		m, err := models.Find(task[1])
		if err != nil {
			return err
		}
		for _, engine := range m.Engines {
			if !slices.Contains(engines, engine) {
				continue
			}
			status.show(engine + ": " + m.Description)
			file := filepath.Join(out, task[0]+"-"+engine+".png")
			flags := seeFlags{engine: engine, isolation: isolation}
			found, latency, err := demoPicture(ctx, log, status, flags, task[0], task[2], file)
			if errors.Is(err, common.ErrModel) { // an older release of the engine may lack an operator
				t.row(task[0], engine, "this release does not run the model", "", "")
				continue
			} else if err != nil {
				return err
			}
			t.row(task[0], engine, found, fmt.Sprintf("%.1f ms", float64(latency.Microseconds())/1000), filepath.Base(file))
		}
	}
	status.clear()
	return t.flush()
}

// demoPicture looks at a photo of testdata, twice, because the first time takes longer, and
// draws what it has found.
func demoPicture(ctx context.Context, log io.Writer, status *statusLine, flags seeFlags, task, photo, file string) (found string, latency time.Duration, err error) {
	data, err := testdata.FS.ReadFile(photo)
	if err != nil {
		return "", 0, err
	}
	finder, done, err := newFinder(ctx, task, log, status, flags, nil)
	if err != nil {
		return "", 0, err
	}
	defer done()
	img, _, err := vision.Decode(bytes.NewReader(data))
	if err != nil {
		return "", 0, err
	}
	var findings *see.Findings
	for range 2 {
		start := time.Now()
		if findings, err = finder.Find(ctx, "photo", img); err != nil {
			return "", 0, err
		}
		latency = time.Since(start)
	}
	found = "nothing"
	if n := len(findings.Results); n > 0 {
		found = findings.Results[0].String()
		if n > 1 {
			found += fmt.Sprintf(" and %d more", n-1)
		}
	}
	return found, latency, writePNG(file, findings.Draw(img))
}
