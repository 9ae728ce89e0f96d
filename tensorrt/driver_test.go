// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/stretchr/testify/require"
)

// TestDriver: the driver has each method of the one that it wraps, also those
// that package common finds by an assertion.
func TestDriver(t *testing.T) {
	enginetest.Require(t, "tensorrt")
	d, err := open(common.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer d.Close()
	for m := range reflect.TypeOf(d.(driver).shim).Methods() {
		_, has := reflect.TypeOf(d).MethodByName(m.Name)
		require.True(t, has, m.Name)
	}
}

// TestBuildOnce: one of those that need the same plan builds it, the others
// wait without a lock of their own, and learn that they have to look again.
func TestBuildOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrong := errors.New("cannot be built")
		release := make(chan struct{})
		builds := 0
		start := func(ctx context.Context, wantBuilt bool, want error) {
			go func() {
				_, built, err := buildOnce(ctx, "plan", func() (common.DriverModel, error) {
					builds++
					<-release
					return nil, wrong
				})
				if built != wantBuilt || err != want {
					t.Error(built, err)
				}
			}()
			synctest.Wait()
		}
		first, end := context.WithCancel(t.Context())
		start(first, true, wrong)
		canceled, cancel := context.WithCancel(t.Context())
		for range 3 {
			start(t.Context(), false, nil)
			start(canceled, false, context.Canceled)
		}
		cancel()
		end() // what builds looks at its context itself, and is waited for
		synctest.Wait()
		close(release)
		synctest.Wait()
		if builds != 1 {
			t.Error(builds)
		}
	})
}
