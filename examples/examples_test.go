// SPDX-License-Identifier: Apache-2.0

// Package examples_test builds the examples and runs the commands of their READMEs on
// the real engines. They must print the output in the READMEs.
package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	_ "github.com/anyinfer/anyinfer/mnn"
	_ "github.com/anyinfer/anyinfer/onnxruntime"
	_ "github.com/anyinfer/anyinfer/openvino"
	_ "github.com/anyinfer/anyinfer/tflite"
	_ "github.com/anyinfer/anyinfer/tflite/litert"
	_ "github.com/anyinfer/anyinfer/tnn"
	"github.com/anyinfer/anyinfer/vision/ocr"
	"github.com/stretchr/testify/require"
)

var examples = []string{"classify", "cutout", "detect", "embedded", "faces", "isolate", "pool", "quickstart", "read", "stream", "track"}

// binaries is the folder of the examples, which are built with this test's settings.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "examples")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binaries = dir
		build := exec.Command("go", "build", "-o", dir+string(filepath.Separator))
		build.Env = os.Environ()
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, s := range info.Settings {
				switch s.Key {
				case "-race":
					build.Args = append(build.Args, "-race="+s.Value)
				case "CGO_ENABLED":
					build.Env = append(build.Env, "CGO_ENABLED="+s.Value)
				}
			}
		}
		build.Args = append(build.Args, "./...", "../cmd/anyinfer")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// example returns a command that is killed after a minute, or with its test.
func example(t *testing.T, name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, filepath.Join(binaries, name), args...)
}

// run returns the output of cmd, and its exit code.
func run(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	if e := cmd.Run(); e != nil {
		require.ErrorAs(t, e, new(*exec.ExitError))
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

// model returns the path of a model, which it installs.
func model(t *testing.T, name string) string {
	t.Helper()
	if _, stderr, code := run(t, example(t, "anyinfer", "model", "install", name)); code != 0 {
		enginetest.Missing(t, stderr)
	}
	path, _, _ := run(t, example(t, "anyinfer", "model", "path", name))
	return strings.TrimSpace(path)
}

var (
	consoles = regexp.MustCompile("(?s)```console\n(.*?)```")
	prompts  = regexp.MustCompile(`(?m)^\$ (.*)\n`)
	goRuns   = regexp.MustCompile(`go run \./examples/(\w+)`)

	modelPaths = regexp.MustCompile(`anyinfer model path ([\w-]+)`)
)

// pictures are what examples write, with the color of a pixel.
var pictures = map[string][]struct {
	file     string
	size, at image.Point
	color    color.NRGBA
}{
	"detect": {{"detect.png", image.Pt(512, 512), image.Pt(176, 150), color.NRGBA{0x56, 0xb4, 0xe9, 255}}},
	"track":  {{"tracks/0024.png", image.Pt(640, 360), image.Pt(461, 130), color.NRGBA{0xe6, 0x9f, 0x00, 255}}}, // the box of face 1
	"cutout": {
		{"cutout.png", image.Pt(512, 512), image.Pt(320, 30), color.NRGBA{}},
		{"cutout.png", image.Pt(512, 512), image.Pt(300, 300), color.NRGBA{213, 94, 54, 255}},
	},
	"faces": {
		{"face-1.png", image.Pt(112, 112), image.Pt(56, 72), color.NRGBA{210, 158, 137, 255}}, // the nose
		{"face-1.png", image.Pt(112, 112), image.Pt(74, 49), color.NRGBA{64, 47, 22, 255}},    // an eye
	},
}

// readme returns the commands of an example's README with their outputs.
func readme(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(name, "README.md"))
	require.NoError(t, err)
	printed := map[string]string{}
	for _, block := range consoles.FindAllStringSubmatch(string(text), -1) {
		commands, outputs := prompts.FindAllStringSubmatch(block[1], -1), prompts.Split(block[1], -1)
		for i, c := range commands {
			printed[c[1]] = outputs[i+1]
		}
	}
	require.NotEmpty(t, printed)
	return printed
}

func TestREADME(t *testing.T) {
	enginetest.Require(t, "tflite")
	for _, name := range examples {
		t.Run(name, func(t *testing.T) {
			for command, printed := range readme(t, name) {
				require.Regexp(t, goRuns, command)
				for _, m := range modelPaths.FindAllStringSubmatch(command, -1) {
					model(t, m[1])
				}
				cmd := exec.Command("sh", "-c", goRuns.ReplaceAllString(command, `env $1`)) // read is also a command of the shell
				cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "PATH="+binaries+string(filepath.ListSeparator)+os.Getenv("PATH"))
				for _, folder := range []string{"examples", "testdata"} { // pictures are written beside them
					path, err := filepath.Abs(filepath.Join("..", folder))
					require.NoError(t, err)
					require.NoError(t, os.Symlink(path, filepath.Join(cmd.Dir, folder)))
				}
				if name == "track" {
					passing(t, filepath.Join(cmd.Dir, "frames"))
				}
				stdout, stderr, code := run(t, cmd)
				require.Zero(t, code, stderr)
				require.Equal(t, printed, stdout, command)
				if name == "read" {
					text, err := os.ReadFile(filepath.Join(cmd.Dir, "read.json"))
					require.NoError(t, err)
					var lines []ocr.Line
					require.NoError(t, json.Unmarshal(text, &lines))
					require.Len(t, lines, strings.Count(printed, "\n"))
					require.Contains(t, printed, lines[3].Text)
					require.InDelta(t, 30, lines[3].Quad[0].X, 5)
				}
				for _, want := range pictures[name] {
					file, err := os.Open(filepath.Join(cmd.Dir, want.file))
					require.NoError(t, err)
					defer file.Close()
					picture, err := png.Decode(file)
					require.NoError(t, err)
					require.Equal(t, want.size, picture.Bounds().Size())
					have := color.NRGBAModel.Convert(picture.At(want.at.X, want.at.Y)).(color.NRGBA)
					require.InDeltaSlice(t, []uint8{want.color.R, want.color.G, want.color.B, want.color.A}, []uint8{have.R, have.G, have.B, have.A}, 20, "%v", want)
				}
				if name == "quickstart" {
					require.Empty(t, stderr, "messages of an SDK about its own set-up are not printed")
				}
			}
		})
	}
}

