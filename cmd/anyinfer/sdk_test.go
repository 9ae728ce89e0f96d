// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	"github.com/anyinfer/anyinfer/internal/sdkinstall"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

// putSDK writes an SDK without content below root.
func putSDK(t *testing.T, root, engine, version, goos, goarch string) sdkdir.SDK {
	t.Helper()
	s := sdkdir.SDK{Engine: engine, Version: version, OS: goos, Arch: goarch, Library: "lib/libx.so"}
	s.Dir = filepath.Join(root, s.Path())
	require.NoError(t, os.MkdirAll(filepath.Join(s.Dir, "lib"), 0o755))
	require.NoError(t, os.WriteFile(s.LibraryPath(), nil, 0o644))
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir, sdkdir.Manifest), text, 0o644))
	return s
}

func TestList(t *testing.T) {
	root := t.TempDir()
	t.Setenv(sdkdir.EnvRoot, root)
	_, stdout, _ := command(t, "sdk", "list")
	require.Contains(t, stdout, "Installed in "+root+":\n  nothing yet\n")
	require.Regexp(t, `tflite +2.17.1 +linux/amd64 +2.1 MB +PyPI package pymicro-wakeword 2.5.0 \(third party\)\n`, stdout)
	require.Regexp(t, `mnn +3.6.1 +linux/amd64 +17.7 MB +PyPI package MNN 3.6.1 and the crate mnn-sys 0.2.0\n`, stdout)
	for line := range strings.Lines(stdout) {
		require.LessOrEqual(t, len(line), 101, line)
	}

	pin := sdkinstall.Pins()[0]
	putSDK(t, root, pin.Engine, pin.Version, pin.OS, pin.Arch)
	_, stdout, _ = command(t, "sdk", "list")
	_, available, _ := strings.Cut(stdout, "Available")
	require.Regexp(t, pin.Version+" +"+pin.OS+"/"+pin.Arch+" ", available, "what lies there is not what is pinned")
	manifest := filepath.Join(root, pin.Path(), sdkdir.Manifest)
	text, err := os.ReadFile(manifest)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(manifest, bytes.Replace(text, []byte(`"sha256":""`), []byte(`"sha256":"`+pin.SHA256+`"`), 1), 0o644))
	code, stdout, stderr := command(t, "sdk", "list", "--json")
	require.Zero(t, code, stderr)
	var list struct {
		Root                 string
		Installed, Available []struct {
			Engine, Version, OS, Arch, Dir, Package, Registry, Publisher, File, SHA256 string
			Installed                                                                  bool
		}
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &list))
	require.Equal(t, root, list.Root)
	require.Len(t, list.Installed, 1)
	require.Equal(t, pin.Engine, list.Installed[0].Engine)
	require.Equal(t, filepath.Join(root, pin.Path()), list.Installed[0].Dir)
	_, stdout, _ = command(t, "sdk", "list")
	here, _, _ := strings.Cut(stdout, "Available")
	require.Regexp(t, `0.0 MB +PyPI package openvino \S+`, here)
	require.Len(t, list.Available, len(sdkinstall.Pins()))
	for i, a := range list.Available {
		require.Equal(t, i == 0, a.Installed)
		require.NotEmpty(t, a.File)
		require.NotEmpty(t, a.Registry)
		require.NotEmpty(t, a.Publisher)
		require.Len(t, a.SHA256, 64)
	}

	_, stdout, _ = command(t, "sdk", "list", "--json", "--dir", filepath.Join(root, "none"))
	require.Contains(t, stdout, `"installed": []`)
}

