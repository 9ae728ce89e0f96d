// SPDX-License-Identifier: Apache-2.0

package doccheck

import (
	"bytes"
	"context"
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/internal/models"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/stretchr/testify/require"
)

// fence finds the blocks of a Markdown file: why a block of language sh cannot be run, the language, the text.
var fence = regexp.MustCompile("(?ms)^(?:<!-- not run: ([^\n]+) -->\n)?```([a-z]*)\n(.*?)^```$")

// TestBlocks runs the sh blocks of each page, one after the other, in a copy of the checkout with the command in PATH.
// They find the SDKs that are installed, and some models, and cannot download any. A block that cannot be run has a line before it:
//
//	<!-- not run: needs a board -->
func TestBlocks(t *testing.T) {
	const root = "../../.."
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	checkout := t.TempDir()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (name[0] == '.' || name == "dist" || name == "demo-out"):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(checkout, name), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		// Reading them here also has the go command run this test again when one has changed.
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(checkout, name), content, 0o644)
	}))
	for _, name := range []string{"faces", "layout", "orientation", "person", "text-detection", "text-orientation", "text-recognition"} {
		if _, _, err := models.Install(t.Context(), name, nil); err != nil {
			t.Log(err) // and blocks fail that need it
		}
	}
	environment := shellEnvironment(t)
	out, err := shell(t, environment, checkout, "mkdir $HOME/bin && go build -o $HOME/bin/anyinfer ./cmd/anyinfer")
	require.NoError(t, err, out)
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "examples/*/*.md"} {
		pages, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, pages)
		for _, page := range pages {
			name, _ := filepath.Rel(root, page)
			t.Run(name, func(t *testing.T) {
				text, err := os.ReadFile(page)
				require.NoError(t, err)
				require.NotRegexp(t, "(?m)^[ \t]+```", string(text), "an indented block is not found")
				for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
					switch notRun, language, text := block[1], block[2], block[3]; language {
					case "": // what a program prints
					case "console": // examples_test.go runs these
						require.Contains(t, name, "examples/")
					case "python": // the page has the versions that these were run with
						require.Equal(t, "docs/convert.md", name)
					case "go":
						parses(t, text)
					case "sh":
						if notRun == "" {
							t.Run("", func(t *testing.T) { runs(t, environment, checkout, text) })
						}
					default:
						t.Errorf("a block of language %q", language)
					}
				}
			})
		}
	}
}

// runs fails where an SDK or a model is missing, too, if CI is set; the error names the command that installs it.
func runs(t *testing.T, environment []string, dir, text string) {
	out, err := shell(t, environment, dir, text)
	if err != nil && os.Getenv("CI") == "" && regexp.MustCompile("anyinfer (sdk|model) install").MatchString(out) {
		t.Skip(out)
	}
	require.NoError(t, err, "%s\nprints %s", text, out)
}

func shell(t *testing.T, environment []string, dir, text string) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-e", "-c", text)
	cmd.Dir, cmd.Env = dir, environment
	cmd.WaitDelay = time.Second // for what the block leaves running
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// shellEnvironment is this process's without what chooses other engines than those that are installed, with an empty home.
func shellEnvironment(t *testing.T) (environment []string) {
	sdks, err := sdkdir.Root()
	require.NoError(t, err)
	someModels, err := models.Root()
	require.NoError(t, err)
	home := t.TempDir()
	for _, v := range os.Environ() {
		if !regexp.MustCompile(`^(ANYINFER_\w+|\w+_ROOT|XDG_\w+|CGO_ENABLED|GOFLAGS|GOOS|GOARCH)=`).MatchString(v) {
			environment = append(environment, v)
		}
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPATH"} {
		value, err := exec.Command("go", "env", name).Output()
		require.NoError(t, err)
		environment = append(environment, name+"="+string(bytes.TrimSpace(value)))
	}
	// With -trimpath a copy of the checkout is not compiled anew.
	return append(environment, "HOME="+home, "PATH="+filepath.Join(home, "bin")+string(filepath.ListSeparator)+os.Getenv("PATH"),
		sdkdir.EnvRoot+"="+sdks, models.EnvRoot+"="+someModels, "GOFLAGS=-trimpath", "GOPROXY=off", "PIP_NO_INDEX=1", "CARGO_NET_OFFLINE=true")
}

// parses checks the syntax of a file, of declarations, of statements behind imports, or of an expression.
func parses(t *testing.T, text string) {
	imports := regexp.MustCompile(`^import (?:\((?s:.*?)\n\)|.*)\n`).FindString(text)
	function := "package p\n" + imports + "func _() {\n" + text[len(imports):] + "\n}"
	var all error
	for _, source := range []string{text, "package p\n" + text, function, "package p\nvar _ =" + text} {
		_, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
		if err == nil {
			return
		}
		all = errors.Join(all, err)
	}
	t.Errorf("%s\n%s", all, text)
}
