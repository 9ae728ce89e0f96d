// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/see"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/stretchr/testify/require"
)

// requireModel installs a model, or skips the test where that is not possible; in CI it fails.
func requireModel(t *testing.T, name string) {
	t.Helper()
	if code, _, stderr := command(t, "model", "install", name); code != 0 {
		enginetest.Missing(t, stderr)
	}
}

const astronaut = fixtures + "astronaut.jpg"

func TestSee(t *testing.T) {
	enginetest.Require(t, "litert")
	requireModel(t, "faces")
	code, stdout, stderr := command(t, "see", "faces", astronaut, "--engine", "litert")
	require.Zero(t, code, stderr)
	require.Regexp(t, `astronaut.jpg \(512 x 512, litert\)\n  face 9\d% at 17\d,8\d to 27\d,1[78]\d\n$`, stdout)

	out := filepath.Join(t.TempDir(), "faces.png")
	code, stdout, stderr = command(t, "see", "faces", astronaut, "--engine", "litert", "--json", "-o", out)
	require.Zero(t, code, stderr)
	var found see.Findings
	require.NoError(t, json.Unmarshal([]byte(stdout), &found))
	require.Equal(t, []any{astronaut, "litert", "face_detection_short_range.tflite", 512, 512}, []any{found.Image, found.Engine, found.Model, found.Width, found.Height})
	require.Len(t, found.Results, 1)
	face := found.Results[0]
	require.Equal(t, "face", face.Label)
	require.Len(t, face.Points, 6)
	require.InDeltaSlice(t, []float32{177, 82, 273, 179}, face.Box[:], 3)
	f, err := os.Open(out)
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	r, g, b, _ := img.At(177, 130).RGBA()
	require.True(t, b > r && b > g, "the box is blue")

	code, stdout, stderr = command(t, "see", "faces", astronaut, "--engine", "litert", "--min-score", "0.99")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "nothing found")
}

// TestSeePoints checks a task that needs two models.
func TestSeePoints(t *testing.T) {
	enginetest.Require(t, "litert")
	requireModel(t, "hands")
	code, stdout, stderr := command(t, "see", "hands", "../../vision/testdata/mediapipe/hands.png", "--engine", "litert", "--json")
	require.Zero(t, code, stderr)
	var found see.Findings
	require.NoError(t, json.Unmarshal([]byte(stdout), &found))
	require.Len(t, found.Results, 2)
	for i, hand := range found.Results {
		require.Equal(t, []string{"left hand", "right hand"}[i], hand.Label)
		require.Len(t, hand.Points, 21)
	}
	code, stdout, stderr = command(t, "see", "hands", astronaut, "--engine", "litert", "--min-score", "0.9")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "nothing found")
}

// TestSeeMany looks at a folder and at a stream of frames, which become as many pictures.
func TestSeeMany(t *testing.T) {
	enginetest.Require(t, "litert")
	requireModel(t, "person")
	photo, err := os.ReadFile(astronaut)
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range []string{"a.jpg", "b.JPG", "notes.txt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), photo, 0o600))
	}
	out := filepath.Join(t.TempDir(), "new", "folder")
	code, stdout, stderr := command(t, "see", "person", dir, "--engine", "litert", "-o", out, "--json")
	require.Zero(t, code, stderr)
	require.Equal(t, 2, strings.Count(stdout, `"label":"foreground"`))
	for _, name := range []string{"a.png", "b.png"} {
		_, err := os.Stat(filepath.Join(out, name))
		require.NoError(t, err)
	}

	// Nothing is overwritten, and a file that cannot be read keeps no other from being looked at.
	drawn, err := os.ReadFile(filepath.Join(out, "a.png"))
	require.NoError(t, err)
	for name, content := range map[string][]byte{"a.png": drawn, "0.png": []byte("no picture")} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	code, _, stderr = command(t, "see", "person", dir, "--engine", "litert", "-o", dir)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "0.png")
	for name, content := range map[string][]byte{"a.jpg": photo, "b.JPG": photo, "a.png": drawn} {
		kept, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, content, kept, name)
	}
	for _, name := range []string{"a.jpg.png", "b.png", "a.png.png"} {
		_, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err, name)
	}
	code, _, stderr = command(t, "see", "person", filepath.Join(dir, "a.png"), "--engine", "litert", "-o", filepath.Join(dir, "a.png"))
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "would overwrite")
	require.NoError(t, err)
	stream := bytes.Join([][]byte{photo, drawn, photo}, nil)
	run := func(stream []byte, args ...string) (int, string, string) {
		in, err := os.Create(filepath.Join(t.TempDir(), "in"))
		require.NoError(t, err)
		defer in.Close()
		_, err = in.Write(stream)
		require.NoError(t, err)
		_, err = in.Seek(0, 0)
		require.NoError(t, err)
		old := os.Stdin
		os.Stdin = in
		defer func() { os.Stdin = old }()
		return command(t, append([]string{"see", "person", "-", "--engine", "litert"}, args...)...)
	}
	code, stdout, stderr = run(stream, "-o", "-")
	require.Zero(t, code, stderr)
	frames := 0
	for frame, err := range see.Frames(strings.NewReader(stdout)) {
		require.NoError(t, err)
		_, err = png.Decode(bytes.NewReader(frame))
		require.NoError(t, err)
		frames++
	}
	require.Equal(t, 3, frames)
	code, stdout, stderr = run(stream[:len(stream)-100], "--json")
	require.Equal(t, 1, code)
	require.Equal(t, 2, strings.Count(stdout, "\n"), "the frames before the damaged one")
	require.Contains(t, stderr, "frame 3")
	code, _, stderr = run([]byte("no picture"))
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "ffmpeg")
}

