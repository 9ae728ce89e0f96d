// SPDX-License-Identifier: Apache-2.0

package vision

import "image/color"

// neutral is the chroma of gray.
var neutral = [1]byte{128}

// blendPlanes computes the colors between pixels of two rows of Y'CbCr, and converts
// those to RGB, which is the same in another order unless a color is outside of RGB.
func blendPlanes(to []uint32, columns []tap, weight uint32, y0, y1, cb0, cb1, cr0, cr1 []byte) {
	columns = columns[:len(to)]
	for x := range to {
		t := &columns[x]
		ws := uint64(t.weight * weight)
		wr, wq := uint64(one*weight)-ws, uint64(one*t.weight)-ws
		wp := one*one - ws - wr - wq
		a, b := t.chromaA, t.chromaB
		yp, yq, yr, ys := y0[t.a], y0[t.b], y1[t.a], y1[t.b]
		bp, bq, br, bs := cb0[a], cb0[b], cb1[a], cb1[b]
		rp, rq, rr, rs := cr0[a], cr0[b], cr1[a], cr1[b]
		if outside(yp, bp, rp)|outside(yq, bq, rq)|outside(yr, br, rr)|outside(ys, bs, rs) != 0 {
			p, q, r, s := rgb(yp, bp, rp), rgb(yq, bq, rq), rgb(yr, br, rr), rgb(ys, bs, rs)
			to[x] = pack(wp*redBlue(p)+wq*redBlue(q)+wr*redBlue(r)+ws*redBlue(s)+half<<32+half,
				wp*uint64(p>>8&0xff)+wq*uint64(q>>8&0xff)+wr*uint64(r>>8&0xff)+ws*uint64(s>>8&0xff)+half)
			continue
		}
		y := int32(wp*uint64(yp)+wq*uint64(yq)+wr*uint64(yr)+ws*uint64(ys)) + half
		c := wp*(uint64(bp)|uint64(rp)<<32) + wq*(uint64(bq)|uint64(rq)<<32) + wr*(uint64(br)|uint64(rr)<<32) + ws*(uint64(bs)|uint64(rs)<<32)
		cb, cr := int32(uint32(c)>>16)-128<<6, int32(c>>48)-128<<6
		to[x] = uint32(clamp((y+91881*cr)>>22) | clamp((y-22554*cb-46802*cr)>>22)<<8 | clamp((y+116130*cb)>>22)<<16)
	}
}

func rgb(y, cb, cr uint8) uint32 {
	r, g, b := color.YCbCrToRGB(y, cb, cr)
	return uint32(r) | uint32(g)<<8 | uint32(b)<<16
}

// blues and reds have what Cb and Cr add to green, blue and red, in three parts of a
// number, with 8 bits of fraction and, together, 256 added.
var blues, reds = func() (b, r [256]uint64) {
	for i := range 256 {
		c := int64(i) - 128
		b[i] = uint64((-22554*c)>>8 + (116130*c>>8+1<<16)<<21)
		r[i] = uint64((-46802*c)>>8 + 1<<16 + (91881*c>>8+1<<16)<<42)
	}
	return b, r
}()

// outside is not 0 if the color is darker than black or brighter than white in red,
// green or blue.
func outside(y, cb, cr uint8) uint64 {
	const parts = 1 | 1<<21 | 1<<42
	return (blues[cb] + reds[cr] + uint64(y)*(parts<<8) ^ parts<<16) & (parts * 3 << 16)
}
