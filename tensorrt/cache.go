// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/cachefile"
)

// cacheKey identifies a plan by the model file, TensorRT's release, the kind of GPU
// and the options.
type cacheKey struct {
	Model   string
	Machine machine
	Options common.Options
	Plugins []string // digests
}

type machine struct{ Version, Device string }

// entry is a plan's place in the cache.
type entry struct {
	plan     cachefile.File
	timing   cachefile.File // measurements, shared by all plans of a machine
	lockFile string
	buildDir string
}

func newEntry(dir string, key cacheKey) (e entry, err error) {
	if e.plan, err = cachefile.New(dir, ".plan", key); err != nil {
		return e, err
	}
	base := strings.TrimSuffix(e.plan.Path, ".plan")
	e.lockFile, e.buildDir = base+".lock", base+".building"
	e.timing, err = cachefile.New(dir, ".timing", key.Machine)
	return e, err
}

// prepare makes the folder of the build, with the measurements of earlier builds.
func (e entry) prepare() error {
	if err := os.Mkdir(e.buildDir, 0o700); err != nil {
		return err
	}
	timing, err := e.timing.Read(context.Background())
	if err != nil {
		return nil // the first build here
	}
	defer timing.Files.Release()
	return os.WriteFile(filepath.Join(e.buildDir, "timing"), timing.Data, 0o600)
}

// commit moves the plan and the measurements of a build into the cache. If two
// processes have measured at the same time, the last one's measurements stay.
func (e entry) commit(r request, precision common.DType) error {
	if err := e.timing.Replace(r.timing, ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return e.plan.Replace(r.save, trailer(precision))
}

// trailer returns the bytes after a plan in its file: the precision of its
// arithmetic, which cannot be read from a plan, and the precision's length in a byte.
func trailer(p common.DType) string {
	text := ""
	if p != 0 {
		text = p.String()
	}
	return text + string(rune(len(text)))
}

// splitTrailer is the inverse of trailer.
func splitTrailer(data []byte) (precision string, plan []byte) {
	end := len(data) - 1
	if end < 0 || int(data[end]) > end {
		return "", nil
	}
	begin := end - int(data[end])
	return string(data[begin:end]), data[:begin]
}