// passing writes frames of two portraits of the astronaut that pass each other; one hides
// the other for a while.
func passing(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Open("../testdata/astronaut.jpg")
	require.NoError(t, err)
	defer file.Close()
	photo, err := jpeg.Decode(file)
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(dir, 0o700))
	part := image.Rect(110, 20, 340, 260)
	portrait, mirrored := image.NewRGBA(part.Sub(part.Min)), image.NewRGBA(part.Sub(part.Min))
	for y := range part.Dy() {
		for x := range part.Dx() {
			portrait.Set(x, y, photo.At(part.Min.X+x, part.Min.Y+y))
			mirrored.Set(x, y, photo.At(part.Max.X-1-x, part.Min.Y+y))
		}
	}
	for frame := range 25 {
		picture := image.NewRGBA(image.Rect(0, 0, 640, 360))
		draw.Draw(picture, picture.Rect, image.NewUniform(color.Gray{0x60}), image.Point{}, draw.Src)
		for _, at := range []image.Point{{10 + 16*frame, 20}, {400 - 16*frame, 100}} {
			card := portrait
			if at.Y > 20 {
				card = mirrored
			}
			draw.Draw(picture, card.Rect.Add(at), card, image.Point{}, draw.Src)
		}
		var data bytes.Buffer
		require.NoError(t, png.Encode(&data, picture))
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.png", frame)), data.Bytes(), 0o600))
	}
}

