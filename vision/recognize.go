// SPDX-License-Identifier: Apache-2.0

package vision

import "github.com/anyinfer/anyinfer/common"

// heads are the families of detectors, in the order in which they are asked: those
// that metadata or names show come before those that only shapes show.
var heads = []func(common.Signature, map[string]string) (Head, Input, []string, bool){
	recognizeBoxes, recognizeDETR, recognizeSCRFD, recognizeRetinaFace, recognizeUltraFace, recognizeBlazeFace,
	recognizePicoDet, recognizeYOLO, recognizeYOLOX,
}
