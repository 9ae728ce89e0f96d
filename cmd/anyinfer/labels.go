// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

const (
	topLabels = 5
	topRows   = 16 // classifiers have a few rows; a row for each pixel would be unreadable
)

// labelled is an element of an output with its label.
type labelled struct {
	Label string  `json:"label"`
	Index int     `json:"index"`
	Value float64 `json:"value"`
}

// top returns the labels of the largest elements of v in each row along the last
// dimension of an output. It returns nil if the output has no labels.
func top(info common.TensorInfo, v []float64) [][]labelled {
	n := len(info.Labels)
	if n == 0 || len(v)%n != 0 || len(v) > n*topRows {
		return nil
	}
	var rows [][]labelled
	for row := range slices.Chunk(v, n) {
		var all []labelled
		for i, x := range row {
			if q := info.Quant; q != nil && len(q.Scale) == 1 && len(q.ZeroPoint) == 1 {
				x = float64(q.Scale[0]) * (x - float64(q.ZeroPoint[0]))
			}
			all = append(all, labelled{info.Labels[i], i, x})
		}
		slices.SortStableFunc(all, func(a, b labelled) int { return cmp.Compare(b.Value, a.Value) })
		rows = append(rows, all[:min(topLabels, n)])
	}
	return rows
}

func topText(row []labelled) string {
	var texts []string
	for _, l := range row {
		texts = append(texts, fmt.Sprintf("%s (%.3g)", l.Label, l.Value))
	}
	return strings.Join(texts, ", ")
}
