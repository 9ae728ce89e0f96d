// SPDX-License-Identifier: Apache-2.0

//go:build linux

package pack

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/platform"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

const models = "../../testdata/"

// putELF writes the headers of a program for a machine, which names a loader, if
// any.
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

// putSDK makes an SDK of one library that is an ELF file.
func putSDK(t *testing.T, engine, arch string) sdkdir.SDK {
	t.Helper()
	s := sdkdir.SDK{Engine: engine, Version: "2.0", OS: "linux", Arch: arch, Library: "lib/libx.so", Dir: t.TempDir()}
	require.NoError(t, os.Mkdir(s.LibDir(), 0o777))
	putELF(t, s.LibraryPath(), arch, "")
	return s
}

// unpacked returns the files of an archive by name.
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
		require.Equal(t, modTime, h.ModTime.UTC())
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

func newArchive(t *testing.T, target string) *Archive {
	t.Helper()
	a, err := New(target)
	require.NoError(t, err)
	return a
}

// write writes an archive and returns its files.
func write(t *testing.T, a *Archive, out string) map[string]string {
	t.Helper()
	size, err := a.Write(t.Context(), out, func(string) {})
	require.NoError(t, err)
	info, err := os.Stat(out)
	require.NoError(t, err)
	require.Equal(t, info.Size(), size)
	return unpacked(t, out)
}

