// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"regexp"
	"strings"

	"github.com/anyinfer/anyinfer/common"
)

// Decl declares one C function. An engine's table of Decls is the only list of the
// functions that it uses; its constants are indexes of the table.
type Decl struct {
	C     string // the prototype, which has the function's name
	Since string // the first release with the function, if some lack it: see Has
}

var declared = regexp.MustCompile(`(\w+)\s*\(`)

// Name returns the function's name.
func (d Decl) Name() string {
	if m := declared.FindStringSubmatch(d.C); m != nil {
		return m[1]
	}
	return d.C
}

// bind resolves table in the library behind handle.
func bind(spec Spec, path string, handle uintptr, table []Decl) ([]uintptr, error) {
	addrs := make([]uintptr, len(table))
	var missing []string
	for i, d := range table {
		addr, err := symbol(handle, d.Name())
		if err != nil && d.Since == "" {
			missing = append(missing, d.Name())
		}
		addrs[i] = addr
	}
	if missing != nil {
		return nil, &common.Error{
			Engine: spec.Engine, Op: "open", Path: path, Kind: common.ErrVersion,
			Message: "the library lacks " + strings.Join(missing, ", "),
			Hint:    "install a version that works: " + spec.install(),
		}
	}
	return addrs, nil
}
