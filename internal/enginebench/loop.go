// SPDX-License-Identifier: Apache-2.0

package enginebench

import (
	"bufio"
	"cmp"
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
)

//go:embed testdata
var sources embed.FS

// loop is a process that runs the loop in C whenever it is told to.
type loop struct {
	b   *testing.B
	in  io.Writer
	out *bufio.Reader
}

// startLoop compiles testdata/engine.c and starts it. It skips the benchmark
// where there is no C compiler.
func startLoop(b *testing.B, engine string, args ...string) *loop {
	b.Helper()
	if runtime.GOOS == "windows" {
		b.Skip("the loop in C needs dlopen")
	}
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		skip(b, "no C compiler for the loop in C: %v", err)
	}
	dir := b.TempDir()
	if err := os.CopyFS(dir, sources); err != nil {
		b.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "testdata"), cinclude.Headers); err != nil {
		b.Fatal(err)
	}
	program := filepath.Join(dir, engine)
	build := exec.Command(cc, "-O2", "-o", program, filepath.Join(dir, "testdata", engine+".c"), "-ldl")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", build, err, out)
	}
	c := exec.Command(program, args...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); c.Wait() })
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