// TestTrackPipe: the pictures of a pipe have the tracks of those of a folder.
func TestTrackPipe(t *testing.T) {
	enginetest.Require(t, "tflite")
	dir, faces := t.TempDir(), model(t, "faces")
	frames, out := filepath.Join(dir, "frames"), filepath.Join(dir, "out")
	passing(t, frames)
	want, stderr, code := run(t, example(t, "track", faces, frames, out))
	require.Zero(t, code, stderr)
	require.Equal(t, 25, strings.Count(want, "\n"))
	require.Contains(t, stderr, "track: 25 frames, ")
	var pipe bytes.Buffer
	names, err := filepath.Glob(filepath.Join(frames, "*.png"))
	require.NoError(t, err)
	for _, name := range names {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		pipe.Write(data)
	}
	cmd := example(t, "track", faces, "-", out)
	cmd.Stdin = bytes.NewReader(pipe.Bytes())
	stdout, stderr, code := run(t, cmd)
	require.Zero(t, code, stderr)
	require.Equal(t, want, stdout)
	cmd = example(t, "track", faces, "-", out)
	cmd.Stdin = bytes.NewReader(pipe.Bytes()[:pipe.Len()-1])
	stdout, stderr, code = run(t, cmd)
	require.Equal(t, 1, code)
	require.Equal(t, 24, strings.Count(stdout, "\n"))
	require.Contains(t, stderr, io.ErrUnexpectedEOF.Error())
}

// TestNoSDK: without any SDK the error has what to do, and nothing crashes.
func TestNoSDK(t *testing.T) {
	for _, name := range examples {
		t.Run(name, func(t *testing.T) {
			cmd := example(t, name)
			if name == "classify" {
				cmd.Args = append(cmd.Args, "classify/five.png")
			}
			switch name {
			case "cutout", "detect", "faces":
				cmd.Args = append(cmd.Args, "../testdata/digits.tflite", "../testdata/astronaut.jpg")
			case "read":
				cmd.Args = append(cmd.Args, "../testdata/digits.onnx", "../testdata/digits.onnx", "../testdata/digits.onnx", "../testdata/receipt.png")
			case "track":
				cmd.Args = append(cmd.Args, "../testdata/digits.tflite", "classify", t.TempDir())
			case "quickstart":
				cmd.Dir = ".."
			}
			cmd.Env = append(os.Environ(), "ANYINFER_SDK_DIR="+t.TempDir())
			for _, engine := range common.Engines() {
				cmd.Env = append(cmd.Env, "ANYINFER_"+strings.ToUpper(engine)+"_LIBRARY="+t.TempDir())
			}
			stdout, stderr, code := run(t, cmd)
			require.Equal(t, 1, code, stderr)
			require.Empty(t, stdout)
			require.Contains(t, stderr, common.ErrNotAvailable.Error())
			require.Contains(t, stderr, "fix: ")
		})
	}
}

func TestClassifyEngines(t *testing.T) {
	for _, engine := range common.Engines() {
		t.Run(engine, func(t *testing.T) {
			enginetest.Require(t, engine)
			for command, printed := range readme(t, "classify") {
				require.True(t, strings.HasSuffix(command, " examples/classify/*.png"), command)
				cmd := example(t, "classify", "-engine", engine, "examples/classify/five.png", "examples/classify/four.png", "examples/classify/nine.png")
				cmd.Dir = ".."
				stdout, stderr, code := run(t, cmd)
				require.Zero(t, code, stderr)
				require.Equal(t, printed, stdout)
			}
		})
	}
}

// TestFacesCompared compares a photo with itself by a classifier, whose scores are a vector too.
func TestFacesCompared(t *testing.T) {
	enginetest.Require(t, "onnxruntime")
	enginetest.Require(t, "tflite")
	photo, err := filepath.Abs("../testdata/astronaut.jpg")
	require.NoError(t, err)
	cmd := example(t, "faces", "-embedder", model(t, "orientation"), model(t, "faces"), photo, photo)
	cmd.Dir = t.TempDir()
	stdout, stderr, code := run(t, cmd)
	require.Zero(t, code, stderr)
	require.Equal(t, 2, strings.Count(stdout, "cosine to the first 1.00\n"), stdout)
	for _, name := range []string{"face-1.png", "face-2.png"} {
		require.FileExists(t, filepath.Join(cmd.Dir, name))
	}
}

