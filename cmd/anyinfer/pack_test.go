// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	suite "github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/anyinfer/anyinfer/internal/values"
)

// putELF writes the headers of a program for a machine, with the loader that it names, if any.
func putELF(t *testing.T, file, arch, loader string) string {
	t.Helper()
	m := platform.Linux[arch]
	ident := [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(m.Class), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
	progs := uint16(0)
	if loader != "" {
		progs = 1
		loader += "\x00"
	}
	var b bytes.Buffer
	write := func(v any) { require.NoError(t, binary.Write(&b, binary.LittleEndian, v)) }
	if m.Class == elf.ELFCLASS64 {
		write(elf.Header64{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(m.Machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: progs})
		write(elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 64 + 56, Filesz: uint64(len(loader)), Memsz: uint64(len(loader))})
	} else {
		write(elf.Header32{Ident: ident, Type: uint16(elf.ET_EXEC), Machine: uint16(m.Machine), Version: 1, Phoff: 52, Ehsize: 52, Phentsize: 32, Phnum: progs})
		write(elf.Prog32{Type: uint32(elf.PT_INTERP), Off: 52 + 32, Filesz: uint32(len(loader)), Memsz: uint32(len(loader))})
	}
	b.WriteString(loader)
	require.NoError(t, os.WriteFile(file, b.Bytes(), 0o755))
	return file
}

// putLibrary makes the library of an SDK an ELF file.
func putLibrary(t *testing.T, s sdkdir.SDK) sdkdir.SDK {
	t.Helper()
	putELF(t, s.LibraryPath(), s.Arch, "")
	return s
}

// unpacked are the files of an archive, by name.
func unpacked(t *testing.T, file string) map[string]string {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	files, r := map[string]string{}, tar.NewReader(z)
	var names []string
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.Equal(t, packTime, h.ModTime.UTC())
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NotContains(t, files, h.Name)
		files[h.Name], names = string(text), append(names, h.Name)
		want := int64(0o644)
		if base := strings.SplitN(h.Name, "/", 2)[1]; base == "run" || strings.HasPrefix(base, "bin/") {
			want = 0o755
		}
		require.Equal(t, want, h.Mode, h.Name)
	}
	require.True(t, slices.IsSorted(names))
	return files
}

func TestPackProgram(t *testing.T) {
	root, work := t.TempDir(), t.TempDir()
	t.Setenv(sdkdir.EnvRoot, root)
	tflite := putLibrary(t, putSDK(t, root, "tflite", "2.0", "linux", "arm64"))
	require.NoError(t, os.Link(tflite.LibraryPath(), filepath.Join(tflite.LibDir(), "libx.so.2"))) // the name for linkers
	putLibrary(t, putSDK(t, root, "tflite", "3.0", "linux", "riscv64"))
	tnn := putLibrary(t, putSDK(t, root, "tnn", "0.3", "linux", "arm64"))
	for name, text := range map[string]string{"lib/plugin.so": "plugin", "lib/libx.a": "for linkers", "licenses/a/LICENSE": "license", "include/x.h": "header"} {
		file := filepath.Join(tnn.Dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
	}
	weights := filepath.Join(work, "of it.tnnmodel")
	require.NoError(t, os.WriteFile(weights, []byte("weights"), 0o666))
	program, out := putELF(t, filepath.Join(work, "an app"), "arm64", "/lib/ld-linux-aarch64.so.1"), filepath.Join(work, "x.tar.gz")
	args := []string{"pack", "--target", "linux/arm64", "--engine", "tnn,tflite", "--program", program, "--out", out,
		models + "digits.tflite", models + "edges.tnnproto", models + "digits.tnnproto", weights}
	code, stdout, stderr := command(t, args...)
	require.Zero(t, code, stderr)
	require.Regexp(t, `^packed: `+out+` \(0.0 MB\), for linux/arm64\nNo licences were found of: tflite, an app\nThere, type: tar xzf x.tar.gz && x/run\n$`, stdout)
	files := unpacked(t, out)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	require.ElementsMatch(t, []string{
		"x/README.txt", "x/bin/an app", "x/lib/tflite/libx.so", "x/lib/tnn/libx.so", "x/lib/tnn/plugin.so", "x/licenses/tnn/a/LICENSE",
		"x/models/digits.tflite", "x/models/digits.tnnmodel", "x/models/digits.tnnproto", "x/models/edges.tnnmodel", "x/models/edges.tnnproto", "x/run",
	}, names)
	require.Contains(t, files["x/README.txt"], "\nlib has the engines' libraries, licenses the licences of what is here, but for: tflite, an app.\n")
	require.Equal(t, "weights", files["x/models/digits.tnnmodel"], "by the name under which it is looked for")
	require.Contains(t, files["x/run"], "\nexport ANYINFER_TNN_LIBRARY=\"$here/lib/tnn/libx.so\"\n")
	require.Contains(t, files["x/run"], "\nexec \"$here\"/bin/'an app' \"$@\"\n")
	require.NotContains(t, files["x/run"], "doctor")
	require.NotContains(t, files["x/run"], "LD_LIBRARY_PATH")

	first, err := os.ReadFile(out)
	require.NoError(t, err)
	code, _, stderr = command(t, args...)
	require.Equal(t, 1, code)
	require.Equal(t, "anyinfer: "+out+" is there already; remove it, or choose another name with --out\n", stderr)
	require.NoError(t, os.Rename(out, out+".old"))
	require.NoError(t, os.Chtimes(program, packTime, packTime))
	code, _, stderr = command(t, args...)
	require.Zero(t, code, stderr)
	second, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, bytes.Equal(first, second), "the same content makes another archive")
	entries, err := os.ReadDir(work)
	require.NoError(t, err)
	require.Len(t, entries, 4, "nothing else is left behind: %v", entries)
}

