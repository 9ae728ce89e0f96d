// SPDX-License-Identifier: Apache-2.0

package flatcheck

import (
	"bytes"
	"encoding/binary"
	"math"
)

// isNumberMap reports whether b is a FlexBuffer with a map of numbers. The options of
// the custom operators that SDKs implement are such maps.
func isNumberMap(b []byte) bool {
	f := flex(b)
	n := f.size()
	if n < 3 || f[n-2]>>2 != 9 {
		return false
	}
	root, width := n-2-int64(f[n-1]), int64(1)<<(f[n-2]&3)
	at := root - f.uint(root, int64(f[n-1]))
	count := f.uint(at-width, width)
	keysWidth := f.uint(at-2*width, width)
	keys := at - 3*width - f.uint(at-3*width, width)
	if at < 0 || count < 0 || count > 64 || at+count*(width+1) > n || f.uint(keys-keysWidth, keysWidth) != count {
		return false
	}
	for i := range count {
		key := keys + i*keysWidth
		if key -= f.uint(key, keysWidth); key < 0 || key >= n || bytes.IndexByte(f[key:], 0) < 0 {
			return false
		}
		value, kind := at+i*width, f[at+count*width+i]
		switch kind >> 2 {
		case 0, 1, 2, 3, 26: // stored inline
		case 6, 7, 8: // stored by its offset
			if value -= f.uint(value, width); !f.has(value, 1<<(kind&3)) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

type flex []byte

func (f flex) size() int64          { return int64(len(f)) }
func (f flex) has(at, n int64) bool { return at >= 0 && at <= f.size() && n <= f.size()-at }

// uint returns a number of width bytes, or outside if there is none.
func (f flex) uint(at, width int64) int64 {
	var all [8]byte
	if width != 1 && width != 2 && width != 4 && width != 8 || !f.has(at, width) {
		return outside
	}
	copy(all[:], f[at:at+width])
	if n := binary.LittleEndian.Uint64(all[:]); n <= math.MaxInt32 {
		return int64(n)
	}
	return outside
}

// outside is so small that its sum with, or difference from, any offset is outside
// the file.
const outside = math.MinInt64 / 2
