// SPDX-License-Identifier: Apache-2.0

package onnxfile

import (
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// children maps the fields of each message that contain tensors to their messages.
var children = map[string]map[uint64]string{
	"model":     {modelGraph: "graph"},
	"graph":     {graphNode: "node", graphInitializer: "tensor", graphSparse: "sparse"},
	"sparse":    {sparseValues: "tensor", sparseIndices: "tensor"},
	"node":      {nodeAttribute: "attribute"},
	"attribute": {attributeTensor: "tensor", attributeTensors: "tensor", attributeGraph: "graph", attributeGraphs: "graph"},
	"tensor":    {tensorExternal: "entry"},
}

// External returns the files with external weights, relative to the model's folder.
// Of a damaged model it returns the files that are named before the damage.
func External(model []byte) []string {
	var files []string
	var walk func(kind string, m message, depth int)
	walk = func(kind string, m message, depth int) {
		if kind == "entry" {
			key, _ := m.first(entryKey)
			if value, _ := m.first(entryValue); string(key) == "location" && !slices.Contains(files, string(value)) {
				files = append(files, string(value))
			}
			return
		}
		if depth > 4*maxNesting {
			return
		}
		m.each(func(field uint64, m message) error {
			if kind := children[kind][field]; kind != "" {
				walk(kind, m, depth+1)
			}
			return nil
		})
	}
	walk("model", model, 0)
	return files
}

// ReadExternal reads the files with external weights, so that ModelFiles links them
// beside the model.
func ReadExternal(files *common.ModelFiles) error {
	for _, name := range External(files.Bytes(0)) {
		if _, err := files.Beside(name); err != nil {
			return err
		}
	}
	return nil
}