func TestPackRefuses(t *testing.T) {
	root, work := t.TempDir(), t.TempDir()
	t.Setenv(sdkdir.EnvRoot, root)
	t.Setenv("PATH", t.TempDir()) // neither go nor pip
	for _, engine := range []string{"tflite", "openvino"} {
		putLibrary(t, putSDK(t, root, engine, "2.0", "linux", "arm"))
	}
	putSDK(t, root, "tflite", "2.0", "linux", "386")
	file := func(name string) string { return filepath.Join(work, name) }
	armhf := putELF(t, file("armhf"), "arm", "/lib/ld-linux-armhf.so.3")
	armel := putELF(t, file("armel"), "arm", "/lib/ld-linux.so.3")
	static := putELF(t, file("static"), "arm", "")
	arm64 := putELF(t, file("arm64"), "arm64", "/lib/ld-linux-aarch64.so.1")
	require.NoError(t, os.WriteFile(file("alone.tnnproto"), nil, 0o666))
	require.NoError(t, os.WriteFile(file("labels.txt"), nil, 0o666))
	require.NoError(t, os.WriteFile(file("digits.tflite"), nil, 0o666))
	const model = models + "digits.tflite"
	other := "riscv64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{model, 2, "--engine: name the engines to bring along; there are: "},
		{"--engine tfilte " + model, 2, `there is no engine "tfilte"; did you mean tflite?`},
		{"--engine tflite", 2, "name the models to bring along, or with --program a program that has its own"},
		{"--engine tflite --target linux " + model, 2, `--target "linux": want`},
		{"--engine tflite --target windows/amd64 " + model, 2, "archives are made for linux on 386, amd64, arm, arm64, riscv64"},
		{"--engine tflite --target linux/mips " + model, 2, "archives are made for linux on 386, "},
		{"--engine tflite --target linux/arm/v6 " + model, 1, "those for 32-bit ARM are for ARMv7; build with 'anyinfer build'"},
		{"--engine tflite --out x.zip " + model, 2, `--out "x.zip": want the name of a file that ends in .tar.gz`},
		{"--engine tflite --out " + file("none/x.tar.gz") + " " + model, 1, "there is no folder \"" + file("none") + "\" to write x.tar.gz to"},
		{"--engine tflite " + models + "digit.tflite", 1, "there is no file \"" + models + "digit.tflite\"; did you mean "},
		{"--engine tflite " + work, 1, work + " is a folder"},
		{"--engine tflite " + file("labels.txt"), 1, "labels.txt does not end in"},
		{"--engine tflite " + model + " " + file("digits.tflite"), 1, "would both be models/digits.tflite; rename one"},
		{"--engine tflite " + models + "digits.onnx", 1, "none of the engines to pack reads " + models + "digits.onnx; add one of: openvino"},
		{"--engine tflite,mnn " + model, 1, "mnn reads none of the models; it reads files that end in .mnn"},
		{"--engine tnn " + file("alone.tnnproto"), 1, "alone.tnnmodel is missing, which belongs to " + file("alone.tnnproto")},
		{"--engine tflite --target linux/arm --program " + file("none") + " " + model, 1, "there is no file \"" + file("none") + "\""},
		{"--engine tflite --target linux/arm --program pack_test.go " + model, 1, "pack_test.go is no program or library for linux"},
		{"--engine tflite --target linux/arm --program " + arm64 + " " + model, 1, arm64 + " is for arm64, the target is linux/arm/v7; build it with 'anyinfer build --target linux/arm/v7'"},
		{"--engine tflite --target linux/arm --program " + armel + " " + model, 1, armel + " wants the loader /lib/ld-linux.so.3, and the engines for linux/arm/v7 are for systems that have /lib/ld-linux-armhf.so.3; build it with"},
		{"--engine tflite --target linux/arm --program " + static + " " + model, 1, static + " is static, or a library"},
		{"--engine tflite --target linux/386 " + model, 1, "libx.so is no program or library for linux"},
		{"--engine mnn --target linux/" + other + " " + models + "digits.mnn", 1, "no mnn for linux/" + other + " lies in " + root + "; compile it with 'MNN_ROOT=... anyinfer shim build mnn --target linux/" + other + "'"},
		{"--engine litert --target linux/arm --program " + armhf + " " + model, 1, "there is no litert SDK for linux/arm; there is one for"},
		{"--engine tflite --target linux/arm " + model, 1, "there is no go command to build this program with; name a program with --program"},
	} {
		args := append([]string{"pack"}, strings.Fields(test.args)...)
		if !strings.Contains(test.args, "--out") {
			args = append(args, "--out", file("x.tar.gz"))
		}
		code, _, stderr := command(t, args...)
		require.Equal(t, test.code, code, "%v: %s", test.args, stderr)
		require.Contains(t, stderr, test.want)
	}
	entries, err := filepath.Glob(file("x.tar.gz*"))
	require.NoError(t, err)
	require.Empty(t, entries)

	code, stdout, stderr := command(t, "pack", "--engine", "tflite", "--target", "linux/arm", "--program", armhf, "--out", file("x.tar.gz"))
	require.Zero(t, code, "a program may have its models in itself: %s", stderr)
	require.Contains(t, stdout, "packed: ")
}

