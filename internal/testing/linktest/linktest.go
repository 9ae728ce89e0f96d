// SPDX-License-Identifier: Apache-2.0

// Package linktest writes and tests the files by which an engine's build tag
// links its SDK. An engine has this, and runs `go generate` when its table of
// functions changes:
//
//	//go:generate go test -run ^TestLinked$ -update
//
//	func TestLinked(t *testing.T) { linktest.Run(t, spec, table) }
package linktest

import (
	"bytes"
	_ "embed"
	"flag"
	"go/format"
	"os"
	"path/filepath"
	"testing"
	"text/template"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the linked*.go files of the package anew")

var (
	//go:embed linked.go.tmpl
	linked string
	//go:embed linked_nocgo.go.tmpl
	linkedNoCgo string
)

// Run fails where the package's files are not those of table, or do not link
// as they should. In a program with the engine's tag it also opens the engine.
func Run(t *testing.T, spec dylib.Spec, table []dylib.Decl) {
	t.Run("files", func(t *testing.T) { files(t, spec, table) })
	t.Run("link", func(t *testing.T) { link(t, spec, table) })
	t.Run("open", func(t *testing.T) { open(t, spec) })
}

func files(t *testing.T, spec dylib.Spec, table []dylib.Decl) {
	wd, err := os.Getwd()
	require.NoError(t, err)
	for name, text := range map[string]string{"linked.go": linked, "linked_nocgo.go": linkedNoCgo} {
		var b bytes.Buffer
		require.NoError(t, template.Must(template.New(name).Parse(text)).Execute(&b, map[string]any{
			"Package": filepath.Base(wd), "Spec": spec, "Table": table,
		}))
		want, err := format.Source(b.Bytes())
		require.NoError(t, err)
		if *update {
			require.NoError(t, os.WriteFile(name, want, 0o666))
		}
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		if !bytes.Equal(want, got) {
			t.Fatalf("%s is stale: run `go generate` in its folder", name)
		}
	}
}

func open(t *testing.T, spec dylib.Spec) {
	t.Setenv(spec.Env(), t.TempDir()) // is for searching
	e, err := common.Open(spec.Engine, nil)
	if err != nil {
		require.ErrorIs(t, err, common.ErrNotAvailable)
		t.Skip("built without the tag ", spec.Engine)
	}
	require.Equal(t, "linked", e.Info().Library)
	require.NoError(t, e.Close())
	_, err = common.Open(spec.Engine, &common.Config{Library: "some.so"})
	require.ErrorIs(t, err, common.ErrOption)
	require.ErrorContains(t, err, "build without -tags "+spec.Engine)
}
