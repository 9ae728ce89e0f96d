// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/enginetest"
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
	ctx, end := context.WithCancel(t.Context())
	release, entered := make(chan struct{}), make(chan int, 8)
	var built atomic.Int32
	var wg sync.WaitGroup
	start := func(ctx context.Context, want error) {
		wg.Go(func() {
			_, mine, err := buildOnce(ctx, "plan", func() (common.DriverModel, error) {
				entered <- 1
				<-release
				return nil, errors.New("cannot be built")
			})
			if mine {
				built.Add(1)
				want = errors.New("cannot be built")
			}
			if fmt.Sprint(err) != fmt.Sprint(want) {
				t.Error(err)
			}
		})
	}
	start(ctx, nil)
	<-entered
	waits, cancel := context.WithCancel(t.Context())
	for range 3 {
		start(t.Context(), nil)
		start(waits, context.Canceled)
	}
	time.Sleep(10 * time.Millisecond) // they wait now
	cancel()
	end() // the one that builds looks at its context itself
	time.Sleep(10 * time.Millisecond)
	close(release)
	wg.Wait()
	require.EqualValues(t, 1, built.Load())
	require.Empty(t, entered)
}
