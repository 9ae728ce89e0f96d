// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"time"
)

var fuzzTarget = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

// fuzzTargets fuzzes the targets of the module that are named, else all. What
// fails go test keeps in testdata/fuzz of the package, where it is a test from
// then on.
func fuzzTargets(args []string) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	each := flags.Duration("time", 10*time.Second, "how long to fuzz each target")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	var problems []error
	found := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		text, err := os.ReadFile(file)
		for _, m := range fuzzTarget.FindAllSubmatch(text, -1) {
			name := path.Dir(file) + " " + string(m[1])
			if !strings.Contains(name, strings.Join(flags.Args(), " ")) {
				continue
			}
			found++
			t := &task{out: os.Stdout, env: os.Environ()}
			t.sh(fmt.Sprintf("go test -run '^$' -fuzz '^%s$' -fuzztime %v ./%s", m[1], *each, path.Dir(file)))
			problems = append(problems, t.err)
		}
		return err
	})
	if found == 0 {
		err = errors.New("there is no such fuzz target")
	}
	return errors.Join(append(problems, err)...)
}
