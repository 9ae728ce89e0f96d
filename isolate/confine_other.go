// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package isolate

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/sandbox"
)

// rules would say what children may use. These systems have no sandbox for it.
type rules struct{}

func (e *engine) newRules(string, *common.Options) *rules { return &rules{} }

func (*rules) addAllDevices() {}

func (*rules) equal(*rules) bool { return true }

func (*Options) sandbox(*rules, string) *sandbox.Rules { return nil }

func (*Options) checkSandbox() error { return nil }
