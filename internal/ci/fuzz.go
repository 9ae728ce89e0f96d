// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

// fuzzTargets fuzzes the targets whose folder and name contain the arguments. Each
// starts from the corpus in testdata/fuzz of its package, where go test adds an
// input that fails, and from the inputs that earlier runs left in Go's cache.
// Inputs are minimized for a moment only, which would else take all of the time.
func fuzzTargets(args []string) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	each := flags.Duration("time", 10*time.Second, "how long to fuzz each target")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	t := &task{out: os.Stdout, env: os.Environ()}
	targets := t.sh(`grep -ro --include='*_test.go' '^func Fuzz[A-Za-z0-9]*' .`)
	for _, m := range regexp.MustCompile(`(?m)^\./(.*)/.*:func (Fuzz\w+)$`).FindAllStringSubmatch(targets, -1) {
		if strings.Contains(m[1]+" "+m[2], strings.Join(flags.Args(), " ")) {
			t.sh(fmt.Sprintf("go test -run '^$' -fuzz '^%s$' -fuzztime %v -fuzzminimizetime 10x ./%s", m[2], *each, m[1]))
		}
	}
	return t.err
}
