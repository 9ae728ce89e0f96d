// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package isolate

import (
	"errors"
	"runtime"

	"github.com/anyinfer/anyinfer/common"
)

const variable = "ANYINFER_ISOLATED"

// protocol is the version of the messages. There are none.
const protocol = 0

func runChild(string) error { return errors.New("there are no isolated engines on " + runtime.GOOS) }

// Open returns an error on this system, which wraps common.ErrNotAvailable.
func Open(engine string, cfg *common.Config, o *Options) (*common.Engine, error) {
	_, err := open(common.Registration{Name: engine}, common.Config{}, o)
	return nil, err
}

func open(r common.Registration, _ common.Config, _ *Options) (common.Driver, error) {
	return nil, &common.Error{Engine: r.Name, Op: "open", Kind: common.ErrNotAvailable, Message: "there are no isolated engines on " + runtime.GOOS}
}
