// SPDX-License-Identifier: Apache-2.0

package turbojpeg

import (
	"sync"

	"github.com/anyinfer/anyinfer/internal/dylib"
)

var spec = dylib.Spec{
	Engine: "turbojpeg", Stem: "turbojpeg",
	// The loader of macOS does not search Homebrew's folders.
	Sonames: []string{"libturbojpeg.so.0", "libturbojpeg.dll", "/opt/homebrew/lib/libturbojpeg.dylib", "/usr/local/lib/libturbojpeg.dylib"},
	Install: "install libjpeg-turbo 2.0 or newer (Debian and Ubuntu: apt install libturbojpeg0; Fedora: dnf install turbojpeg; macOS: brew install jpeg-turbo)",
}

// These are the functions of turbojpeg.h that this package calls. Releases 2 and 3
// have them.
const (
	initDecompress = iota
	destroy
	decompressHeader
	decompress
	errorString
)

var table = []dylib.Decl{
	initDecompress:   {C: "tjhandle tjInitDecompress(void)"},
	destroy:          {C: "int tjDestroy(tjhandle handle)"},
	decompressHeader: {C: "int tjDecompressHeader3(tjhandle handle, const unsigned char *jpegBuf, unsigned long jpegSize, int *width, int *height, int *jpegSubsamp, int *jpegColorspace)"},
	decompress:       {C: "int tjDecompress2(tjhandle handle, const unsigned char *jpegBuf, unsigned long jpegSize, unsigned char *dstBuf, int width, int pitch, int height, int pixelFormat, int flags)"},
	errorString:      {C: "char *tjGetErrorStr2(tjhandle handle)"},
}

// These are constants of turbojpeg.h.
const (
	colorCMYK, colorYCCK = 3, 4
	formatRGBA           = 7
	limitScans           = 32768
)

// open opens the library once.
var open = sync.OnceValues(func() (*dylib.Library, error) { return dylib.Open(spec, table, "") })
