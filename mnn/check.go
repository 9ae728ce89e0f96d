// SPDX-License-Identifier: Apache-2.0

package mnn

import (
	"fmt"
	"os"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/mnncheck"
)

// check refuses files that crash MNN, and those whose weights lie beside them
// and are not all there, which it runs on what happens to be in memory.
func check(files [][]byte, paths []string, _ common.Options) error {
	if len(files) != 1 {
		return nil // the shim says so better
	}
	if err := mnncheck.Check(files[0]); err != nil {
		return err
	}
	need := mnncheck.External(files[0])
	if need == 0 {
		return nil
	}
	if paths == nil {
		return &common.Error{
			Err: common.ErrModel, Text: "its weights are in a file beside it, but the model was not given as a file",
			Fix: "use common.File",
		}
	}
	info, err := os.Stat(paths[0] + ".weight")
	if err != nil {
		return &common.Error{Err: common.ErrModel, Text: "its weights are in a file beside it", Cause: err}
	}
	if info.Size() < need {
		return &common.Error{
			Err: common.ErrModel, Text: fmt.Sprintf("its weights are in a file beside it, of %d bytes, and it needs %d", info.Size(), need),
		}
	}
	return nil
}