func TestEnv(t *testing.T) {
	t.Setenv("TNN_ROOT", "")
	t.Setenv("TENSORRT_ROOT", "")
	if runtime.GOOS == "windows" {
		t.Skip("needs sh")
	}
	root := filepath.Join(t.TempDir(), `it's $HOME and `+"`id`"+` \ here`)
	t.Setenv("MNN_ROOT", "")
	here := func(engine, version string) sdkdir.SDK {
		return putSDK(t, root, engine, version, runtime.GOOS, runtime.GOARCH)
	}
	here("openvino", "9.0")
	ov, tf := here("openvino", "10.0"), here("tflite", "1.0")
	other := putSDK(t, root, "tflite", "2.0", "plan9", "mips")

	// eval returns what variables a shell has after it evaluated the exports.
	eval := func(before string, args ...string) map[string]string {
		t.Helper()
		code, stdout, stderr := command(t, append([]string{"sdk", "env", "--dir", root}, args...)...)
		require.Zero(t, code, stderr)
		names := []string{"ANYINFER_OPENVINO_LIBRARY", "ANYINFER_TFLITE_LIBRARY", "CGO_LDFLAGS"}
		script := "unset " + strings.Join(names, " ") + "\n" + before + "\neval \"$EXPORTS\"\n"
		for _, n := range names {
			script += fmt.Sprintf("sh -c 'printf \"%%s\\n\" \"${%s-unset}\"'\n", n) // exported, or a child lacks it
		}
		cmd := exec.Command("/bin/sh", "-eu", "-c", script)
		cmd.Env = append(os.Environ(), "EXPORTS="+stdout)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		require.Len(t, lines, len(names))
		values := map[string]string{}
		for i, n := range names {
			values[n] = lines[i]
		}
		return values
	}
	link := func(s sdkdir.SDK) string {
		return `"-L` + s.LibDir() + `" "-Wl,-rpath,` + s.LibDir() + `"`
	}

	require.Equal(t, map[string]string{
		"ANYINFER_OPENVINO_LIBRARY": ov.LibraryPath(),
		"ANYINFER_TFLITE_LIBRARY":   tf.LibraryPath(),
		"CGO_LDFLAGS":               link(ov) + " " + link(tf),
	}, eval(""))

	require.Equal(t, map[string]string{
		"ANYINFER_OPENVINO_LIBRARY": "unset",
		"ANYINFER_TFLITE_LIBRARY":   tf.LibraryPath(),
		"CGO_LDFLAGS":               link(tf) + " -lold",
	}, eval("export CGO_LDFLAGS=-lold", "tflite"))

	require.Equal(t, map[string]string{ // for another system: only linking
		"ANYINFER_OPENVINO_LIBRARY": "unset",
		"ANYINFER_TFLITE_LIBRARY":   "unset",
		"CGO_LDFLAGS":               `"-L` + other.LibDir() + `"`,
	}, eval("", "tflite", "--os", "plan9", "--arch", "mips"))

	require.Equal(t, filepath.Join(root, "openvino", "9.0", runtime.GOOS+"-"+runtime.GOARCH, "lib", "libx.so"),
		eval("", "openvino", "--version", "9.0")["ANYINFER_OPENVINO_LIBRARY"])
}

// What is linked of an engine in C++ is the SDK, that of its variable first.
func TestEnvOfShim(t *testing.T) {
	t.Setenv(sdkdir.EnvRoot, t.TempDir())
	root, err := sdkdir.Root()
	require.NoError(t, err)
	t.Setenv("MNN_ROOT", "")
	putMNN := func(dir, library string) {
		t.Helper()
		file := filepath.Join(dir, filepath.FromSlash(library))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, nil, 0o644))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "include", "MNN"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "include", "MNN", "MNNDefine.h"), nil, 0o644))
	}
	env := func() string {
		t.Helper()
		code, stdout, stderr := command(t, "sdk", "env", "mnn")
		require.Zero(t, code, stderr)
		return stdout
	}
	flags := func(root, lib string) string {
		return "export MNN_ROOT=" + root + "\nexport CGO_CPPFLAGS=-I" + root + "/include\"${CGO_CPPFLAGS:+ $CGO_CPPFLAGS}\"\n" +
			"export CGO_LDFLAGS='-L" + lib + " -Wl,-rpath," + lib + "'\"${CGO_LDFLAGS:+ $CGO_LDFLAGS}\"\n"
	}
	mine := t.TempDir()
	putMNN(mine, "build/libMNN.so")
	t.Setenv("MNN_ROOT", mine)
	require.Equal(t, flags(mine, mine+"/build"), env(), "without an installed one")

	sdk := putSDK(t, root, "mnn", "3.0.0", runtime.GOOS, runtime.GOARCH)
	shim := "export ANYINFER_MNN_LIBRARY=" + sdk.LibraryPath() + "\n"
	require.Equal(t, shim+flags(mine, mine+"/build"), env())
	t.Setenv("MNN_ROOT", "")
	code, _, stderr := command(t, "sdk", "env", "mnn")
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "MNN_ROOT is not set, and "+sdk.Dir+" has no include/MNN/MNNDefine.h", "a shim alone")
	putMNN(sdk.Dir, "lib/libMNN.a")
	require.Equal(t, shim+flags(sdk.Dir, sdk.LibDir()), env())
}

