// SPDX-License-Identifier: Apache-2.0

package mnncheck

import "github.com/anyinfer/anyinfer/internal/flatbuf"

// External returns the size that the file of external weights must have, or 0 if the
// model has none. Check must have accepted the file. If the file of weights is missing
// or too short, MNN computes with uninitialized memory.
func External(file []byte) (size int64) {
	for _, ops := range graphs(flatbuf.New(file, 0).Root(schema()["Net"])) {
		for i := range ops.Len() {
			p, _ := ops.Table(i).Table("main")
			e := p.Vector("external") // the offset, then the size of each part
			var end int64
			for k := range e.Len() {
				end += e.Int(k)
			}
			size = max(size, end)
		}
	}
	return size
}

// graphs returns the operators of the net and of each subgraph.
func graphs(net table) []vector {
	all := []vector{net.Vector("oplists")}
	for i, v := int64(0), net.Vector("subgraphs"); i < v.Len(); i++ {
		all = append(all, v.Table(i).Vector("nodes"))
	}
	return all
}
