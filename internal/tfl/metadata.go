// SPDX-License-Identifier: Apache-2.0

package tfl

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatcheck"
	"github.com/anyinfer/anyinfer/internal/metadata"
)

// readMetadata reads TFLite Metadata, and the files that are appended to the model as a ZIP archive: those with labels, and
// the metadata that Ultralytics exports. No library reads them, so damaged parts are skipped without an error.
func (m *Model) readMetadata(model []byte, root flatcheck.Table) {
	remaining := maxText
	read := func(string) string { return "" }
	if z, err := zip.NewReader(bytes.NewReader(model), int64(len(model))); err == nil {
		read = func(name string) string { return content(z, name, &remaining) }
	}
	buffers := root.Vector("buffers")
	for i, entries := int64(0), root.Vector("metadata"); i < entries.Len(); i++ {
		entry := entries.Table(i)
		content := flatcheck.Content(buffers.Table(entry.Int("buffer")))
		switch name := entry.Text("name"); name {
		case "min_runtime_version":
			if len(content) <= maxVersion {
				m.Metadata = metadata.Add(m.Metadata, name, cString(string(content)))
			}
		case "TFLITE_METADATA":
			if about, err := flatcheck.Metadata(content); err == nil {
				for _, field := range []string{"name", "description", "version", "author", "license", "min_parser_version"} {
					m.Metadata = metadata.Add(m.Metadata, field, about.Text(field))
				}
				m.readLabels(read, about)
			}
		}
	}
	for _, name := range []string{"metadata.json", "temp_meta.txt"} { // older exports have the second, a Python dict
		m.Metadata, _ = metadata.AddObject(m.Metadata, read(name))
	}
	for _, s := range m.Signatures {
		metadata.SetLabels(s.Outputs, m.Metadata)
	}
}

const (
	maxVersion = 64      // bytes of min_runtime_version, which is padded with zeros
	maxText    = 1 << 20 // bytes of all files that are read from the archive, together
)

// readLabels sets the outputs' labels.
func (m *Model) readLabels(read func(name string) string, about flatcheck.Table) {
	graphs := about.Vector("subgraph_metadata")
	for _, s := range m.Signatures {
		if int64(s.Subgraph) >= graphs.Len() {
			continue
		}
		outputs := graphs.Table(int64(s.Subgraph)).Vector("output_tensor_metadata")
		for i, index := range s.Out {
			if int64(index) < outputs.Len() {
				files := outputs.Table(int64(index)).Vector("associated_files")
				s.Outputs[i].Labels = labels(read, files, s.Outputs[i].Shape)
			}
		}
	}
}

// labels returns the labels of an output with these associated files. Of files for several languages it takes the one
// without a locale, or the first. Labels of the last dimension count only if their number is that dimension; labels of
// values may be of any number.
func labels(read func(name string) string, files flatcheck.Vector, shape common.Shape) []string {
	const ofAxis, ofValues = 2, 3
	var file flatcheck.Table
	for i := range files.Len() {
		f := files.Table(i)
		if kind := f.Int("type"); (kind == ofAxis || kind == ofValues) && (!file.Has("name") || !f.Has("locale")) {
			file = f
		}
	}
	text := read(file.Text("name"))
	if text == "" {
		return nil
	}
	all := strings.Split(strings.TrimRight(text, "\r\n"), "\n")
	for i := range all {
		all[i] = strings.TrimSuffix(all[i], "\r")
	}
	if file.Int("type") == ofAxis && (len(shape) == 0 || shape[len(shape)-1] >= 0 && shape[len(shape)-1] != len(all)) {
		return nil
	}
	return all
}

// content returns a file in the archive; "" if it cannot be read or has more than *remaining bytes. It subtracts the
// bytes that it has read from *remaining.
func content(archive *zip.Reader, name string, remaining *int) string {
	r, err := archive.Open(name)
	if err != nil {
		return ""
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, int64(*remaining)+1))
	if *remaining -= len(text); err != nil || *remaining < 0 {
		*remaining = max(*remaining, 0)
		return ""
	}
	return string(text)
}