func TestArchive(t *testing.T) {
	work := t.TempDir()
	tflite, tnn := putSDK(t, "tflite", "arm64"), putSDK(t, "tnn", "arm64")
	require.NoError(t, os.Link(tflite.LibraryPath(), filepath.Join(tflite.LibDir(), "libx.so.2"))) // the name for linkers
	for name, text := range map[string]string{"lib/plugin.so": "plugin", "lib/libx.a": "for linkers", "licenses/a/LICENSE": "license", "include/x.h": "header"} {
		path := filepath.Join(tnn.Dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	}
	weights := filepath.Join(work, "of it.tnnmodel")
	require.NoError(t, os.WriteFile(weights, []byte("weights"), 0o666))
	program, out := putELF(t, filepath.Join(work, "an app"), "arm64", "/lib/ld-linux-aarch64.so.1"), filepath.Join(work, "x.tar.gz")
	a := newArchive(t, "linux/arm64")
	require.NoError(t, a.AddModel(models+"digits.tflite"))
	require.NoError(t, a.AddModel(models+"edges.tnnproto"))
	require.NoError(t, a.AddModel(models+"digits.tnnproto", weights))
	require.NoError(t, a.AddSDK(tnn))
	require.NoError(t, a.AddSDK(tflite))
	require.NoError(t, a.AddProgram(t.Context(), program))
	require.Equal(t, []string{"tflite", "an app"}, a.Unlicensed())
	require.Equal(t, "linux/arm64", a.Requirements())
	files := write(t, a, out)
	var names []string
	for name := range files {
		names = append(names, name)
	}
	require.ElementsMatch(t, []string{
		"x/README.txt", "x/bin/an app", "x/lib/tflite/libx.so", "x/lib/tnn/libx.so", "x/lib/tnn/plugin.so", "x/licenses/tnn/a/LICENSE",
		"x/models/digits.tflite", "x/models/digits.tnnmodel", "x/models/digits.tnnproto", "x/models/edges.tnnmodel", "x/models/edges.tnnproto", "x/run",
	}, names)
	require.Contains(t, files["x/README.txt"], "\nlib has the engines' libraries, licenses has the licences of everything in this folder but: tflite, an app.\n")
	require.Equal(t, "weights", files["x/models/digits.tnnmodel"], "by the name under which it is looked for")
	require.Contains(t, files["x/run"], "\nexport ANYINFER_TNN_LIBRARY=\"$here/lib/tnn/libx.so\"\n")
	require.Contains(t, files["x/run"], "\nexec \"$here\"/bin/'an app' \"$@\"\n")
	require.NotContains(t, files["x/run"], "doctor")
	require.NotContains(t, files["x/run"], "LD_LIBRARY_PATH")

	first, err := os.ReadFile(out)
	require.NoError(t, err)
	require.NoError(t, os.Chtimes(program, modTime, modTime))
	write(t, a, out)
	second, err := os.ReadFile(out)
	require.NoError(t, err)
	require.True(t, bytes.Equal(first, second), "the same content makes another archive")
	entries, err := os.ReadDir(work)
	require.NoError(t, err)
	require.Len(t, entries, 3, "nothing else is left behind: %v", entries)
	require.NoError(t, os.Remove(program))
	_, err = a.Write(t.Context(), filepath.Join(work, "y.tar.gz"), func(string) {})
	require.ErrorIs(t, err, os.ErrNotExist)
	entries, err = os.ReadDir(work)
	require.NoError(t, err)
	require.Len(t, entries, 2, "an archive that is not complete is left behind: %v", entries)
}

func TestArchiveRefuses(t *testing.T) {
	for _, target := range []string{"windows/amd64", "linux/mips", "linux"} {
		_, err := New(target)
		require.EqualError(t, err, "archives are made for linux on 386, amd64, arm, arm64, riscv64, not for "+target)
	}
	work := t.TempDir()
	path := func(name string) string { return filepath.Join(work, name) }
	for _, name := range []string{"alone.tnnproto", "digits.tflite", "text"} {
		require.NoError(t, os.WriteFile(path(name), nil, 0o666))
	}
	a := newArchive(t, "linux/arm/v7")
	require.ErrorContains(t, a.AddModel(path("alone.tnnproto")), "alone.tnnmodel is missing, which belongs to "+path("alone.tnnproto"))
	require.NoError(t, a.AddModel(models+"digits.tflite"))
	require.ErrorContains(t, a.AddModel(path("digits.tflite")), "would both be models/digits.tflite; rename one")
	for _, test := range []struct{ program, want string }{
		{path("none"), "there is no file \"" + path("none") + "\""},
		{path("text"), "text is not a program or library for linux"},
		{putELF(t, path("arm64"), "arm64", "/lib/ld-linux-aarch64.so.1"), " is for arm64, the target is linux/arm/v7; build it with 'anyinfer build --target linux/arm/v7'"},
		{putELF(t, path("armel"), "arm", "/lib/ld-linux.so.3"), " needs the loader /lib/ld-linux.so.3, and the engines for linux/arm/v7 need /lib/ld-linux-armhf.so.3; build it with"},
		{putELF(t, path("static"), "arm", ""), " is a static program or a library"},
	} {
		require.ErrorContains(t, a.CheckProgram(test.program), test.want)
		require.ErrorContains(t, a.AddProgram(t.Context(), test.program), test.want)
	}
	require.NoError(t, a.CheckProgram(putELF(t, path("armhf"), "arm", "/lib/ld-linux-armhf.so.3")))
	require.ErrorContains(t, a.AddSDK(putSDK(t, "tflite", "386")), "libx.so is for 32-bit x86, the target is linux/arm/v7; remove it with 'anyinfer sdk remove'")
	t.Setenv("PATH", work)
	require.ErrorContains(t, a.AddCommand(t.Context(), work, "", io.Discard, io.Discard), "there is no go command to build this program with; name a program with --program")
}

// TestLinked packs a program that is linked with an SDK, whose library is linked with
// one elsewhere on this machine.
func TestLinked(t *testing.T) {
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	work := t.TempDir()
	tnn, tflite := putSDK(t, "tnn", runtime.GOARCH), putSDK(t, "tflite", runtime.GOARCH)
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
	compile("int more(void); int puts(const char *); int all(void) { return puts(\"\") < 0 ? 1 : more() + 2; }", "-shared", "-Wl,-soname,libx.so", "-o", tnn.LibraryPath(),
		"-L"+elsewhere, "-lmore", "-Wl,-rpath,/lib/x86_64-linux-gnu:"+elsewhere)
	compile("int more(void) { return 0; }", "-shared", "-o", filepath.Join(tnn.LibDir(), "libmore.so")) // which is not the one that the shim uses
	compile("int all(void); int main(void) { return all(); }", "-o", filepath.Join(work, "app"), "-L"+tnn.LibDir(), "-lx", "-Wl,-rpath-link,"+elsewhere)
	compile("int all(void) { return 7; }", "-shared", "-Wl,-soname,libx.so", "-o", tflite.LibraryPath())
	want := map[string]int{"tnn": 42, "tflite": 7}
	for _, sdk := range []sdkdir.SDK{tnn, tflite} {
		a := newArchive(t, "linux/"+runtime.GOARCH)
		require.NoError(t, a.AddSDK(sdk))
		require.NoError(t, a.AddProgram(t.Context(), filepath.Join(work, "app")))
		write(t, a, filepath.Join(work, sdk.Engine+".tar.gz"))
	}
	a := newArchive(t, "linux/"+runtime.GOARCH)
	require.NoError(t, a.AddSDK(tnn))
	require.NoError(t, a.AddProgram(t.Context(), putELF(t, filepath.Join(work, "other"), runtime.GOARCH, "/lib/ld.so"))) // not linked with it
	more := slices.DeleteFunc(slices.Clone(a.files), func(f file) bool { return f.name != "lib/tnn/libmore.so" })
	require.Len(t, more, 1)
	require.Equal(t, filepath.Join(elsewhere, "libmore.so"), more[0].path)
	files := write(t, a, filepath.Join(work, "y.tar.gz"))
	require.Contains(t, files["y/run"], "\nexport LD_LIBRARY_PATH=\"$here/lib/tnn${", "the engine needs it")
	require.NotContains(t, files, "y/lib/tnn/libc.so.6")
	require.Equal(t, "of the SDK elsewhere", files["y/licenses/tnn/LICENSE.txt"])
	for _, dir := range []string{tnn.Dir, tflite.Dir, elsewhere} {
		require.NoError(t, os.RemoveAll(dir))
	}
	for engine, code := range want {
		output, err := exec.Command("tar", "xzf", filepath.Join(work, engine+".tar.gz"), "-C", work).CombinedOutput()
		require.NoError(t, err, "%s", output)
		run := exec.Command(filepath.Join(work, engine, "run"))
		output, err = run.CombinedOutput()
		require.Error(t, err)
		require.Equal(t, code, run.ProcessState.ExitCode(), "%s", output)
	}
}

// appModule makes a folder with an application's module, whose go.mod and go.sum
// have what it needs itself.
func appModule(t *testing.T) string {
	t.Helper()
	t.Setenv("GOFLAGS", "")
	t.Setenv("GOPROXY", "off") // the module cache has everything
	t.Setenv("GOWORK", "")
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "dependency"), 0o777))
	for name, text := range map[string]string{
		"go.mod": "module app\n\ngo 1.26.0\n\nrequire (\n\tdependency v0.0.0\n\tgithub.com/anyinfer/anyinfer v0.0.0\n)\n\nreplace dependency => ./dependency\n\nreplace github.com/anyinfer/anyinfer => " + strings.TrimSpace(string(root)) + "\n",
		"main.go": `package main

import (
	_ "dependency"
	"fmt"

	"github.com/anyinfer/anyinfer/common"
	_ "github.com/anyinfer/anyinfer/tflite"
)

func main() { fmt.Println(common.Engines()) }
`,
		"dependency/go.mod": "module dependency\n",
		"dependency/x.go":   "package dependency\n",
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
	require.NotContains(t, string(sums), "cobra v1.10.2 h1:", "the application does not need it")
	return dir
}

