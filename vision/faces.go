// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"cmp"
	"image"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// anchored is a head of faces whose outputs have a row for each anchor. Anchors are in the
// cells of grids. Each grid has outputs of its own, or one output has all.
type anchored interface {
	strides() []int
	anchors(grid int) int // in each cell
	// origin returns from where the numbers of anchor n of a cell count, and in what unit.
	origin(grid, n int, center Point) (from Point, unit float32)
	rect(from Point, unit float32, row []float32) Rect
}

// face are the labels of face detectors.
var face = []string{"face"}

// facePoints is how many points a face has. BlazeFace's have more.
const facePoints = 5

// anchorRows returns how many rows output k of n has.
func anchorRows(h anchored, k, n int, size image.Point) (rows int) {
	for grid, stride := range h.strides() {
		if grid == k || n == 1 {
			rows += max(cells(size.X, size.Y, stride), 0) * h.anchors(grid)
		}
	}
	return rows
}

// findAnchor returns the grid and the origin of a candidate, and its row in the grid.
func findAnchor(h anchored, candidate int, size image.Point) (grid, row int, from Point, unit float32) {
	row = candidate
	for grid, stride := range h.strides() {
		n := anchorRows(h, grid, len(h.strides()), size)
		if row < n {
			each, columns, side := h.anchors(grid), (size.X+stride-1)/stride, float32(stride)
			at := row / each
			from, unit = h.origin(grid, row%each, Point{(float32(at%columns) + 0.5) * side, (float32(at/columns) + 0.5) * side})
			return grid, row, from, unit
		}
		row -= n
	}
	return -1, 0, from, 0
}

// decodeFaces appends the faces whose score, the last number of a row, is at least minScore.
func decodeFaces(h anchored, dst []Detection, out Outputs, minScore float32, scores []int, scoreColumns int, boxes []int, boxColumns int) ([]Detection, error) {
	grids := len(h.strides())
	if n := len(scores); len(boxes) != n || n != 1 && n != max(grids, 1) {
		return dst, fail(common.ErrOption, "the head has %d outputs for scores, %d for boxes, and %d strides with anchors; outputs are 1 or as many as strides", n, len(boxes), grids)
	}
	first := 0
	for k := range scores {
		s, b, err := out.pair(scores[k], scoreColumns, boxes[k], boxColumns)
		if err != nil {
			return dst, err
		}
		n := s.dims[0]
		if n == 0 || n != anchorRows(h, k, len(scores), out.Size) {
			err = fail(common.ErrShape, "output %d has %d rows, but grids of the strides %v in a picture of %v have another number of anchors", scores[k], n, h.strides(), out.Size)
		}
		for i := 0; i < n && err == nil; i++ {
			if score := s.data[(i+1)*scoreColumns-1]; score >= minScore {
				_, _, from, unit := findAnchor(h, first+i, out.Size)
				dst = add(dst, h.rect(from, unit, b.data[i*boxColumns:][:boxColumns]), score, 0, first+i)
			}
		}
		s.free()
		b.free()
		if err != nil {
			return dst, err
		}
		first += n
	}
	return dst, nil
}

// findPoints sets the points of faces, which are the numbers from skip on in rows of outputs.
func findPoints(h anchored, found []Detection, out Outputs, outputs []int, skip, columns int) error {
	each := (columns - skip) / 2
	all := make([]KeyPoint, len(found)*each)
	for k, output := range outputs {
		a, err := out.rows(output, columns)
		if err != nil {
			return err
		}
		for i := range found {
			grid, row, from, unit := findAnchor(h, found[i].candidate, out.Size)
			if len(outputs) == 1 {
				grid, row = 0, found[i].candidate
			}
			if grid != k {
				continue
			}
			if row >= a.dims[0] {
				a.free()
				return fail(common.ErrShape, "output %d has points of %d anchors, but anchor %d has found a face", output, a.dims[0], row)
			}
			found[i].Points, all = all[:each:each], all[each:]
			for j := range found[i].Points {
				p := a.data[row*columns+skip+2*j:]
				found[i].Points[j] = KeyPoint{Point{from.X + p[0]*unit, from.Y + p[1]*unit}, 1}
			}
		}
		a.free()
	}
	return nil
}

// outputsOf returns the outputs with rows of columns numbers, those with most rows first.
// They fit if output k of n has the number of rows that want returns, or either is not
// known.
func outputsOf(sig common.Signature, columns, n int, want func(k int) int) (all []int, fit bool) {
	all = withRows(sig, columns)
	slices.SortStableFunc(all, func(i, j int) int {
		return cmp.Compare(rowCount(sig.Outputs[j], columns), rowCount(sig.Outputs[i], columns))
	})
	fit = len(all) == n
	for k, i := range all {
		rows := rowCount(sig.Outputs[i], columns)
		fit = fit && (rows < 0 || want(k) < 0 || rows == want(k))
	}
	return all, fit
}