// TestPackLinked packs a program that is linked with an SDK, whose library is linked with one elsewhere on this machine.
func TestPackLinked(t *testing.T) {
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	root, work := t.TempDir(), t.TempDir()
	t.Setenv(sdkdir.EnvRoot, root)
	tnn := putSDK(t, root, "tnn", "0.3", runtime.GOOS, runtime.GOARCH)
	elsewhere := filepath.Join(work, "elsewhere")
	require.NoError(t, os.Mkdir(elsewhere, 0o777))
	compile := func(source string, args ...string) {
		t.Helper()
		c := exec.Command(cc, append([]string{"-x", "c", "-fPIC", "-", "-x", "none"}, args...)...)
		c.Stdin = strings.NewReader(source)
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	require.NoError(t, os.WriteFile(filepath.Join(work, "LICENSE.txt"), []byte("of the SDK elsewhere"), 0o666))
	compile("int more(void) { return 40; }", "-shared", "-Wl,-soname,libmore.so", "-o", filepath.Join(elsewhere, "libmore.so"))
	compile("int more(void); int all(void) { return more() + 2; }", "-shared", "-Wl,-soname,libx.so", "-o", tnn.LibraryPath(),
		"-L"+elsewhere, "-lmore", "-Wl,-rpath,/lib/x86_64-linux-gnu:"+elsewhere)
	compile("int all(void); int main(void) { return all(); }", "-o", filepath.Join(work, "app"), "-L"+tnn.LibDir(), "-lx", "-Wl,-rpath-link,"+elsewhere)
	tflite := putSDK(t, root, "tflite", "2.0", runtime.GOOS, runtime.GOARCH)
	compile("int all(void) { return 7; }", "-shared", "-Wl,-soname,libx.so", "-o", tflite.LibraryPath())
	want := map[string]int{"tnn": 42, "tflite": 7}
	for engine := range want {
		code, _, stderr := command(t, "pack", "--engine", engine, "--program", filepath.Join(work, "app"), "--out", filepath.Join(work, engine+".tar.gz"))
		require.Zero(t, code, stderr)
	}
	other := putELF(t, filepath.Join(work, "other"), runtime.GOARCH, platform.Linux["arm"].Interpreter) // linked with nothing
	code, _, stderr := command(t, "pack", "--engine", "tnn", "--program", other, "--out", filepath.Join(work, "y.tar.gz"))
	require.Zero(t, code, stderr)
	files := unpacked(t, filepath.Join(work, "y.tar.gz"))
	require.Contains(t, files["y/run"], "\nexport LD_LIBRARY_PATH=\"$here/lib/tnn${", "the engine needs it")
	require.NotContains(t, files, "y/lib/tnn/libc.so.6")
	require.Equal(t, "of the SDK elsewhere", files["y/licenses/tnn/LICENSE.txt"])
	require.NoError(t, errors.Join(os.RemoveAll(root), os.RemoveAll(elsewhere)))
	for engine, code := range want {
		said, err := exec.Command("tar", "xzf", filepath.Join(work, engine+".tar.gz"), "-C", work).CombinedOutput()
		require.NoError(t, err, "%s", said)
		run := exec.Command(filepath.Join(work, engine, "run"))
		said, err = run.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, code, run.ProcessState.ExitCode(), "%s", said)
	}
}

