// SPDX-License-Identifier: Apache-2.0

package enginebench

import (
	"bufio"
	"embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/cinclude"
	"github.com/anyinfer/anyinfer/internal/toolchain"
)

//go:embed testdata
var sources embed.FS

// loop is a process that runs the loop in C whenever it is told to.
type loop struct {
	b   *testing.B
	in  io.Writer
	out *bufio.Reader
}

// startLoop compiles testdata/engine.c, or for an SDK in C++ engine.cc, and
// starts it. It skips the benchmark where there is no compiler or SDK.
func startLoop(b *testing.B, c Case, args ...string) *loop {
	b.Helper()
	if runtime.GOOS == "windows" {
		b.Skip("the loop in C needs dlopen")
	}
	language, source := toolchain.C, c.Engine+".c"
	var sdk []string
	if recipe, ok := toolchain.Find(c.Engine); ok {
		language, source = toolchain.CXX, c.Engine+".cc"
		var err error
		if sdk, err = recipe.ProgramFlags(); err != nil {
			b.Skip(err)
		}
	}
	compiler, err := language.Compiler()
	if err != nil {
		skip(b, "%v", err)
	}
	dir := b.TempDir()
	if err := os.CopyFS(dir, sources); err != nil {
		b.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "testdata"), cinclude.Headers); err != nil {
		b.Fatal(err)
	}
	program := filepath.Join(dir, c.Engine)
	flags := append(compiler[1:len(compiler):len(compiler)], "-O2", "-o", program, filepath.Join(dir, "testdata", source))
	build := exec.Command(compiler[0], append(append(flags, sdk...), "-ldl", "-pthread")...)
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", build, err, out)
	}
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	return &loop{b, in, bufio.NewReader(out)}
}

// run makes n native calls, and returns the time and the sum of the outputs.
func (l *loop) run(n int) (time.Duration, float64) {
	if _, err := fmt.Fprintln(l.in, n); err != nil {
		l.b.Fatalf("the loop in C ended: %v", err)
	}
	line, _ := l.out.ReadString('\n')
	var ns int64
	var sum float64
	if _, err := fmt.Sscan(line, &ns, &sum); err != nil {
		l.b.Fatalf("the loop in C answers %q", line)
	}
	return time.Duration(ns), sum
}

// skip skips what this machine lacks something for; in CI it fails.
func skip(b *testing.B, format string, args ...any) {
	b.Helper()
	if os.Getenv("CI") == "true" {
		b.Fatalf(format, args...)
	}
	b.Skipf(format, args...)
}
