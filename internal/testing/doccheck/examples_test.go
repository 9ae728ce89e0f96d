// SPDX-License-Identifier: Apache-2.0

// Package doccheck tests what the public packages' documentation must have, and what they may depend on.
package doccheck

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestExamples: each exported type has an example, or is part of one that
// godoc shows as a whole file, as the interfaces of a driver are.
func TestExamples(t *testing.T) {
	root := os.DirFS("../../..")
	require.NoError(t, fs.WalkDir(root, ".", func(dir string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil || !d.IsDir():
			return err
		case name != "." && name[0] == '.', slices.Contains([]string{"cmd", "examples", "internal", "testdata"}, name):
			return fs.SkipDir
		}
		if files, _ := fs.Glob(root, path.Join(dir, "*.go")); files != nil {
			t.Run(dir, func(t *testing.T) { examples(t, files) })
		}
		return nil
	}))
}

func examples(t *testing.T, names []string) {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join("../../..", name), nil, parser.ParseComments)
		require.NoError(t, err)
		files = append(files, f)
	}
	pkg, err := doc.NewFromFiles(fset, files, path.Dir(names[0]))
	require.NoError(t, err)
	shown := map[string]bool{} // by whole files
	for _, e := range doc.Examples(files...) {
		if file, ok := e.Code.(*ast.File); ok {
			ast.Inspect(file, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && isName(s.X, pkg.Name) {
					shown[s.Sel.Name] = true
				}
				return true
			})
		}
	}
	for _, typ := range pkg.Types {
		has := shown[typ.Name] || len(typ.Examples) > 0
		for _, f := range slices.Concat(typ.Funcs, typ.Methods) {
			has = has || len(f.Examples) > 0
		}
		if !has {
			t.Errorf("type %s has no example", typ.Name)
		}
	}
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
