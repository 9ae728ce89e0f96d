// SPDX-License-Identifier: Apache-2.0

package headercheck

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/internal/sdkdir"
	"github.com/stretchr/testify/require"
)

// SDKs returns the installed SDKs of an engine, newest first, whose include
// folders have headers.
func SDKs(t *testing.T, engine string) []sdkdir.SDK {
	t.Helper()
	sdks := slices.DeleteFunc(sdkdir.Installed(engine), func(s sdkdir.SDK) bool {
		_, err := os.Stat(filepath.Join(s.Dir, "include"))
		return err != nil
	})
	if len(sdks) == 0 {
		missing(t, "no SDK with headers: run 'anyinfer sdk install %s'", engine)
	}
	return sdks
}

// TFLite returns a folder with the C headers of TFLite, from about 2.19, and of
// LiteRT 2.1.6, in the folders tensorflow and litert.
func TFLite(t *testing.T) string {
	t.Helper()
	return crate(t, "edgefirst-tflite-sys-0.10.3", "458c8adba94ceeb5f15a6c7d28553f5622110dd29b74b5b9b535a3988f5eaba5")
}

// TensorRT returns a folder with the C++ headers of TensorRT 11.4.
func TensorRT(t *testing.T) string {
	t.Helper()
	return filepath.Join(crate(t, "trtx-sys-0.9.1+rtx1.7", "5480ee056292951daa1bc74532162d6cb75190f091e45d7d97c0c356916ae171"), "TensorRT-Headers", "TRT-Enterprise-11.4")
}

// crate returns a folder with the headers that a crate carries. `make headers`
// has cargo fetch it.
func crate(t *testing.T, name, sha string) string {
	t.Helper()
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	cargo := cmp.Or(os.Getenv("CARGO_HOME"), filepath.Join(home, ".cargo"))
	files, err := filepath.Glob(filepath.Join(cargo, "registry", "cache", "*", name+".crate"))
	require.NoError(t, err)
	if len(files) == 0 {
		missing(t, "%s has no crate %s: run 'make headers'", cargo, name)
	}
	archive, err := os.ReadFile(files[0])
	require.NoError(t, err)
	digest := sha256.Sum256(archive)
	require.Equal(t, sha, hex.EncodeToString(digest[:]), files[0])
	dir := t.TempDir()
	require.NoError(t, unpack(archive, dir))
	return filepath.Join(dir, name)
}

// typed matches a C++ and C23 way to write an enum, in one place of TFLite's.
var typed = regexp.MustCompile(`(enum \w+) : int `)

// unpack unpacks the headers of a .tar.gz.
func unpack(archive []byte, dir string) error {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !strings.HasSuffix(h.Name, ".h") {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		text = typed.ReplaceAll(text, []byte("$1 "))
		// Files of these other names, which the crate lacks, only include those.
		for _, folder := range []string{"/tensorflow/lite/core/c/", "/tensorflow/lite/c/", "/tflite/c/"} {
			to := filepath.Join(dir, strings.Replace(h.Name, "/tensorflow/lite/core/c/", folder, 1))
			if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o777), os.WriteFile(to, text, 0o666)); err != nil {
				return err
			}
		}
	}
}
