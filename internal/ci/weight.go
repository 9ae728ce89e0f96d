// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// mostScaffolding is how many lines of tests' suites, stand-ins and tooling there may be.
const mostScaffolding = 7400

// mostCode is how many lines of code a room may have.
var mostCode = map[string]int{"vision": 5150}

const (
	none        = iota // not counted
	product            // what users link or run
	checks             // of files from strangers
	scaffolding        // suites, stand-ins, tooling
)

var (
	counted   = regexp.MustCompile(`\.(go|c|cc|h|hpp|s|py|sh)$|^Makefile$|^\.ci/`)
	leftOut   = regexp.MustCompile(`_test\.go$|(^|/)testdata/`)
	generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	code      = regexp.MustCompile(`(?m)^[ \t]*([^\s/]|/[^/])`) // a line that is neither a comment nor blank
	rooms     = regexp.MustCompile(`^(internal/)?[^/]+`)
	sides     = map[string]int{
		"Makefile": scaffolding, ".ci": scaffolding, "internal/ci": scaffolding, "internal/testing": scaffolding,
		"internal/flatbuf": checks, "internal/flatcheck": checks, "internal/mnncheck": checks, "internal/tnncheck": checks,
		"internal/onnxfile": checks, "internal/onnxfile/describe.go": product,
	}
)

// kind is on which side a file counts and in which room of the house.
func kind(file string) (side int, room string) {
	if leftOut.MatchString(file) || !counted.MatchString(file) {
		return none, ""
	}
	room = rooms.FindString(file)
	return cmp.Or(sides[file], sides[room], product), room
}

// runWeight counts lines as the rule on weight says, and fails where what is not the product is too much of it.
func runWeight([]string) error {
	list, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		return err
	}
	lines, codes, total := map[string][4]int{}, map[string]int{}, [4]int{}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		side, room := kind(file)
		if side == none {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !generated.Match(text) {
			n, of := bytes.Count(text, []byte("\n")), lines[room]
			of[side] += n
			total[side] += n
			lines[room] = of
			codes[room] += len(code.FindAllIndex(text, -1))
		}
	}
	const row = "%-22s %8v %8v %12v\n"
	fmt.Printf(row, "", "product", "checks", "scaffolding")
	for _, room := range slices.Sorted(maps.Keys(lines)) {
		fmt.Printf(row, room, lines[room][product], lines[room][checks], lines[room][scaffolding])
	}
	fmt.Printf(row, "total", total[product], total[checks], total[scaffolding])
	return tooHeavy(total, codes)
}

func tooHeavy(total [4]int, codes map[string]int) error {
	for room, most := range mostCode {
		if codes[room] > most {
			return fmt.Errorf("%s has %d lines of code; %d are the most", room, codes[room], most)
		}
	}
	switch other := total[checks] + total[scaffolding]; {
	case total[scaffolding] > mostScaffolding:
		return fmt.Errorf("the scaffolding has %d lines; %d are the most", total[scaffolding], mostScaffolding)
	case 2*other > total[product]:
		return fmt.Errorf("checks and scaffolding have %d lines, more than half of the product's %d", other, total[product])
	}
	return nil
}
