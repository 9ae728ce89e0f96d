// SPDX-License-Identifier: Apache-2.0

package onnxfile

import (
	"slices"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatbuf"
)

// children maps the fields of each message that contain tensors to their messages.
var children = map[string]map[uint64]string{
	"model":     {modelGraph: "graph", modelFunctions: "function"},
	"function":  {functionNode: "node"},
	"graph":     {graphNode: "node", graphInitializer: "tensor", graphSparse: "sparse"},
	"sparse":    {sparseValues: "tensor", sparseIndices: "tensor"},
	"node":      {nodeAttribute: "attribute"},
	"attribute": {attributeTensor: "tensor", attributeTensors: "tensor", attributeGraph: "graph", attributeGraphs: "graph"},
	"tensor":    {tensorExternal: "entry"},
}

// External returns the files with external weights, relative to the model's folder. The
// error is of kind ErrModel: an SDK that reads more of a damaged file than this function
// would look for files that it has not named.
func External(model []byte) ([]string, error) {
	var files []string
	var walk func(kind string, m message, depth int) error
	walk = func(kind string, m message, depth int) error {
		if depth > 4*maxNesting {
			return errNotONNX
		}
		if kind == "entry" {
			key, err := m.last(entryKey)
			if err != nil {
				return err
			}
			value, err := m.last(entryValue)
			if string(key) == "location" && !slices.Contains(files, string(value)) {
				files = append(files, string(value))
			}
			return err
		}
		return m.each(func(field uint64, m message) error {
			if kind := children[kind][field]; kind != "" {
				return walk(kind, m, depth+1)
			}
			return nil
		})
	}
	if err := walk("model", model, 0); err != nil {
		return nil, flatbuf.Refuse(err)
	}
	return files, nil
}

// ReadExternal reads the files with external weights, so that ModelFiles links them
// beside the model.
func ReadExternal(files *common.ModelFiles) error {
	names, err := External(files.Bytes(0))
	if err != nil {
		return err
	}
	for _, name := range names {
		if _, err := files.Beside(name); err != nil {
			return err
		}
	}
	return nil
}
