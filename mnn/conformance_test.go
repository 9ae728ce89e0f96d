// SPDX-License-Identifier: Apache-2.0

package mnn

import (
	"testing"

	"github.com/anyinfer/anyinfer/internal/enginetest"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{Name: "mnn", Formats: []string{"mnn"}})
}
