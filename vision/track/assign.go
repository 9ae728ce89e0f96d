// SPDX-License-Identifier: Apache-2.0

package track

import "math"

// assignment finds which rows and columns belong together. Not every row and column can:
// pairs has those that can, with their costs. It keeps its memory.
type assignment struct {
	pairs []pair
	ends  []int // of the pairs of each row in pairs
	colOf []int // the result by row; -1: none

	rowOf, from []int     // by column: its row or -1; the row that reaches it at dist
	rows, cols  []float64 // the dual variables
	dist        []float64 // of each column from the row that is being added
	done        []bool
	touched     []int // the columns with a dist
}

type pair struct {
	col  int
	cost float64
}

// reset begins a problem with that many columns; rows are added one after the other.
func (a *assignment) reset(cols int) {
	a.pairs, a.ends, a.colOf, a.rows, a.touched = a.pairs[:0], a.ends[:0], a.colOf[:0], a.rows[:0], a.touched[:0]
	a.rowOf, a.from, a.cols, a.dist, a.done = a.rowOf[:0], a.from[:0], a.cols[:0], a.dist[:0], a.done[:0]
	for range cols {
		a.rowOf, a.from, a.cols = append(a.rowOf, -1), append(a.from, 0), append(a.cols, 0)
		a.dist, a.done = append(a.dist, math.Inf(1)), append(a.done, false)
	}
}

// add adds a pair to the row that endRow ends.
func (a *assignment) add(col int, cost float64) { a.pairs = append(a.pairs, pair{col, cost}) }

func (a *assignment) endRow() {
	a.ends, a.colOf, a.rows = append(a.ends, len(a.pairs)), append(a.colOf, -1), append(a.rows, 0)
}

// solve fills colOf with the assignment of the least cost, where each row that has no
// column costs single. As Jonker and Volgenant do, it adds rows one at a time, on the
// shortest path to a free column, or to a row on it that is better off single.
func (a *assignment) solve(single float64) {
	for row := range a.ends {
		col, last, total := a.search(row, single)
		a.rows[row] += total
		for _, c := range a.touched {
			if r := a.rowOf[c]; a.done[c] && r >= 0 {
				a.rows[r] += total - a.dist[c]
				a.cols[c] -= total - a.dist[c]
			}
			a.dist[c], a.done[c] = math.Inf(1), false
		}
		a.touched = a.touched[:0]
		if col < 0 { // the last row of the path gives up its column
			col, a.colOf[last] = a.colOf[last], -1
		}
		for col >= 0 { // of row at last, which had none
			r := a.from[col]
			a.rowOf[col] = r
			a.colOf[r], col = col, a.colOf[r]
		}
	}
}

// search returns the free column that is nearest to a row, or -1 and the row that
// is to be single if that is nearer, and the distance.
func (a *assignment) search(row int, single float64) (col, last int, total float64) {
	least := math.Inf(1) // to a single row, which is last
	for r, way := row, 0.0; ; r = a.rowOf[col] {
		if d := way + single - a.rows[r]; d < least {
			least, last = d, r
		}
		begin := 0
		if r > 0 {
			begin = a.ends[r-1]
		}
		for _, p := range a.pairs[begin:a.ends[r]] {
			d := way + p.cost - a.rows[r] - a.cols[p.col]
			if a.done[p.col] || d >= a.dist[p.col] {
				continue
			}
			if math.IsInf(a.dist[p.col], 1) {
				a.touched = append(a.touched, p.col)
			}
			a.dist[p.col], a.from[p.col] = d, r
		}
		col = -1
		for _, c := range a.touched {
			if !a.done[c] && (col < 0 || a.dist[c] < a.dist[col] || a.dist[c] == a.dist[col] && a.rowOf[c] < 0) {
				col = c
			}
		}
		if col < 0 || a.dist[col] >= least {
			return -1, last, least
		}
		way = a.dist[col]
		if a.rowOf[col] < 0 {
			return col, -1, way
		}
		a.done[col] = true
	}
}