func TestSeeText(t *testing.T) {
	enginetest.Require(t, "onnxruntime")
	for _, name := range textModels {
		requireModel(t, name)
	}
	const page = fixtures + "receipt.png"
	code, stdout, stderr := command(t, "see", "text", page, "--engine", "onnxruntime")
	require.Zero(t, code, stderr)
	require.Regexp(t, `receipt.png \(420 x 700, onnxruntime\)\n  CORNERSHOP \(\d+%\)\n  Apples \(\d+%\)\n  10.50 \(\d+%\)\n`, stdout)
	out := filepath.Join(t.TempDir(), "read.png")
	code, stdout, stderr = command(t, "see", "text", page, "--engine", "onnxruntime", "--json", "-o", out)
	require.Zero(t, code, stderr)
	var found struct {
		Model   string
		Results []struct {
			Text  string
			Score float32
			Quad  [4][2]float32
		}
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &found))
	require.Equal(t, "text", found.Model)
	require.Len(t, found.Results, 34)
	require.Equal(t, "Apples", found.Results[1].Text)
	require.InDelta(t, 30, found.Results[1].Quad[0][0], 5)
	require.InDelta(t, 80, found.Results[1].Quad[0][1], 5)
	f, err := os.Open(out)
	require.NoError(t, err)
	defer f.Close()
	img, err := png.Decode(f)
	require.NoError(t, err)
	require.Equal(t, 840, img.Bounds().Dx(), "the text is beside the page")
}

func TestSeeUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{[]string{"faces"}, 2, "requires at least 2"},
		{[]string{fixtures + "digits.onnx", astronaut, "--min-score", "2"}, 2, "want 0 to 1"},
		{[]string{fixtures + "digits.onnx", astronaut, "-o", "-", "--json"}, 2, "standard output"},
		{[]string{fixtures + "digits.onnx", astronaut, "--engine", "litrt"}, 2, "did you mean litert?"},
		{[]string{fixtures + "digits.onnx", "missing.jpg"}, 1, "missing.jpg"},
		{[]string{fixtures + "digits.onnx", astronaut, "--labels", "missing.txt"}, 1, "missing.txt"},
		{[]string{fixtures + "digits.onnx", astronaut, "--min-score", "nan"}, 2, "want 0 to 1"},
		{[]string{fixtures + "digits.onnx", astronaut, "-o", "a.jpg"}, 2, ".png"},
		{[]string{"text-detection", astronaut}, 2, "anyinfer see text"},
		{[]string{"facess", astronaut}, 1, "did you mean faces?"},
		{[]string{fixtures + "digits.onnx", fixtures + "dtypes"}, 1, "has no pictures"},
	} {
		code, _, stderr := command(t, append([]string{"see"}, c.args...)...)
		require.Equal(t, c.code, code, "%v: %s", c.args, stderr)
		require.Contains(t, stderr, c.text, "%v", c.args)
	}
}

func TestModelCommand(t *testing.T) {
	t.Setenv("ANYINFER_MODEL_DIR", t.TempDir())
	code, _, stderr := command(t, "model", "path", "person")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "anyinfer model install person")
	requireModel(t, "person")
	code, stdout, stderr := command(t, "model", "list")
	require.Zero(t, code, stderr)
	require.Regexp(t, `(?m)^person .* Apache-2.0 .* mediapipe 0.10.21 +yes$`, stdout)
	code, stdout, stderr = command(t, "model", "path", "person")
	require.Zero(t, code, stderr)
	_, err := os.Stat(strings.TrimSpace(stdout))
	require.NoError(t, err)
	code, stdout, _ = command(t, "model", "install", "person")
	require.Zero(t, code)
	require.Contains(t, stdout, "already installed")
	code, stdout, _ = command(t, "model", "remove", "person", "layout")
	require.Zero(t, code)
	require.Equal(t, "removed: person\nlayout is not installed\n", stdout)
	code, _, stderr = command(t, "model", "install", "prson")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "did you mean person?")
}