// TensorRT is where the system's packages, or JetPack's in a board's folders, put it.
func TestEnvOfSystem(t *testing.T) {
	t.Setenv(sdkdir.EnvRoot, t.TempDir())
	usr := t.TempDir()
	all := toolchain.All
	t.Cleanup(func() { toolchain.All = all })
	toolchain.All = slices.Clone(all)
	for i := range toolchain.All {
		t.Setenv(toolchain.All[i].SDK.Env, "")
		if toolchain.All[i].Engine == "tensorrt" {
			toolchain.All[i].SDK.System = usr
		}
	}
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	for _, goarch := range []string{runtime.GOARCH, other} {
		triplet := platform.Linux[goarch].Triplet
		for _, file := range []string{"include/" + triplet + "/NvInferVersion.h", "lib/" + triplet + "/libnvinfer.so", "lib/" + triplet + "/libnvonnxparser.so"} {
			file = filepath.Join(usr, file)
			require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
			require.NoError(t, os.WriteFile(file, nil, 0o644))
		}
	}
	code, stdout, stderr := command(t, "sdk", "env", "tensorrt")
	require.Zero(t, code, stderr)
	here := platform.Linux[runtime.GOARCH].Triplet
	require.Contains(t, stdout, "export TENSORRT_ROOT="+usr+"\n")
	require.Contains(t, stdout, "-I"+usr+"/include/"+here)
	require.Contains(t, stdout, "-L"+usr+"/lib/"+here)
	code, _, _ = command(t, "sdk", "env")
	require.Equal(t, 1, code, "what is not named is not linked")
	code, _, stderr = command(t, "sdk", "env", "tensorrt", "--arch", other)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "set TENSORRT_ROOT to an SDK for linux/"+other)

	t.Setenv("TENSORRT_ROOT", usr)
	code, stdout, stderr = command(t, "sdk", "env", "tensorrt", "--arch", other)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "-L"+usr+"/lib/"+platform.Linux[other].Triplet)
}

func TestGoQuote(t *testing.T) {
	got, err := goQuote([]string{"-La", "-Lb c", "-Ld'e", `-Lf"g`})
	require.NoError(t, err)
	require.Equal(t, `-La "-Lb c" "-Ld'e" '-Lf"g'`, got)
	_, err = goQuote([]string{`-L'"`})
	require.Error(t, err)
}

func TestRemove(t *testing.T) {
	root := t.TempDir()
	old := putSDK(t, root, "openvino", "1.0", runtime.GOOS, runtime.GOARCH)
	newer := putSDK(t, root, "openvino", "2.0", runtime.GOOS, runtime.GOARCH)
	other := putSDK(t, root, "openvino", "2.0", "plan9", "mips")
	code, stdout, stderr := command(t, "sdk", "remove", "openvino", "--version", "1.0", "--dir", root)
	require.Zero(t, code, stderr)
	require.Equal(t, "removed: "+old.Dir+"\n", stdout)
	require.NoDirExists(t, filepath.Dir(old.Dir))
	require.DirExists(t, newer.Dir)
	code, _, stderr = command(t, "sdk", "remove", "openvino", "--dir", root)
	require.Zero(t, code, stderr)
	require.NoDirExists(t, newer.Dir)
	require.FileExists(t, other.LibraryPath(), "another target stays")
}

// TestInterrupt interrupts a real process that fetches.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no process can be interrupted there")
	}
	if err := exec.Command("python3", "-c", "import pip").Run(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("pip: ", err)
		}
		t.Skip("pip: ", err)
	}
	asked := make(chan struct{}, 16)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	defer server.Close()
	root := filepath.Join(t.TempDir(), "sdk")
	cmd := exec.Command(os.Args[0], "sdk", "install", "tflite", "--os", "linux", "--arch", "amd64", "--dir", root)
	cmd.Env = append(os.Environ(), envMain+"=1", "PIP_CONFIG_FILE="+os.DevNull, "PIP_INDEX_URL="+server.URL, "PIP_FIND_LINKS=", "NO_PROXY=127.0.0.1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	<-asked
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	require.NotEmpty(t, entries, "it works below the root")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	require.Equal(t, 130, cmd.ProcessState.ExitCode(), stderr.String())
	require.Equal(t, "anyinfer: interrupted\n", stderr.String())
	entries, err = os.ReadDir(root)
	require.NoError(t, err)
	require.Empty(t, entries)
}
