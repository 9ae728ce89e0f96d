// SPDX-License-Identifier: Apache-2.0

package onnxruntime

import (
	"runtime"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/formats"
	"github.com/anyinfer/anyinfer/internal/onnxfile"
)

// externalFiles are the files with weights that a model refers to, by the names in
// the model.
type externalFiles struct {
	names    []string
	contents [][]byte
}

// readExternal reads these files.
func (d *driver) readExternal(files *common.ModelFiles) (e externalFiles, err error) {
	if isORT(files.Bytes(0)) {
		return e, nil
	}
	if e.names, err = onnxfile.External(files.Bytes(0)); err != nil {
		return e, err
	}
	if e.names != nil && !d.api.Has(fnAddExternalInitializersFromFilesInMemory) {
		return e, d.needs(18, "a model with external data")
	}
	for _, name := range e.names {
		content, err := files.Beside(name)
		if err != nil {
			return e, err
		}
		e.contents = append(e.contents, content)
	}
	return e, nil
}

// isORT reports whether a file has ONNX Runtime's own format, whatever its name is.
func isORT(file []byte) bool { return formats.ORT.Detect(file[:min(len(file), 64)]) }

// addTo passes the files to session options. A session copies what it needs when it
// is made.
func (e externalFiles) addTo(d *driver, options uintptr) error {
	if e.names == nil {
		return nil
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	contents, lengths := make([]*byte, len(e.names)), make([]uintptr, len(e.names))
	for i, content := range e.contents { // memory files, which Go does not move
		if lengths[i] = uintptr(len(content)); len(content) == 0 {
			content = noElements
		}
		contents[i] = unsafe.SliceData(content)
	}
	return d.call(common.ErrModel, fnAddExternalInitializersFromFilesInMemory, dylib.Int(options),
		dylib.Slice(osStrings(&pin, e.names)), dylib.Slice(contents), dylib.Slice(lengths), dylib.Int(len(e.names)))
}