// TestClassifyPictures: the pictures are scans of testdata, 12 times as large, dark on
// light ground.
func TestClassifyPictures(t *testing.T) {
	scans, err := npy.ReadFile("../testdata/scans.npy")
	require.NoError(t, err)
	ink, err := common.Data[uint8](scans)
	require.NoError(t, err)
	for name, scan := range map[string]int{"four": 26, "five": 9, "nine": 29} {
		f, err := os.Open("classify/" + name + ".png")
		require.NoError(t, err)
		defer f.Close()
		picture, err := png.Decode(f)
		require.NoError(t, err)
		require.Equal(t, image.Rect(0, 0, 96, 96), picture.Bounds())
		for y := range 96 {
			for x := range 96 {
				want := 1 - float64(ink[64*scan+8*(y/12)+x/12])/16
				have := float64(color.GrayModel.Convert(picture.At(x, y)).(color.Gray).Y) / 255
				require.InDelta(t, want, have, 0.5/255)
			}
		}
	}
}

// TestClassifyBadFiles: bad files are named in the error, and the others are classified;
// here one on a transparent ground, of a size that is not a multiple of 8.
func TestClassifyBadFiles(t *testing.T) {
	enginetest.Require(t, "tflite")
	dir := t.TempDir()
	write := func(name string, img image.Image) string {
		f, err := os.Create(filepath.Join(dir, name))
		require.NoError(t, err)
		require.NoError(t, png.Encode(f, img))
		require.NoError(t, f.Close())
		return f.Name()
	}
	small, text := write("small.png", image.NewGray(image.Rect(0, 0, 7, 9))), filepath.Join(dir, "text.png")
	require.NoError(t, os.WriteFile(text, []byte("no picture"), 0o666))
	one := image.NewNRGBA(image.Rect(0, 0, 67, 83))
	for y := range 83 {
		for x := 30; x < 43; x++ {
			one.SetNRGBA(x, y, color.NRGBA{A: 255})
		}
	}
	missing, good := filepath.Join(dir, "missing.png"), write("one.png", one)
	stdout, stderr, code := run(t, example(t, "classify", "-engine", "tflite", small, text, missing, good))
	require.Equal(t, 1, code, stderr)
	require.Regexp(t, "^"+regexp.QuoteMeta(good)+`  1  \d+\.\d %\n$`, stdout)
	for _, want := range []string{small + ": 7x9 pixels", text + ": png: invalid format", missing + ": no such file"} {
		require.Contains(t, stderr, want)
	}
}

// TestPoolShutdown: the server finishes the request that it has when a signal comes, and
// accepts no more.
func TestPoolShutdown(t *testing.T) {
	enginetest.Require(t, "tflite")
	cmd := example(t, "pool", "-addr", "localhost:0")
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(log)
	require.True(t, lines.Scan())
	url, found := strings.CutPrefix(lines.Text(), "pool: listening on ")
	require.True(t, found, lines.Text())

	body, writer := io.Pipe()
	status := make(chan string)
	go func() {
		response, err := http.Post(url, "application/json", body)
		if err != nil {
			status <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		status <- response.Status + ": " + string(text)
	}()
	nine, err := os.ReadFile("pool/nine.json")
	require.NoError(t, err)
	_, err = writer.Write(nine[:100])
	require.NoError(t, err)
	response, err := http.Get(url) // then the request before it has arrived, too
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	for lines.Scan() && lines.Text() != "pool: shutting down" {
	}
	_, err = writer.Write(nine[100:])
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	require.Equal(t, "200 OK: {\"digit\":9}\n", <-status)
	require.NoError(t, cmd.Wait(), "the exit code")
}

// frames returns n frames of noise with decreasing contrast, and the sharpness of each by
// the definition of the edge filter.
func frames(n, width, height int) (raw []byte, sharpness []float64) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		frame := make([]byte, width*height)
		for j := range frame {
			frame[j] = byte(random.IntN(256 * (n - i) / n))
		}
		at := func(x, y int) float64 {
			if x < 0 || y < 0 || x >= width || y >= height {
				return 0
			}
			return float64(frame[y*width+x]) / 255
		}
		sum := 0.0
		for y := range height {
			for x := range width {
				gx := at(x+1, y-1) + 2*at(x+1, y) + at(x+1, y+1) - at(x-1, y-1) - 2*at(x-1, y) - at(x-1, y+1)
				gy := at(x-1, y+1) + 2*at(x, y+1) + at(x+1, y+1) - at(x-1, y-1) - 2*at(x, y-1) - at(x+1, y-1)
				sum += min(1, (math.Abs(gx)+math.Abs(gy))/2)
			}
		}
		raw, sharpness = append(raw, frame...), append(sharpness, sum/float64(width*height))
	}
	return raw, sharpness
}

