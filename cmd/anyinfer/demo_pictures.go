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
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/model"
	"github.com/anyinfer/anyinfer/internal/models"
	"github.com/anyinfer/anyinfer/internal/see"
	"github.com/anyinfer/anyinfer/testdata"
	"github.com/anyinfer/anyinfer/vision"
)

// demoPictures finds faces in a photo and cuts out the person, with each of engines that
// runs the models for that, and prints a table. It writes pictures to the folder out.
func demoPictures(ctx context.Context, w, log io.Writer, status *statusLine, engines []string, out string, isolation model.Isolation) error {
	photo, err := testdata.FS.ReadFile("astronaut.jpg")
	if err != nil {
		return err
	}
	all, err := models.List()
	if err != nil {
		return err
	}
	t := newTable(w, "TASK", "ENGINE", "FOUND", "LATENCY", "PICTURE")
	for _, m := range all {
		if m.Name != "faces" && m.Name != "person" {
			continue
		}
		path := m.Path
		if path == "" {
			if path, err = installModel(ctx, m.Name, log, status); err != nil {
				return err
			}
		}
		for _, name := range m.Engines {
			if !slices.Contains(engines, name) {
				continue
			}
			status.show(name + ": " + m.Description)
			file := filepath.Join(out, m.Name+"-"+name+".png")
			found, latency, err := demoPicture(ctx, name, path, photo, file, isolation)
			if errors.Is(err, common.ErrModel) { // an older release of the engine may lack an operator
				t.row(m.Name, name, "this release does not run the model", "", "")
				continue
			} else if err != nil {
				return err
			}
			t.row(m.Name, name, found, fmt.Sprintf("%.1f ms", float64(latency.Microseconds())/1000), filepath.Base(file))
		}
	}
	status.clear()
	return t.flush()
}

// demoPicture looks at a photo with a model, twice, because the first time takes longer,
// and draws what it has found.
func demoPicture(ctx context.Context, engine, path string, photo []byte, file string, isolation model.Isolation) (found string, latency time.Duration, err error) {
	sources, err := model.Sources([]string{path})
	if err != nil {
		return "", 0, err
	}
	e, m, err := model.Load(ctx, engine, sources, common.Options{}, model.Inputs{}, isolation)
	if err != nil {
		return "", 0, err
	}
	defer e.Close()
	finder, err := see.New(m, engine, filepath.Base(path), 0, nil)
	if err != nil {
		return "", 0, err
	}
	img, _, err := vision.Decode(bytes.NewReader(photo))
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
	if len(findings.Results) > 0 {
		found = findings.Results[0].Text()
	}
	return found, latency, writePNG(file, findings.Draw(img))
}
