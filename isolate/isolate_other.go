// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package isolate

import (
	"errors"
	"runtime"

	"github.com/anyinfer/anyinfer/common"
)

const variable = "ANYINFER_ISOLATED"

func runChild(string) error { return errors.New("there are no isolated engines on " + runtime.GOOS) }

// Open returns an error on this system, which wraps common.ErrNotAvailable.
func Open(engine string, _ *common.Config, _ *Options) (*common.Engine, error) {
	return nil, &common.Error{Engine: engine, Op: "open", Kind: common.ErrNotAvailable, Message: "there are no isolated engines on " + runtime.GOOS}
}
