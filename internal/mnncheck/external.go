// SPDX-License-Identifier: Apache-2.0

package mnncheck

import "github.com/anyinfer/anyinfer/internal/flatbuf"

// External is how large the file of weights beside one in which Check found
// nothing must be, 0 if there need not be any. MNN computes with whatever is in
// memory where that file is missing or short.
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

// graphs are the operators of the net and of its subgraphs.
func graphs(net table) []vector {
	all := []vector{net.Vector("oplists")}
	for i, v := int64(0), net.Vector("subgraphs"); i < v.Len(); i++ {
		all = append(all, v.Table(i).Vector("nodes"))
	}
	return all
}
