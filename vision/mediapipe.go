// SPDX-License-Identifier: Apache-2.0

package vision

// asMediaPipe makes f read the pixels that MediaPipe reads, and returns the map from
// points of the input to points of the picture. MediaPipe scales the numbers of pixels,
// which have whole centres, but it takes points of the input as if their corners had been
// scaled: if the picture is four times as large as the input, that is 1.5 pixels apart.
func (f *filler) asMediaPipe(fit Fit) Affine {
	w, h := float32(f.size.X), float32(f.size.Y)
	x, y := w/float32(f.out.X), h/float32(f.out.Y)
	switch fit {
	case Letterbox, LetterboxCorner, InsightFace:
		x, y = max(x, y), max(x, y)
	case Crop:
		x, y = min(x, y), min(x, y)
	}
	back := Affine{x, 0, 0, 0, y, 0}
	if fit != LetterboxCorner && fit != InsightFace {
		back[2], back[5] = (w-x*float32(f.out.X))/2, (h-y*float32(f.out.Y))/2
	}
	f.warp(Affine{x, 0, back[2] + (1-x)/2, 0, y, back[5] + (1-y)/2}, true)
	return back
}
