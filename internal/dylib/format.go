// SPDX-License-Identifier: Apache-2.0

package dylib

import (
	"bytes"
	"sync"
)

// vsnprintf returns the address of libc's function; the process has libc loaded.
var vsnprintf = sync.OnceValues(func() (uintptr, error) { return processSymbol("vsnprintf") })

// Format returns the text of a C format and its va_list, as a callback gets them.
// A va_list differs by platform, but is passed as one word on all of them, so the
// callback's word can be passed on to vsnprintf.
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