// appModule is a folder with an application's module, of which go.mod and go.sum have what it needs itself.
func appModule(t *testing.T) string {
	t.Helper()
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPROXY", "off") // all is there
	t.Setenv("GOWORK", "")
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	require.NoError(t, err)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module app\n\ngo 1.26.0\n\nrequire github.com/anyinfer/anyinfer v0.0.0\n\nreplace github.com/anyinfer/anyinfer => " + strings.TrimSpace(string(root)) + "\n",
		"main.go": `package main

import (
	"fmt"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/tflite"
)

func main() { fmt.Println(common.Engines()) }
`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
	}
	build := exec.Command("go", "build", "-mod=mod", "-o", "app", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOSUMDB=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	require.NoError(t, err)
	require.Contains(t, string(sums), "purego")
	require.NotContains(t, string(sums), "cobra v1.10.2 h1:", "or the test shows nothing")
	return dir
}

// An application's module lacks what only the command needs.
func TestPackInModule(t *testing.T) {
	root, work := t.TempDir(), t.TempDir()
	dir := appModule(t)
	model, err := filepath.Abs(models + "digits.tflite")
	require.NoError(t, err)
	t.Setenv(sdkdir.EnvRoot, root)
	tflite := putLibrary(t, putSDK(t, root, "tflite", "2.0", "linux", runtime.GOARCH))
	require.NoError(t, os.Mkdir(filepath.Join(tflite.Dir, "licenses"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(tflite.Dir, "licenses", "LICENSE"), []byte("of tflite"), 0o666))
	t.Chdir(dir)
	before, err := os.ReadFile("go.sum")
	require.NoError(t, err)

	out := filepath.Join(work, "x.tar.gz")
	code, stdout, stderr := command(t, "pack", "--engine", "tflite", "--out", out, model)
	require.Zero(t, code, stderr)
	require.NotContains(t, stdout, "No licences")
	files := unpacked(t, out)
	require.Contains(t, files, "x/bin/anyinfer")
	require.Contains(t, files, "x/licenses/github.com/spf13/cobra/LICENSE.txt")
	require.Contains(t, files["x/README.txt"], "licenses the licences of all that is here.\n")
	after, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "the module is not changed")

	// A program brings along the licences of what it is built of.
	out = filepath.Join(work, "y.tar.gz")
	code, stdout, stderr = command(t, "pack", "--engine", "tflite", "--program", "app", "--out", out, model)
	require.Zero(t, code, stderr)
	require.NotContains(t, stdout, "No licences")
	files = unpacked(t, out)
	require.Equal(t, "of tflite", files["y/licenses/tflite/LICENSE"])
	for _, module := range []string{"go", "github.com/anyinfer/anyinfer", "github.com/ebitengine/purego"} {
		require.NotEmpty(t, files["y/licenses/"+module+"/LICENSE"], module)
	}
	require.NotContains(t, files, "y/licenses/github.com/spf13/cobra/LICENSE.txt", "it is not in the program")

	// The error has the real cause.
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("go.mod", append(mod, "\nrequire github.com/spf13/cobra v1.99.0\n"...), 0o666))
	code, _, stderr = command(t, "pack", "--engine", "tflite", "--out", filepath.Join(work, "z.tar.gz"), model)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "anyinfer: this program cannot be built in the module here; name a program with --program")
	require.Contains(t, stderr, "The go command says:\n  ")
	require.Contains(t, stderr, "github.com/spf13/cobra@v1.99.0")

	// This test is of no release.
	t.Chdir(t.TempDir())
	code, _, stderr = command(t, "pack", "--engine", "tflite", "--out", filepath.Join(work, "z.tar.gz"), model)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "anyinfer: this program is of no released version")
	require.Contains(t, stderr, "The go command says:\n  ")
	require.Contains(t, stderr, "go.mod file not found")
}

