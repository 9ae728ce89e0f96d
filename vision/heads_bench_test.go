// SPDX-License-Identifier: Apache-2.0

package vision

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// BenchmarkYOLOv8 decodes 8,400 boxes and suppresses about 300 candidates, and lets
// NumPy and OpenCV do the same in turns, where Python has them.
func BenchmarkYOLOv8(b *testing.B) {
	data := yolov8Output()
	out := Outputs{Tensors: []*common.Tensor{tensor(b, data, 1, 84, 8400)}, Size: input640}
	head, dst, left := new(YOLO), []Detection(nil), 0
	run := func() {
		var err error
		dst, err = head.Decode(dst[:0], out, 0.25)
		require.NoError(b, err)
		left = len(NMS(dst, head.Suppression()))
	}
	file := filepath.Join(b.TempDir(), "out")
	require.NoError(b, os.WriteFile(file, unsafe.Slice((*byte)(unsafe.Pointer(&data[0])), 4*len(data)), 0o600))
	cmd := exec.Command(cmp.Or(os.Getenv("ANYINFER_TEST_PYTHON"), "python3"), "testdata/bench_heads.py", file)
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	answers, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	defer cmd.Wait()
	defer in.Close()
	lines := bufio.NewScanner(answers)
	var mine, python []float64
	for b.Loop() {
		start := time.Now()
		run()
		mine = append(mine, float64(time.Since(start)))
		if _, err := in.Write([]byte("\n")); err != nil || !lines.Scan() {
			continue // Python or a package of it is missing
		}
		var ns float64
		var n int
		_, err := fmt.Sscan(lines.Text(), &ns, &n)
		require.NoError(b, err)
		require.Equal(b, left, n)
		python = append(python, ns)
	}
	median := func(all []float64) float64 {
		slices.Sort(all)
		return all[len(all)/2]
	}
	b.ReportMetric(median(mine)/1e6, "ms")
	if python != nil {
		b.ReportMetric(median(python)/1e6, "python-ms")
		b.ReportMetric(median(mine)/median(python), "ratio")
	}
}

func TestHeadsAllocateNothing(t *testing.T) {
	out := Outputs{Tensors: []*common.Tensor{tensor(t, yolov8Output(), 1, 84, 8400)}, Size: input640}
	head, dst := new(YOLO), []Detection(nil)
	least := 1.0
	for range 32 { // the race detector makes pools forget what they have
		least = min(least, testing.AllocsPerRun(1, func() {
			var err error
			if dst, err = head.Decode(dst[:0], out, 0.25); err == nil {
				NMS(dst, head.Suppression())
			}
		}))
	}
	require.Zero(t, least)
	require.NotEmpty(t, dst)
}
