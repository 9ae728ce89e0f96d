// SPDX-License-Identifier: Apache-2.0

package tnn_test

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	_ "github.com/anyinfer/anyinfer/tnn"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{Name: "tnn", Formats: []string{"tnn"}})
}
