// SPDX-License-Identifier: Apache-2.0

package memlimit

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCgroupMemoryLimit(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	limit := func(path, text string) {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text+"\n"), 0o600))
	}
	limit("system.slice/app.service/memory.max", "max")
	limit("system.slice/memory.max", "4096")
	limit("memory.max", "8192")
	limit("memory/docker/abc/memory.limit_in_bytes", "1024")
	limit("memory/memory.limit_in_bytes", "9223372036854771712")
	for groups, want := range map[string]uint64{
		"0::/system.slice/app.service\n": 4096,
		"0::/\n":                         8192,
		"0::/not/visible/here\n":         8192,
		"5:cpu,memory:/docker/abc\n0::/system.slice\n": 1024,
		"5:cpu:/docker/abc\n":                          math.MaxUint64,
		"":                                             math.MaxUint64,
		"odd":                                          math.MaxUint64,
	} {
		require.Equal(t, want, groupLimit(root, groups), "%q", groups)
	}
}
