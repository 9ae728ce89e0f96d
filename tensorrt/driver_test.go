// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"log/slog"
	"reflect"
	"testing"

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
