// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"

	"github.com/anyinfer/anyinfer/common"
)

// digits handles requests. The Runner is a Model, or a fake in tests.
type digits struct{ model common.Runner }

// ServeHTTP is called on a goroutine for each request. It needs no lock, because Run
// is safe for concurrent use.
func (d digits) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	digit, err := d.recognize(r.Context(), http.MaxBytesReader(w, r.Body, 1<<16))
	switch {
	case err == nil:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "{\"digit\":%d}\n", digit)
	case errors.Is(err, common.ErrInput): // all errors of the client
		http.Error(w, err.Error(), http.StatusBadRequest)
	case errors.Is(err, common.ErrBusy):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests", http.StatusTooManyRequests)
	case r.Context().Err() != nil: // the client has disconnected
	default:
		log.Print(err) // its details are not for clients
		http.Error(w, "internal error", http.StatusInternalServerError)
	}
}

// recognize reads 64 numbers from 0 to 1, the share of ink in each pixel. It waits for
// a free session, and stops when ctx ends.
func (d digits) recognize(ctx context.Context, body io.Reader) (int, error) {
	var pixels []float32
	if err := json.NewDecoder(body).Decode(&pixels); err != nil {
		return 0, fmt.Errorf("%w: %w", common.ErrInput, err)
	}
	image, err := common.FromSlice(pixels, 1, 8, 8, 1)
	if err != nil {
		return 0, err
	}
	out, err := d.model.Run(ctx, common.Tensors{"image": image})
	if err != nil {
		return 0, err
	}
	scores, err := common.Get[float32](out, "scores")
	if err != nil {
		return 0, err
	}
	return slices.Index(scores, slices.Max(scores)), nil
}
