// SPDX-License-Identifier: Apache-2.0

package mnn

import (
	"fmt"
	"path/filepath"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/metadata"
	"github.com/anyinfer/anyinfer/internal/mnncheck"
)

// check refuses files whose structure is damaged, and files with incomplete
// external weights: MNN would compute with uninitialized memory.
func check(files *common.ModelFiles, _ common.Options) error {
	if files.Len() != 1 {
		return nil // the shim refuses it
	}
	if err := mnncheck.Check(files.Bytes(0)); err != nil {
		return err
	}
	need := mnncheck.External(files.Bytes(0))
	if need == 0 {
		return nil
	}
	weights, err := files.Beside(filepath.Base(files.Name()) + ".weight")
	if err != nil {
		return err
	}
	if size := len(weights); int64(size) < need {
		return &common.Error{Kind: common.ErrModel, Message: fmt.Sprintf("the model needs %d bytes of external weights, the file has %d", need, size)}
	}
	return nil
}

// describe returns the text that a file has for its users, bizCode, or the members of
// the JSON object in it, as Ultralytics exports them.
func describe(files *common.ModelFiles, _ common.Options) map[string]string {
	text := mnncheck.BizCode(files.Bytes(0))
	if all, ok := metadata.AddObject(nil, text); ok {
		return all
	}
	return metadata.Add(nil, "bizCode", text)
}
