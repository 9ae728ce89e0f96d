// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// mostScaffolding is how many lines of tests' suites, stand-ins and tooling
// there may be.
const mostScaffolding = 7000

const (
	product     = iota // what users link or run
	checks             // of files from strangers
	scaffolding        // suites, stand-ins, tooling
)

var (
	generated = regexp.MustCompile(`(?m)^// Code generated .* DO NOT EDIT\.$`)
	sources   = map[string]bool{".go": true, ".c": true, ".cc": true, ".h": true, ".hpp": true, ".s": true, ".py": true, ".sh": true}
	checkers  = map[string]bool{"internal/flatbuf": true, "internal/flatcheck": true, "internal/mnncheck": true, "internal/tnncheck": true, "internal/onnxcheck": true}
)

// kind is on which side a file counts and in which room of the house; ok is
// false where it does not count.
func kind(file string) (side int, room string, ok bool) {
	parts := strings.Split(file, "/")
	room = parts[0]
	if room == "internal" && len(parts) > 2 {
		room += "/" + parts[1]
	}
	switch {
	case strings.HasSuffix(file, "_test.go"), slices.Contains(parts, "testdata"):
		return 0, "", false
	case file == "Makefile", room == ".ci":
		return scaffolding, room, true
	case !sources[path.Ext(file)]:
		return 0, "", false
	case checkers[room]:
		return checks, room, true
	case room == "internal/testing", room == "internal/ci":
		return scaffolding, room, true
	}
	return product, room, true
}

// runWeight counts lines as the rule on weight says, and fails where what is not
// the product is too much of it.
func runWeight([]string) error {
	list, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		return err
	}
	rooms, total := map[string][3]int{}, [3]int{}
	for file := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		side, room, ok := kind(file)
		if !ok {
			continue
		}
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			return err
		}
		if generated.Match(text) {
			continue
		}
		lines, r := bytes.Count(text, []byte("\n")), rooms[room]
		r[side] += lines
		total[side] += lines
		rooms[room] = r
	}
	const row = "%-22s %8v %8v %12v\n"
	fmt.Printf(row, "", "product", "checks", "scaffolding")
	for _, room := range slices.Sorted(maps.Keys(rooms)) {
		r := rooms[room]
		fmt.Printf(row, room, r[product], r[checks], r[scaffolding])
	}
	fmt.Printf(row, "total", total[product], total[checks], total[scaffolding])
	return tooHeavy(total)
}

func tooHeavy(total [3]int) error {
	switch other := total[checks] + total[scaffolding]; {
	case total[scaffolding] > mostScaffolding:
		return fmt.Errorf("the scaffolding has %d lines; %d are the most", total[scaffolding], mostScaffolding)
	case 2*other > total[product]:
		return fmt.Errorf("checks and scaffolding have %d lines, more than half of the product's %d", other, total[product])
	}
	return nil
}
