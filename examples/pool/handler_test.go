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
	"github.com/stretchr/testify/require"
)

// fake is a model that answers as a test likes.
type fake func(context.Context, common.Tensors) (common.Tensors, error)

func (f fake) Run(ctx context.Context, in common.Tensors) (common.Tensors, error) { return f(ctx, in) }

func post(ctx context.Context, model fake, body string) *httptest.ResponseRecorder {
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
			w := post(t.Context(), func(context.Context, common.Tensors) (common.Tensors, error) {
				t.Error("the model runs on it")
				return nil, nil
			}, body)
			require.Equal(t, http.StatusBadRequest, w.Code, w.Body)
		})
	}
	t.Run("refused by the model", func(t *testing.T) {
		w := post(t.Context(), func(context.Context, common.Tensors) (common.Tensors, error) {
			return nil, &common.Error{Kind: common.ErrName, Message: "no input image"}
		}, nine)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Contains(t, w.Body.String(), "no input image")
	})
}

func TestInternalErrors(t *testing.T) {
	w := post(t.Context(), func(context.Context, common.Tensors) (common.Tensors, error) {
		return nil, &common.Error{Kind: common.ErrRun, Message: "secret"}
	}, nine)
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "secret")
}

// The model learns that the client has gone.
func TestClientGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	gone := false
	post(ctx, func(ctx context.Context, _ common.Tensors) (common.Tensors, error) {
		cancel()
		<-ctx.Done()
		gone = errors.Is(ctx.Err(), context.Canceled)
		return nil, ctx.Err()
	}, nine)
	require.True(t, gone)
}
