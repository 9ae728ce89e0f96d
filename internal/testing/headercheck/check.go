// SPDX-License-Identifier: Apache-2.0

// Package headercheck compares what Go believes of a C library with the library's own headers: a C compiler
// reads the headers and, after them, a declaration of each function, which must agree, and an assertion for
// each constant and each member of a struct, function pointers with their types.
package headercheck

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/stretchr/testify/require"
)

// Check is what to compare with which headers.
type Check struct {
	Dir     string   // the folder for -I
	Headers []string // in it
	Table   []dylib.Decl
	Values  map[string]int64 // by the constant's name in C
	Structs []Struct
	// Slots has the prototypes of the function pointers of structs that have nothing else: by the struct's typedef and the index.
	Slots map[string]map[int]string
	// Uncovered has the reason for each function, constant and struct above that these headers do not have.
	Uncovered map[string]string
}

// Struct is a Go struct that must have the layout of a C struct.
type Struct struct {
	C       string // its typedef
	Go      any
	Members string // the C names of Go's fields, in order; _ for padding and bit-fields
	Begins  bool   // Go has the first members only
}

// Run is the check.
func Run(t *testing.T, c Check) {
	t.Helper()
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		enginetest.Missing(t, "no C compiler to read headers with: "+err.Error())
	}
	require.NoError(t, c.run(cc))
}

