// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"log/slog"
	"strconv"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/testing/enginebench"
)

var digits = enginebench.Case{Engine: engine, Model: "../testdata/digits.xml"}

// BenchmarkSession hands the loop in C the properties of the Go side.
func BenchmarkSession(b *testing.B) {
	c := digits
	c.Args = loopArgs(b, 1)
	enginebench.Session(b, c)
}

// BenchmarkThroughput compares two goroutines with C that has a compiled model
// for each of two threads.
func BenchmarkThroughput(b *testing.B) {
	c := digits
	c.Args = loopArgs(b, 2)
	enginebench.Throughput(b, c, 2)
}

func BenchmarkModel(b *testing.B) { enginebench.Model(b, digits) }

// loopArgs are the element type and the properties for the loop in C: those of
// a model with that many sessions of one thread.
func loopArgs(b *testing.B, sessions int) []string {
	opened, err := open(common.Config{Logger: slog.Default()})
	if err != nil {
		return nil // the benchmark will skip
	}
	defer opened.Close()
	d, o := opened.(*driver), common.Options{Threads: 1, Sessions: sessions}
	set, err := d.settings(defaultDevice, o)
	if err != nil {
		b.Fatal(err)
	}
	set.split(defaultDevice, o)
	args := []string{strconv.Itoa(d.release.code(common.Float32))}
	for _, p := range set.sorted() {
		args = append(args, p.key, p.value)
	}
	return args
}
