// SPDX-License-Identifier: Apache-2.0

package mnn

import (
	"fmt"
	"path/filepath"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/mnncheck"
)

// check refuses files that crash MNN, and those whose weights lie beside them
// and are not all there, which it runs on what happens to be in memory.
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
		return &common.Error{Kind: common.ErrModel, Message: fmt.Sprintf("its weights are in a file beside it, of %d bytes, and it needs %d", size, need)}
	}
	return nil
}

// unknown names operators that a later MNN has.
func unknown(files *common.ModelFiles) []string {
	if files.Len() != 1 {
		return nil
	}
	return mnncheck.Unknown(files.Bytes(0))
}
