// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/common/fake"
	"github.com/stretchr/testify/require"
)

// runFunc is the model's Run in a test.
type runFunc func(context.Context, common.Tensors) (common.Tensors, error)

// serve sends body to a handler whose model has the inputs and outputs of the real one
// and calls run.
func serve(ctx context.Context, run runFunc, body string) *httptest.ResponseRecorder {
	model := fake.NewModel(common.Signature{
		Inputs:  []common.TensorInfo{{Name: "image", DType: common.Float32, Shape: common.Shape{1, 8, 8, 1}}},
		Outputs: []common.TensorInfo{{Name: "scores", DType: common.Float32, Shape: common.Shape{1, 10}}},
	}, nil, run)
	defer model.Close()
	w := httptest.NewRecorder()
	digits{model}.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/digit", strings.NewReader(body)))
	return w
}

func TestBadRequests(t *testing.T) {
	for name, body := range map[string]string{
		"no JSON": "?", "nothing": "", "another type": `{"a": 1}`, "no array": "null", "few numbers": "[1, 2, 3]",
		"a number too large": strings.Replace(nine, "0", "1e99", 1), "endless": strings.Repeat(" ", 1<<17) + nine,
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(t.Context(), func(context.Context, common.Tensors) (common.Tensors, error) {
				t.Error("the model runs")
				return nil, nil
			}, body)
			require.Equal(t, http.StatusBadRequest, w.Code, w.Body)
		})
	}
	t.Run("refused by the model", func(t *testing.T) {
		w := serve(t.Context(), func(context.Context, common.Tensors) (common.Tensors, error) {
			return nil, &common.Error{Kind: common.ErrShape, Message: "too bright"}
		}, nine)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Contains(t, w.Body.String(), "too bright")
	})
}

func TestInternalErrors(t *testing.T) {
	w := serve(t.Context(), func(context.Context, common.Tensors) (common.Tensors, error) {
		return nil, &common.Error{Kind: common.ErrRun, Message: "secret"}
	}, nine)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "secret")
}

func TestBusy(t *testing.T) {
	w := serve(t.Context(), func(context.Context, common.Tensors) (common.Tensors, error) {
		return nil, &common.Error{Kind: common.ErrBusy}
	}, nine)
	require.Equal(t, http.StatusTooManyRequests, w.Code)
}

// TestClientGone: the model's context ends when the client disconnects.
func TestClientGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	gone := false
	serve(ctx, func(ctx context.Context, _ common.Tensors) (common.Tensors, error) {
		cancel()
		<-ctx.Done()
		gone = errors.Is(ctx.Err(), context.Canceled)
		return nil, ctx.Err()
	}, nine)
	require.True(t, gone)
}