// TestInModule builds the command in an application's module, which lacks packages
// that only the command needs.
func TestInModule(t *testing.T) {
	work := t.TempDir()
	dir := appModule(t)
	tflite := putSDK(t, "tflite", runtime.GOARCH)
	require.NoError(t, os.Mkdir(filepath.Join(tflite.Dir, "licenses"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(tflite.Dir, "licenses", "LICENSE"), []byte("of tflite"), 0o666))
	t.Chdir(dir)
	before, err := os.ReadFile("go.sum")
	require.NoError(t, err)

	a := newArchive(t, "linux/"+runtime.GOARCH)
	require.NoError(t, a.AddSDK(tflite))
	var stdout bytes.Buffer
	require.NoError(t, a.AddCommand(t.Context(), t.TempDir(), "", &stdout, io.Discard))
	require.Contains(t, stdout.String(), "GOOS=linux GOARCH="+runtime.GOARCH+" CGO_ENABLED=0 GOWORK=off go build -o ")
	require.Empty(t, a.Unlicensed())
	files := write(t, a, filepath.Join(work, "x.tar.gz"))
	require.Contains(t, files, "x/bin/anyinfer")
	require.Contains(t, files, "x/licenses/github.com/spf13/cobra/LICENSE.txt")
	require.Contains(t, files["x/README.txt"], "licenses has the licences of everything in this folder.\n")
	require.Contains(t, files["x/run"], "doctor")
	after, err := os.ReadFile("go.sum")
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "the module is not changed")

	// A program brings the licences of what it is built of.
	a = newArchive(t, "linux/"+runtime.GOARCH)
	require.NoError(t, a.AddSDK(tflite))
	require.NoError(t, a.AddProgram(t.Context(), "app"))
	require.Equal(t, []string{"dependency"}, a.Unlicensed())
	files = write(t, a, filepath.Join(work, "y.tar.gz"))
	require.Equal(t, "of tflite", files["y/licenses/tflite/LICENSE"])
	for _, module := range []string{"go", "github.com/anyinfer/anyinfer", "github.com/ebitengine/purego"} {
		require.NotEmpty(t, files["y/licenses/"+module+"/LICENSE"], module)
	}
	require.NotContains(t, files, "y/licenses/github.com/spf13/cobra/LICENSE.txt", "it is not in the program")

	// The error has the go command's own.
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("go.mod", append(mod, "\nrequire github.com/spf13/cobra v1.99.0\n"...), 0o666))
	addCommand := func() string {
		err := newArchive(t, "linux/"+runtime.GOARCH).AddCommand(t.Context(), t.TempDir(), "(devel)", io.Discard, io.Discard)
		require.Error(t, err)
		return err.Error()
	}
	message := addCommand()
	require.Contains(t, message, "this program cannot be built in the module here; name a program with --program")
	require.Contains(t, message, "The go command reports:\n  ")
	require.Contains(t, message, "github.com/spf13/cobra@v1.99.0")
	t.Chdir(t.TempDir())
	message = addCommand()
	require.Contains(t, message, "this program is not a released version")
	require.Contains(t, message, "The go command reports:\n  ")
	require.Contains(t, message, "go.mod file not found")
}
