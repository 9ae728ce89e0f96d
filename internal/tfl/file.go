// SPDX-License-Identifier: Apache-2.0

// Package tfl is shared by the drivers of TFLite files: tflite and litert.
package tfl

import (
	"fmt"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/flatcheck"
)

// Read checks the one file of a TFLite model and returns it. The libraries read its constants in place.
func Read(files *common.ModelFiles) ([]byte, error) {
	if files.Len() != 1 {
		return nil, Errorf(common.ErrModel, "a TFLite model is one file, not %d", files.Len())
	}
	model := files.Bytes(0)
	if err := flatcheck.Check(model); err != nil {
		return nil, err
	}
	return model, nil
}

// Errorf makes an error of kind.
func Errorf(kind error, format string, args ...any) *common.Error {
	return &common.Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}
