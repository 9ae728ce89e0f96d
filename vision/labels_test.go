// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLabels(t *testing.T) {
	require.Len(t, COCO(), 80)
	require.Equal(t, []string{"cat", "toothbrush"}, []string{COCO()[15], COCO()[79]})
	all := COCO91()
	require.Len(t, all, 91)
	for number, name := range map[int]string{0: "", 1: "person", 11: "fire hydrant", 12: "", 13: "stop sign", 17: "cat", 90: "toothbrush"} {
		require.Equal(t, name, all[number])
	}
	require.Len(t, VOC(), 21)
	require.Equal(t, "cat", VOC()[8])
}
