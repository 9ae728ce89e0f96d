// SPDX-License-Identifier: Apache-2.0

package main

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func TestDemo(t *testing.T) {
	requireAllEngines(t)
	out := t.TempDir()
	code, stdout, stderr := command(t, "demo", "--out", out)
	require.Zero(t, code, stderr)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(t, lines, len(common.Engines())+12)
	require.Equal(t, "pictures are in "+out, lines[len(lines)-1])
	for _, picture := range []string{"faces tflite face", "faces litert face", "faces openvino face", "person tflite foreground", "person litert foreground", "text onnxruntime CORNERSHOP", "text openvino CORNERSHOP"} {
		words := strings.Fields(picture)
		require.Regexp(t, strings.Join(words, " +"), stdout)
		_, err := os.Stat(filepath.Join(out, words[0]+"-"+words[1]+".png"))
		require.NoError(t, err)
	}
	for i, engine := range common.Engines() {
		require.Equal(t, engine, strings.Fields(lines[i+1])[0])
		require.Contains(t, lines[i+1], "99.2 % (357 of 360)")
		f, err := os.Open(filepath.Join(out, "edges-"+engine+".png"))
		require.NoError(t, err)
		defer f.Close()
		edges, err := png.Decode(f)
		require.NoError(t, err)
		require.Equal(t, 512, edges.Bounds().Dx())
		bright, dark := 0, 0
		for y := range 512 {
			for x := range 512 {
				switch r, _, _, _ := edges.At(x, y).RGBA(); {
				case r > 0xc000:
					bright++
				case r < 0x2000:
					dark++
				}
			}
		}
		require.Greater(t, bright, 1000, "there are edges")
		require.Greater(t, dark, 100000, "most pixels are not on an edge")
	}
}
