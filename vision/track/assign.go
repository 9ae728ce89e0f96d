// SPDX-License-Identifier: Apache-2.0

package track

import "math"

// assignment finds which rows and columns belong together, and keeps its memory.
type assignment struct {
	pairs   []pair // of all rows
	rows    []row
	columns []column
	touched []int // the columns with a finite dist
}

type pair struct {
	col  int // that the row may have
	cost float64
}

type row struct {
	pairs []pair
	col   int // the result; -1: none
	dual  float64
}

type column struct {
	row, from  int // its row or -1; the row that reaches it at dist
	dual, dist float64
	done       bool
}

// reset begins a problem with that many columns. Rows are appended by its user.
func (a *assignment) reset(columns int) {
	a.pairs, a.rows, a.columns, a.touched = a.pairs[:0], a.rows[:0], a.columns[:0], a.touched[:0]
	for range columns {
		a.columns = append(a.columns, column{row: -1, dist: math.Inf(1)})
	}
}

// solve finds the assignment of the least cost, where each row that has no column costs
// single. As Jonker and Volgenant do, it adds rows one at a time, on the shortest path to
// a free column, or to a row that is better off single.
func (a *assignment) solve(single float64) {
	for i := range a.rows {
		col, last, total := a.search(i, single)
		a.rows[i].dual += total
		for _, j := range a.touched {
			c := &a.columns[j]
			if c.done {
				a.rows[c.row].dual += total - c.dist
				c.dual -= total - c.dist
			}
			c.dist, c.done = math.Inf(1), false
		}
		a.touched = a.touched[:0]
		if col < 0 { // the last row of the path gives up its column
			col, a.rows[last].col = a.rows[last].col, -1
		}
		for col >= 0 { // the row that reaches a column takes it, and gives up its own
			c := &a.columns[col]
			c.row = c.from
			a.rows[c.row].col, col = col, a.rows[c.row].col
		}
	}
}

// search returns the free column that is nearest to row r, or -1 and the row that is to be
// single if that is nearer, and the distance.
func (a *assignment) search(r int, single float64) (col, last int, total float64) {
	least, way := math.Inf(1), 0.0 // to a single row, which is last; to r
	for {
		if d := way + single - a.rows[r].dual; d < least {
			least, last = d, r
		}
		for _, p := range a.rows[r].pairs {
			c := &a.columns[p.col]
			d := way + p.cost - a.rows[r].dual - c.dual
			if c.done || d >= c.dist {
				continue
			}
			if math.IsInf(c.dist, 1) {
				a.touched = append(a.touched, p.col)
			}
			c.dist, c.from = d, r
		}
		var next *column // the nearest, and a free one of equals
		for _, j := range a.touched {
			if c := &a.columns[j]; !c.done && (next == nil || c.dist < next.dist || c.dist == next.dist && c.row < 0) {
				col, next = j, c
			}
		}
		if next == nil || next.dist >= least {
			return -1, last, least
		}
		r, way = next.row, next.dist
		if r < 0 {
			return col, last, way
		}
		next.done = true
	}
}