func (c Check) run(cc string) error {
	var source strings.Builder
	for _, h := range append([]string{"stddef.h"}, c.Headers...) {
		fmt.Fprintf(&source, "#include <%s>\n", h)
	}
	text, err := c.compile(cc, source.String(), "-E", "-dD") // -dD: constants may be macros
	if err != nil {
		return err
	}
	var problems []error
	asked := map[string]bool{}
	// covered reports whether the headers have name, as Uncovered says.
	covered := func(name, pattern string) bool {
		asked[name] = true
		there := regexp.MustCompile(`\b` + name + pattern).MatchString(text)
		if listed := c.Uncovered[name] != ""; there == listed {
			problems = append(problems, fmt.Errorf("%s: in the headers: %t, in Uncovered: %t", name, there, listed))
		}
		return there
	}
	for _, d := range c.Table {
		if covered(d.Name(), `\s*\(`) {
			fmt.Fprintf(&source, "%s;\n", strings.ReplaceAll(d.C, "()", "(void)")) // () would agree with anything
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Values)) {
		if covered(name, `\b`) {
			assert(&source, "%s == %d", name, c.Values[name])
		}
	}
	for _, s := range c.Structs {
		if covered(s.C, `\b`) {
			problems = append(problems, s.write(&source))
		}
	}
	for table, slots := range c.Slots {
		for i, prototype := range slots {
			if name := (dylib.Decl{C: prototype}).Name(); covered(name, `\s*\)\s*\(`) {
				assert(&source, "offsetof(%s, %s) == %d * sizeof(void *)", table, name, i)
				assert(&source, "_Generic(((%s *)0)->%s, %s: 1, default: 0)", table, name, strings.Replace(prototype, name+"(", "(*)(", 1))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Uncovered)) {
		if !asked[name] {
			problems = append(problems, fmt.Errorf("%s: nothing in this check, but in Uncovered", name))
		}
	}
	_, err = c.compile(cc, source.String(), "-fsyntax-only")
	return errors.Join(append(problems, err)...)
}

// write asserts the sizes and offsets of a struct.
func (s Struct) write(source *strings.Builder) error {
	goType, members := reflect.TypeOf(s.Go), strings.Fields(s.Members)
	if len(members) != goType.NumField() {
		return fmt.Errorf("%s: %d members are named for the %d fields of %v", s.C, len(members), goType.NumField(), goType)
	}
	if !s.Begins {
		assert(source, "sizeof(%s) == %d", s.C, goType.Size())
	}
	for i, m := range members {
		if f := goType.Field(i); m != "_" {
			assert(source, "offsetof(%s, %s) == %d", s.C, m, f.Offset)
			assert(source, "sizeof(((%s *)0)->%s) == %d", s.C, m, f.Type.Size())
		}
	}
	return nil
}

func assert(source *strings.Builder, format string, args ...any) {
	condition := fmt.Sprintf(format, args...)
	fmt.Fprintf(source, "_Static_assert(%s, %q);\n", condition, condition)
}

func (c Check) compile(cc, source string, args ...string) (string, error) {
	cmd := exec.Command(cc, append(args, "-x", "c", "-std=c11", "-I", c.Dir, "-")...)
	cmd.Stdin = strings.NewReader(source)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// SDKs returns the installed SDKs of an engine, newest first, whose include folders have headers.
func SDKs(t *testing.T, engine string) []sdkdir.SDK {
	t.Helper()
	sdks := slices.DeleteFunc(sdkdir.Installed(engine), func(s sdkdir.SDK) bool {
		_, err := os.Stat(filepath.Join(s.Dir, "include"))
		return err != nil
	})
	if len(sdks) == 0 {
		enginetest.Missing(t, "no SDK with headers: run 'anyinfer sdk install "+engine+"'")
	}
	return sdks
}

// TFLite returns a folder with the C headers of TFLite, from about 2.19, and of LiteRT 2.1.6, in the folders
// tensorflow and litert.
func TFLite(t *testing.T) string {
	t.Helper()
	dir := crate(t, "edgefirst-tflite-sys-0.10.3", "458c8adba94ceeb5f15a6c7d28553f5622110dd29b74b5b9b535a3988f5eaba5")
	core := filepath.Join(dir, "tensorflow", "lite", "core", "c")
	text, err := os.ReadFile(filepath.Join(core, "common.h"))
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("enum TfLiteQuantizationType : int {"), []byte("enum TfLiteQuantizationType {"), 1) // C11
	require.NoError(t, os.WriteFile(filepath.Join(core, "common.h"), text, 0o666))
	for _, folder := range []string{"tensorflow/lite/c", "tflite/c"} { // whose headers, which the crate lacks, only include these
		require.NoError(t, os.CopyFS(filepath.Join(dir, folder), os.DirFS(core)))
	}
	return dir
}

// TensorRT returns a folder with the C++ headers of TensorRT 11.4.
func TensorRT(t *testing.T) string {
	t.Helper()
	return filepath.Join(crate(t, "trtx-sys-0.9.1+rtx1.7", "5480ee056292951daa1bc74532162d6cb75190f091e45d7d97c0c356916ae171"), "TensorRT-Headers", "TRT-Enterprise-11.4")
}

// ONNXRuntime returns a folder with the C headers of ONNX Runtime 1.24, which a Go module carries. `make headers` fetches it.
func ONNXRuntime(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", "github.com/yalue/onnxruntime_go@v1.27.0")
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	out, _ := cmd.Output() // says what failed
	var module struct{ Dir, Sum, Error string }
	require.NoError(t, json.Unmarshal(out, &module))
	if module.Error != "" {
		enginetest.Missing(t, module.Error+": run 'make headers'")
	}
	require.Equal(t, "h1:c1YSgDNtpf0WGtxj3YeRIb8VC5LmM1J+Ve3uHdteC1U=", module.Sum)
	return module.Dir
}

// crate returns a folder with the headers that a crate carries. `make headers` has cargo fetch it.
func crate(t *testing.T, name, sha string) string {
	t.Helper()
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	cargo := cmp.Or(os.Getenv("CARGO_HOME"), filepath.Join(home, ".cargo"))
	files, err := filepath.Glob(filepath.Join(cargo, "registry", "cache", "*", name+".crate"))
	require.NoError(t, err)
	if len(files) == 0 {
		enginetest.Missing(t, cargo+" has no crate "+name+": run 'make headers'")
	}
	archive, err := os.ReadFile(files[0])
	require.NoError(t, err)
	require.Equal(t, sha, fmt.Sprintf("%x", sha256.Sum256(archive)), files[0])
	dir := t.TempDir()
	out, err := exec.Command("tar", "-xzf", files[0], "-C", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(dir, name)
}
