// SPDX-License-Identifier: Apache-2.0

package dylib

import "errors"

// CStderr writes text to the stderr of the C library, like an SDK.
func CStderr(text string) error {
	fputs, err := processSymbol("fputs")
	stderr, err2 := processSymbol("stderr")
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	stream := make([]uintptr, 1)
	CopyOut(stream, stderr)
	l := Library{addrs: []uintptr{fputs}}
	l.Call(0, String(text), Int(stream[0]))
	return nil
}
