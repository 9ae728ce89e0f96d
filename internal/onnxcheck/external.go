// SPDX-License-Identifier: Apache-2.0

package onnxcheck

import (
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// within are the fields, by the message, that lead to tensors.
var within = map[string]map[uint64]string{
	"model":     {modelGraph: "graph"},
	"graph":     {graphNode: "node", graphInitializer: "tensor", graphSparse: "sparse"},
	"sparse":    {sparseValues: "tensor", sparseIndices: "tensor"},
	"node":      {nodeAttribute: "attribute"},
	"attribute": {attributeTensor: "tensor", attributeTensors: "tensor", attributeGraph: "graph", attributeGraphs: "graph"},
	"tensor":    {tensorExternal: "entry"},
}

// External are the files, relative to the model's, that hold weights of a
// model; those found before where the model is damaged.
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
			if kind := within[kind][field]; kind != "" {
				walk(kind, m, depth+1)
			}
			return nil
		})
	}
	walk("model", model, 0)
	return files
}

// ReadExternal reads the files that have weights of the model, so that links to
// it lead to them, too.
func ReadExternal(files *common.ModelFiles) error {
	for _, name := range External(files.Bytes(0)) {
		if _, err := files.Beside(name); err != nil {
			return err
		}
	}
	return nil
}
