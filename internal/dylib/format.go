// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"bytes"
	"sync"
)

// vsnprintf is libc's, which the process has loaded already.
var vsnprintf = sync.OnceValues(func() (uintptr, error) { return processSymbol("vsnprintf") })

// Format prints a C format with its va_list, as both come to a callback. How
// a va_list is passed on differs by platform, but it is one word everywhere:
// what the callback got is what vsnprintf takes.
func Format(format, args uintptr) string {
	addr, err := vsnprintf()
	if err != nil {
		return GoString(format)
	}
	text := make([]byte, 4096)
	l := Library{addrs: []uintptr{addr}}
	l.Call(0, Slice(text), Int(len(text)), Int(format), Int(args))
	text, _, _ = bytes.Cut(text, []byte{0})
	return string(text)
}
