// SPDX-License-Identifier: Apache-2.0

package openvino

import (
	"log/slog"
	"strconv"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/enginebench"
)

var digits = enginebench.Case{Engine: engine, Model: "../testdata/digits.xml"}

// BenchmarkSession hands the loop in C the properties of the Go side.
func BenchmarkSession(b *testing.B) {
	c := digits
	if opened, err := open(common.Config{Logger: slog.Default()}); err == nil { // else it will skip
		d := opened.(*driver)
		properties, err := d.properties(defaultDevice, common.Options{Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		c.Args = []string{strconv.Itoa(d.release.code(common.Float32))}
		for _, p := range properties {
			c.Args = append(c.Args, p.key, p.value)
		}
		d.Close()
	}
	enginebench.Session(b, c)
}

func BenchmarkModel(b *testing.B)    { enginebench.Model(b, digits) }
func BenchmarkParallel(b *testing.B) { enginebench.Parallel(b, digits) }
