// SPDX-License-Identifier: Apache-2.0

package headercheck

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/anyinfer/anyinfer/internal/dylib"
	"github.com/anyinfer/anyinfer/internal/testing/enginetest"
	"github.com/stretchr/testify/require"
)

const header = `
#include <stdint.h>
typedef enum { RED = 3, BLUE } color;
#define FLAG 0x10
typedef struct { int32_t n; const char* name; } thing;
color paint(const thing* t, int32_t times);
thing* make();
typedef struct { void (*stop)(thing* t); color (*tint)(const thing* t, int32_t n) __attribute__((nothrow)); } api;
`

// TestCheck: what agrees passes, and each difference is an error.
func TestCheck(t *testing.T) {
	cc, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "cc"))
	if err != nil {
		enginetest.Missing(t, "no C compiler: "+err.Error())
	}
	type thing = struct {
		_ int32
		_ uintptr
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.h"), []byte(header), 0o666))
	for name, test := range map[string]struct {
		change func(*Check)
		want   string // "": passes
	}{
		"agrees":            {func(*Check) {}, ""},
		"parameter":         {func(c *Check) { c.Table[0].C = "color paint(const thing* t, int64_t times)" }, "conflicting types for 'paint'"},
		"const":             {func(c *Check) { c.Table[0].C = "color paint(thing* t, int32_t times)" }, "conflicting types for 'paint'"},
		"result":            {func(c *Check) { c.Table[0].C = "void paint(const thing* t, int32_t times)" }, "conflicting types for 'paint'"},
		"number":            {func(c *Check) { c.Table[0].C = "color paint()" }, "conflicting types for 'paint'"},
		"no function":       {func(c *Check) { c.Table[1].C = "void unmake(thing* t)" }, "unmake: in the headers: false, in Uncovered: false"},
		"enum":              {func(c *Check) { c.Values["BLUE"] = 5 }, "BLUE == 5"},
		"macro":             {func(c *Check) { c.Values["FLAG"] = 8 }, "FLAG == 8"},
		"no constant":       {func(c *Check) { c.Values["GREEN"] = 5 }, "GREEN: in the headers: false, in Uncovered: false"},
		"size":              {func(c *Check) { c.Structs[0] = Struct{C: "thing", Go: struct{ _ int32 }{}, Members: "n"} }, "sizeof(thing) == 4"},
		"member":            {func(c *Check) { c.Structs[0].Members = "n title" }, "no member named 'title'"},
		"order":             {func(c *Check) { c.Structs[0].Members = "name n" }, "offsetof(thing, name) == 0"},
		"members":           {func(c *Check) { c.Structs[0].Members = "n" }, "1 members are named for the 2 fields"},
		"no struct":         {func(c *Check) { c.Structs[0].C = "other" }, "other: in the headers: false, in Uncovered: false"},
		"slot":              {func(c *Check) { c.Slots = map[string]map[int]string{"api": {1: "void stop(thing* t)"}} }, "offsetof(api, stop) == 1 * sizeof(void *)"},
		"slot's type":       {func(c *Check) { c.Slots["api"][1] = "color tint(thing* t, int32_t n)" }, "_Generic(((api *)0)->tint, color (*)(thing* t, int32_t n): 1, default: 0)"},
		"slot's result":     {func(c *Check) { c.Slots["api"][0] = "int64_t stop(thing* t)" }, "_Generic(((api *)0)->stop, int64_t (*)(thing* t)"},
		"no slot":           {func(c *Check) { c.Slots["api"][2] = "void paint(thing* t)" }, "paint: in the headers: false, in Uncovered: false"},
		"uncovered slot":    {func(c *Check) { c.Uncovered["go"], c.Slots["api"][2] = "new", "void go(void)" }, ""},
		"no header":         {func(c *Check) { c.Headers = []string{"y.h"} }, "y.h"},
		"covered after":     {func(c *Check) { c.Uncovered["make"] = "old" }, "make: in the headers: true, in Uncovered: true"},
		"uncovered":         {func(c *Check) { c.Uncovered["GREEN"], c.Values["GREEN"] = "new", 5 }, ""},
		"no longer checked": {func(c *Check) { c.Uncovered["GREEN"] = "new" }, "GREEN: nothing in this check"},
	} {
		c := Check{
			Dir: dir, Headers: []string{"x.h"},
			Table:     []dylib.Decl{{C: "color paint(const thing* what, int32_t n)"}, {C: "thing* make(void)"}},
			Values:    map[string]int64{"RED": 3, "BLUE": 4, "FLAG": 16},
			Structs:   []Struct{{C: "thing", Go: thing{}, Members: "n name"}},
			Slots:     map[string]map[int]string{"api": {0: "void stop(thing*)", 1: "color tint(const thing* what, int32_t n)"}},
			Uncovered: map[string]string{},
		}
		test.change(&c)
		if err := c.run(cc); test.want == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, test.want, name)
		}
	}
}
