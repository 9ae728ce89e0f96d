// SPDX-License-Identifier: Apache-2.0

package ocr

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"slices"
	"sync"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/vision"
)

// Memory of earlier calls, which is used again.
var (
	allBorders = sync.Pool{New: func() any { return new(borders) }}
	cutters    = sync.Pool{New: func() any { return new(cutter) }}
)

// about returns the signature and the metadata of a model with an input for pictures and a
// first output of that rank; 0: of any.
func about(m vision.Model, rank int) (common.Signature, map[string]string, error) {
	sig, metadata, err := vision.About(m)
	if err == nil && (len(sig.Inputs) != 1 || len(sig.Inputs[0].Shape) != 4 || len(sig.Outputs) == 0 || rank > 0 && len(sig.Outputs[0].Shape) != rank) {
		err = fail(common.ErrModel, "the model is not one of those: its inputs are %v and its outputs %v", sig.Inputs, sig.Outputs)
	}
	return sig, metadata, err
}

// batches runs a model on strips, as many at a time as its batch has, else batch, in the order
// of their width for the height, and calls read with what it makes of n of them, for each one,
// strip s. size returns the size of the input, whose own is 0 where it is dynamic, for strips of
// up to that ratio.
func batches(ctx context.Context, r *vision.Runner, m vision.Model, in vision.Input, strips []strip, batch int,
	size func(w, h int, ratio float64) image.Point, read func(out vision.Outputs, n, s int) error) error {
	sig, _, err := about(m, 0)
	if err != nil {
		return err
	}
	info := sig.Inputs[0]
	w, h := in.Sides(info)
	batch = cmp.Or(max(info.Shape[0], 0), min(max(batch, 0), 16), 6)
	order := make([]int, len(strips))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(strips[a].ratio(), strips[b].ratio()) })
	cuts := make([]*cutter, min(batch, len(strips)))
	imgs := make([]image.Image, len(cuts))
	for i := range cuts {
		cuts[i] = cutters.Get().(*cutter)
		defer cutters.Put(cuts[i])
	}
	for some := range slices.Chunk(order, batch) {
		in.Size = size(w, h, strips[some[len(some)-1]].ratio())
		for i, s := range some {
			imgs[i] = cuts[i].cut(strips[s])
		}
		n, i := cmp.Or(max(info.Shape[0], 0), len(some)), -1
		if err := r.Run(ctx, m, &in, imgs[:len(some)], nil, func(out vision.Outputs) error {
			i++
			return read(out, n, some[i])
		}); err != nil {
			return err
		}
	}
	return nil
}

// fail returns an error of this package.
func fail(kind error, format string, args ...any) error {
	return &common.Error{Op: "ocr", Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// resized returns a slice of n elements, in the memory of s if that is large enough.
func resized[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }
