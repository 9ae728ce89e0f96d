// SPDX-License-Identifier: Apache-2.0

package tfl

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatcheck"
)

// readMetadata reads TFLite Metadata and the label files, which are appended to the model as a ZIP archive. No library
// reads them, so damaged parts are skipped without an error.
func (m *Model) readMetadata(model []byte, root flatcheck.Table) {
	buffers := root.Vector("buffers")
	for i, entries := int64(0), root.Vector("metadata"); i < entries.Len(); i++ {
		entry := entries.Table(i)
		content := flatcheck.Content(buffers.Table(entry.Int("buffer")))
		switch name := entry.Text("name"); name {
		case "min_runtime_version":
			if len(content) <= maxVersion {
				m.setMetadata(name, cString(string(content)))
			}
		case "TFLITE_METADATA":
			if metadata, err := flatcheck.Metadata(content); err == nil {
				for _, field := range []string{"name", "description", "version", "author", "license", "min_parser_version"} {
					m.setMetadata(field, metadata.Text(field))
				}
				m.readLabels(model, metadata)
			}
		}
	}
}

const (
	maxVersion = 64      // bytes of min_runtime_version, which is padded with zeros
	maxLabels  = 1 << 20 // bytes of all labels together
)

func (m *Model) setMetadata(key, value string) {
	if value == "" {
		return
	}
	if m.Metadata == nil {
		m.Metadata = map[string]string{}
	}
	m.Metadata[key] = value
}

// readLabels sets the outputs' labels.
func (m *Model) readLabels(model []byte, metadata flatcheck.Table) {
	archive, err := zip.NewReader(bytes.NewReader(model), int64(len(model)))
	if err != nil {
		return // the file has no archive
	}
	remaining := maxLabels
	graphs := metadata.Vector("subgraph_metadata")
	for _, s := range m.Signatures {
		if int64(s.Subgraph) >= graphs.Len() {
			continue
		}
		outputs := graphs.Table(int64(s.Subgraph)).Vector("output_tensor_metadata")
		for i, index := range s.Out {
			if int64(index) < outputs.Len() {
				files := outputs.Table(int64(index)).Vector("associated_files")
				s.Outputs[i].Labels = labels(archive, files, s.Outputs[i].Shape, &remaining)
			}
		}
	}
}

// labels returns the labels of an output with these associated files. Of files for several languages it takes the one
// without a locale, or the first. Labels of the last dimension count only if their number is that dimension; labels of
// values may be of any number.
func labels(archive *zip.Reader, files flatcheck.Vector, shape common.Shape, remaining *int) []string {
	const ofAxis, ofValues = 2, 3
	var file flatcheck.Table
	for i := range files.Len() {
		f := files.Table(i)
		if kind := f.Int("type"); (kind == ofAxis || kind == ofValues) && (!file.Has("name") || !f.Has("locale")) {
			file = f
		}
	}
	all := lines(archive, file.Text("name"), remaining)
	if file.Int("type") == ofAxis && (len(shape) == 0 || shape[len(shape)-1] >= 0 && shape[len(shape)-1] != len(all)) {
		return nil
	}
	return all
}

// lines returns the lines of a file in the archive; nil if it cannot be read or has more than *remaining bytes. It
// subtracts the bytes that it has read from *remaining.
func lines(archive *zip.Reader, name string, remaining *int) []string {
	r, err := archive.Open(name)
	if err != nil {
		return nil
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, int64(*remaining)+1))
	if *remaining -= len(text); err != nil || *remaining < 0 {
		*remaining = max(*remaining, 0)
		return nil
	}
	all := strings.Split(strings.TrimRight(string(text), "\r\n"), "\n")
	for i := range all {
		all[i] = strings.TrimSuffix(all[i], "\r")
	}
	return all
}