// TestPack runs what was packed for this machine, where nothing but that can be found.
func TestPack(t *testing.T) {
	suite.Require(t, "tflite")
	t.Setenv("GOFLAGS", "")
	work := t.TempDir()
	code, _, stderr := command(t, "pack", "--engine", "tflite", "--out", filepath.Join(work, "digits.tar.gz"), models+"digits.tflite")
	require.Zero(t, code, stderr)
	board := filepath.Join(work, "it's a board's $HOME")
	require.NoError(t, os.Mkdir(board, 0o777))
	untar := exec.Command("tar", "xzf", "../digits.tar.gz")
	untar.Dir = board
	said, err := untar.CombinedOutput()
	require.NoError(t, err, "%s", said)
	require.Empty(t, string(said))
	folder := filepath.Join(board, "digits")
	require.FileExists(t, filepath.Join(folder, "licenses", "tflite", "LICENSE"))
	require.FileExists(t, filepath.Join(folder, "licenses", "github.com", "anyinfer", "anyinfer", "LICENSE"))
	require.NoError(t, os.Symlink("digits/run", filepath.Join(board, "a link")))
	require.NoError(t, os.Symlink(filepath.Join(board, "a link"), filepath.Join(work, "link")))
	image, err := filepath.Abs(models + "expected/digits_0_image.npy")
	require.NoError(t, err)

	run := func(dir, program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + work, "CDPATH=" + board}
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		require.NoError(t, cmd.Run(), "%s", errs.String())
		return out.String()
	}
	var engines []health
	require.NoError(t, json.Unmarshal([]byte(run("/", filepath.Join(work, "link"), "doctor", "--json")), &engines))
	library := filepath.Join(folder, "lib", "tflite", "libtensorflowlite_c.so")
	ready := 0
	for _, e := range engines {
		if e.Status == "ready" {
			require.Equal(t, library, e.Library)
			ready++
		}
	}
	require.Equal(t, 1, ready)
	require.Regexp(t, `\ntflite +ready `, run(board, "digits/run"), "doctor is the default")
	readme, err := os.ReadFile(filepath.Join(folder, "README.txt"))
	require.NoError(t, err)
	require.Contains(t, string(readme), "\n  ./run run models/digits.tflite\n")
	require.Regexp(t, ` with glibc 2\.\d+ or newer\.\n`, string(readme))
	run(folder, "./run", "run", "models/digits.tflite", "--input", "image="+image, "--out", work)
	got, err := npy.ReadFile(filepath.Join(work, "scores.npy"))
	require.NoError(t, err)
	want, err := npy.ReadFile(models + "expected/digits_0_scores.npy")
	require.NoError(t, err)
	require.InDeltaSlice(t, values.Float64s(want), values.Float64s(got), 1e-6)
}
