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
	if files.Format() != formats.ONNX.Name {
		return e, nil
	}
	e.names = onnxfile.External(files.Bytes(0))
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
		contents[i], lengths[i] = unsafe.SliceData(content), uintptr(len(content))
	}
	return d.call(common.ErrModel, fnAddExternalInitializersFromFilesInMemory, dylib.Int(options),
		dylib.Slice(osStrings(&pin, e.names)), dylib.Slice(contents), dylib.Slice(lengths), dylib.Int(len(e.names)))
}
