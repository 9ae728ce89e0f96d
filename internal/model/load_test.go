// SPDX-License-Identifier: Apache-2.0

package model

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/common"
)

// TestFirstOf: the next engine is tried where common.Load tries it, and the log has those
// that were passed over.
func TestFirstOf(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	kind := func(k error) error { return &common.Error{Kind: k, Message: "no"} }
	absent := NotInstalledError{kind(common.ErrNotAvailable), []string{"a"}}
	for _, test := range []struct {
		errs        []error // of engine a, then b
		tried       string
		want, warns string
	}{
		{[]error{nil, nil}, "a", "", ""},
		{[]error{kind(common.ErrNotAvailable), nil}, "ab", "", "level=WARN msg=\"engine passed over\" reason=\"engine not available: no\"\n"},
		{[]error{kind(common.ErrVersion), nil}, "ab", "", "level=WARN msg=\"engine passed over\" reason=\"library version not usable: no\"\n"},
		{[]error{kind(common.ErrModel), nil}, "ab", "", "level=WARN msg=\"engine passed over\" reason=\"model not usable: no\"\n"},
		{[]error{kind(common.ErrOption), nil}, "ab", "", "level=WARN msg=\"engine passed over\" reason=\"option not usable: no\"\n"},
		{[]error{kind(common.ErrShape), nil}, "ab", "", "level=WARN msg=\"engine passed over\" reason=\"shape does not fit: no\"\n"},
		{[]error{absent, nil}, "ab", "", ""},
		{[]error{NotSupportedError{kind(common.ErrNotAvailable)}, nil}, "ab", "", ""},
		{[]error{NotSupportedError{kind(common.ErrNotAvailable)}, absent}, "ab", "engine not available: no\n" + NotInstalledError{absent, []string{"b"}}.Error(), ""},
		{[]error{kind(common.ErrDevice), nil}, "a", "device not usable: no", ""},
		{[]error{kind(common.ErrRun), nil}, "a", "run failed: no", ""},
		{[]error{errors.New("other"), nil}, "a", "other", ""},
		{[]error{kind(common.ErrModel), kind(common.ErrDevice)}, "ab", "model not usable: no\ndevice not usable: no", ""},
		{[]error{kind(common.ErrModel), absent}, "ab", "model not usable: no\nnot tried, because not installed: b", ""},
		{[]error{absent, kind(common.ErrModel)}, "ab", "model not usable: no\nnot tried, because not installed: a", ""},
		{[]error{absent, absent}, "ab", NotInstalledError{absent, []string{"a", "b"}}.Error(), ""},
	} {
		var log bytes.Buffer
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}})))
		tried := ""
		err := firstOf(t.Context(), []string{"a", "b"}, func(name string) error {
			tried += name
			return test.errs[name[0]-'a']
		})
		require.Equal(t, test.tried, tried, test)
		require.Equal(t, test.warns, log.String(), test)
		if test.want == "" {
			require.NoError(t, err)
		} else {
			require.EqualError(t, err, test.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := firstOf(ctx, []string{"a", "b"}, func(name string) error {
		require.Equal(t, "a", name)
		return kind(common.ErrModel)
	})
	require.ErrorIs(t, err, common.ErrModel)
}
