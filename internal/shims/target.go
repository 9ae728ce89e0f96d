// SPDX-License-Identifier: Apache-2.0

package shims

import (
	"cmp"
	"debug/elf"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// machines are the processors that shims are compiled for, by GOARCH.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM}

// For is the recipe for a target, GOOS/GOARCH as in linux/arm64; "" is this machine.
func (r Recipe) For(target string) (Recipe, error) {
	goos, goarch, _ := strings.Cut(target, "/")
	if target == "" {
		return r, nil
	}
	if goos != "linux" || machines[goarch] == 0 {
		var known []string
		for arch := range machines {
			known = append(known, "linux/"+arch)
		}
		slices.Sort(known)
		return r, fmt.Errorf("shims are not compiled for %q; they are for %s", target, strings.Join(known, ", "))
	}
	r.SDK.Arch = goarch
	return r, nil
}

// GOARCH is that of the SDK.
func (s SDK) GOARCH() string { return cmp.Or(s.Arch, runtime.GOARCH) }

// check removes a library that is for another processor: $CXX may be a compiler for this one.
func (s SDK) check(library string) error {
	want, known := machines[s.GOARCH()]
	if !known {
		return nil
	}
	f, err := elf.Open(library)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Machine != want {
		os.Remove(library)
		return fmt.Errorf("the compiler made a library for %v, not for %v: name one for linux/%s in $CXX", f.Machine, want, s.GOARCH())
	}
	return nil
}
