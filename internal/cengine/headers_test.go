// SPDX-License-Identifier: Apache-2.0

package cengine

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/cinclude"
	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// structs maps the Go types of abi.go to the names of the C types and their members.
var structs = map[string]struct{ name, members string }{
	"errorBuffer": {"anyinfer_error", "code text"},
	"host":        {"anyinfer_host", "log user"},
	"device":      {"anyinfer_device", "name description"},
	"source":      {"anyinfer_source", "format paths data sizes keys values canceled parts options"},
	"shape":       {"anyinfer_shape", "rank reserved dims"},
	"tensor":      {"anyinfer_tensor", "shape dtype scales axis reserved name scale zero_point unused"},
	"layer":       {"anyinfer_layer", "micros name type kernel unused"},
	"api":         {"anyinfer_api", "abi size name formats open"},
}

// functionNames are the names of the functions in anyinfer_api.
var functionNames = [functions]string{
	fnOpen: "open", fnClose: "close", fnVersion: "version", fnDevice: "device", fnLoad: "load", fnModelClose: "model_close",
	fnProperty: "property", fnSignature: "signature", fnInput: "input", fnOutput: "output", fnSession: "session",
	fnSessionClose: "session_close", fnReshape: "reshape", fnBind: "bind", fnRun: "run", fnResult: "result",
	fnCancel: "cancel", fnReset: "reset", fnLayer: "layer",
}

// TestHeader compares abi.go with anyinfer_engine.h by assertions that a C compiler
// checks. On amd64 it does so for both kinds of 32-bit machines too: nothing is run.
func TestHeader(t *testing.T) {
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil && os.Getenv("CI") == "" {
		t.Skip("no C compiler: ", err)
	}
	require.NoError(t, err)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "abi.go", nil, 0)
	require.NoError(t, err)
	config := types.Config{Error: func(error) {}} // imports are not resolved; no struct needs them
	pkg, _ := config.Check("cengine", files, []*ast.File{file}, nil)
	check := func(t *testing.T, arch string, flags ...string) {
		require.NoError(t, compile(cc, assertions(t, pkg, types.SizesFor("gc", arch)), append(flags, "-std=c11")...))
	}
	t.Run(runtime.GOARCH, func(t *testing.T) { check(t, runtime.GOARCH) })
	t.Run("C99", func(t *testing.T) { require.NoError(t, compile(cc, "", "-std=c99")) })
	t.Run("C++11", func(t *testing.T) {
		cxx, err := exec.LookPath(cmp.Or(os.Getenv("CXX"), "c++"))
		if err != nil {
			t.Skip("no C++ compiler: ", err)
		}
		require.NoError(t, compile(cxx, "", "-x", "c++", "-std=c++11"))
	})
	if runtime.GOARCH == "amd64" {
		t.Run("386", func(t *testing.T) { check(t, "386", "-m32") })
		t.Run("arm layout", func(t *testing.T) { check(t, "arm", "-m32", "-malign-double") }) // 64-bit integers aligned to 8 bytes
	}
	t.Run("wrong offset", func(t *testing.T) {
		wrong := strings.Replace(assertions(t, pkg, types.SizesFor("gc", runtime.GOARCH)), "scales) == ", "scales) == 1", 1)
		require.ErrorContains(t, compile(cc, wrong, "-std=c11"), "scales")
	})
}

// compile checks the syntax of the header followed by source.
func compile(cc, source string, flags ...string) error {
	args := append([]string{"-ffreestanding", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-x", "c"}, flags...)
	cmd := exec.Command(cc, append(args, "-")...)
	header, err := cinclude.Headers.ReadFile("anyinfer_engine.h")
	if err != nil {
		return err
	}
	cmd.Stdin = strings.NewReader(string(header) + source)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}

// assertions returns C assertions of the sizes, offsets and constants of abi.go.
func assertions(t *testing.T, pkg *types.Package, sizes types.Sizes) string {
	var source strings.Builder
	equal := func(c string, v int64) { fmt.Fprintf(&source, "_Static_assert(%s == %d, \"%[1]s == %[2]d\");\n", c, v) }
	for name, s := range structs {
		typ := pkg.Scope().Lookup(name).Type().Underlying().(*types.Struct)
		var fields []*types.Var
		for f := range typ.Fields() {
			fields = append(fields, f)
		}
		members := strings.Fields(s.members)
		require.Len(t, members, len(fields), name)
		equal(fmt.Sprintf("sizeof(%s)", s.name), sizes.Sizeof(typ))
		for i, offset := range sizes.Offsetsof(fields) {
			equal(fmt.Sprintf("offsetof(%s, %s)", s.name, members[i]), offset)
			if members[i] == "open" { // the first of the functions
				for fn, name := range functionNames {
					equal(fmt.Sprintf("offsetof(%s, %s)", s.name, name), offset+int64(fn)*sizes.Sizeof(types.Typ[types.Uintptr]))
				}
				continue
			}
			equal(fmt.Sprintf("sizeof(((%s *)0)->%s)", s.name, members[i]), sizes.Sizeof(fields[i].Type()))
		}
	}
	equal("ANYINFER_ABI", abiVersion)
	equal("ANYINFER_MAX_RANK", maxRank)
	equal("ANYINFER_DEVICE", statusDevice)
	equal("ANYINFER_NAME", statusName)
	for name, kind := range map[string]error{
		"NOT_AVAILABLE": common.ErrNotAvailable, "VERSION": common.ErrVersion, "MODEL": common.ErrModel, "DEVICE": common.ErrDevice,
		"OPTION": common.ErrOption, "SHAPE": common.ErrShape, "DTYPE": common.ErrDType, "NAME": common.ErrName, "RUN": common.ErrRun,
	} {
		for status, k := range kinds {
			if k == kind {
				equal("ANYINFER_"+name, int64(status))
			}
		}
	}
	for code, dt := range dtypes {
		if dt != 0 {
			equal("ANYINFER_"+strings.ToUpper(dt.String()), int64(code))
		}
	}
	for name, level := range map[string]slog.Level{"DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn, "ERROR": slog.LevelError} {
		equal("ANYINFER_"+name, int64(level))
	}
	return source.String()
}
