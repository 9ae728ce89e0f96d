// SPDX-License-Identifier: Apache-2.0

package vision

import "image"

// Orientation returns the EXIF orientation, 1 to 8, of a JPEG, PNG, WebP or TIFF file;
// 1 if it has none. Decode needs no help; this is for programs with another decoder.
func Orientation(file []byte) int { return orientation(file) }

// Upright returns img as an EXIF orientation wants it.
func Upright(img image.Image, orientation int) image.Image { return turned(img, orientation) }