// TestStream: each frame is printed once and in order, for any number of sessions and if
// the input is cut.
func TestStream(t *testing.T) {
	enginetest.Require(t, "tflite")
	const n, width, height = 100, 37, 23
	raw, want := frames(n, width, height)
	for _, sessions := range []string{"0", "1", "5"} {
		for _, cut := range []int{0, 1} {
			t.Run(fmt.Sprint(sessions, " sessions, cut by ", cut), func(t *testing.T) {
				cmd := example(t, "stream", "-width", fmt.Sprint(width), "-height", fmt.Sprint(height), "-sessions", sessions)
				cmd.Stdin = bytes.NewReader(raw[:len(raw)-cut])
				stdout, stderr, code := run(t, cmd)
				require.Equal(t, cut, code, stderr)
				require.Contains(t, stderr, fmt.Sprint(n-cut, " frames, "))
				if cut > 0 {
					require.Contains(t, stderr, "the input ends after 850 of the 851 bytes of frame 99; are width and height right?")
				}
				lines := strings.Split(strings.TrimSpace(stdout), "\n")
				require.Len(t, lines, n-cut)
				for i, line := range lines {
					var frame int
					var sharpness float64
					_, err := fmt.Sscanf(line, "frame %d: sharpness %f", &frame, &sharpness)
					require.NoError(t, err, line)
					require.Equal(t, i, frame)
					require.InDelta(t, want[i], sharpness, 1e-4)
				}
			})
		}
	}
}

// TestStreamInterrupt: Ctrl-C ends it while it waits for input.
func TestStreamInterrupt(t *testing.T) {
	enginetest.Require(t, "tflite")
	cmd := example(t, "stream", "-width", "8", "-height", "8")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	defer in.Close()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	_, err = in.Write(make([]byte, 64))
	require.NoError(t, err)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "frame 0: sharpness 0.0000\n", line, "each is printed as soon as it is known")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), stderr.String())
	require.Contains(t, stderr.String(), "1 frames, ")
	require.True(t, strings.HasSuffix(stderr.String(), "stream: interrupted\n"), stderr.String())
}

// TestStreamSize: frames without pixels are refused.
func TestStreamSize(t *testing.T) {
	enginetest.Require(t, "tflite")
	stdout, stderr, code := run(t, example(t, "stream", "-width", "0"))
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "a frame of 0 x 480 has no pixels")
}

func TestEmbedded(t *testing.T) {
	t.Run("the model is testdata's", func(t *testing.T) {
		here, err := os.ReadFile("embedded/digits_int8.tflite")
		require.NoError(t, err)
		there, err := os.ReadFile("../testdata/digits_int8.tflite")
		require.NoError(t, err)
		require.True(t, bytes.Equal(here, there), "copy it again")
	})
	t.Run("cross-compiled", func(t *testing.T) {
		for arch, machine := range map[string]elf.Machine{"arm64": elf.EM_AARCH64, "arm": elf.EM_ARM} {
			file := filepath.Join(t.TempDir(), "embedded")
			cmd := exec.Command("go", "build", "-o", file, "./embedded")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			binary, err := elf.Open(file)
			require.NoError(t, err)
			defer binary.Close()
			require.Equal(t, machine, binary.Machine)
		}
	})
	t.Run("from an empty folder", func(t *testing.T) {
		enginetest.Require(t, "tflite")
		cmd := example(t, "embedded")
		cmd.Dir = t.TempDir()
		stdout, stderr, code := run(t, cmd)
		require.Zero(t, code, stderr)
		require.Equal(t, slices.Collect(maps.Values(readme(t, "embedded"))), []string{stdout})
	})
}
