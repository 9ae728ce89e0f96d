// SPDX-License-Identifier: Apache-2.0

package toolchain

import (
	"cmp"
	"debug/elf"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/internal/platform"
)

// For returns the recipe for a target, GOOS/GOARCH as in linux/arm64; "" means this machine.
func (r Recipe) For(target string) (Recipe, error) {
	goos, goarch, _ := strings.Cut(target, "/")
	if target == "" {
		return r, nil
	}
	if _, known := platform.Linux[goarch]; goos != "linux" || !known {
		return r, fmt.Errorf("shims are not compiled for %q; they are for linux/%s", target, strings.Join(slices.Sorted(maps.Keys(platform.Linux)), ", linux/"))
	}
	r.SDK.Arch = goarch
	return r, nil
}

// GOARCH returns the GOARCH of the SDK.
func (s SDK) GOARCH() string { return cmp.Or(s.Arch, runtime.GOARCH) }

// check removes a library that is for another processor: $CXX may not be the cross compiler.
func (s SDK) check(library string) error {
	want, known := platform.Linux[s.GOARCH()]
	if !known {
		return nil
	}
	f, err := elf.Open(library)
	if err != nil {
		return err
	}
	defer f.Close()
	if !want.Is(f) {
		os.Remove(library)
		return fmt.Errorf("the compiler made a library for %s, not for %s: name one for linux/%s in $CXX", platform.Name(f.Machine, f.Class), want.Name, s.GOARCH())
	}
	return nil
}
