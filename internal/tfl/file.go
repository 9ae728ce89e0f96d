// SPDX-License-Identifier: Apache-2.0

// Package tfl is what the drivers of TFLite files have in common, whatever
// library runs them.
package tfl

import (
	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatcheck"
	"github.com/anyinfer/anyinfer/internal/nativelog"
)

// Read returns the one file of a TFLite model, checked. The library reads its
// constants in place. What the check does not know is for the log.
func Read(files *common.ModelFiles, log nativelog.Log) ([]byte, error) {
	if files.Len() != 1 {
		return nil, &common.Error{Kind: common.ErrModel, Message: "a TFLite model is one file"}
	}
	model := files.Bytes(0)
	if err := flatcheck.Check(model); err != nil {
		return nil, err
	}
	log.Unchecked(flatcheck.Unknown(model))
	return model, nil
}
