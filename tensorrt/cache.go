// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anyinfer/anyinfer/common"
)

// cacheKey identifies a plan by the model file, TensorRT's release, the kind of GPU
// and the options. Its JSON is the key, because that delimits fields and sorts maps.
type cacheKey struct {
	Model   string
	Machine machine
	Options common.Options
	Plugins []string // digests
}

type machine struct{ Version, Device string }

// entry is a plan's place in the cache.
type entry struct {
	plan     checksummedFile
	timing   checksummedFile // measurements, shared by all plans of a machine
	lockFile string
	buildDir string
}

func newEntry(dir string, key cacheKey) (entry, error) {
	all, err := json.Marshal(key)
	if err != nil {
		return entry{}, err
	}
	machine, err := json.Marshal(key.Machine)
	if err != nil {
		return entry{}, err
	}
	path := func(key []byte, ext string) string {
		sum := sha256.Sum256(key)
		return filepath.Join(dir, hex.EncodeToString(sum[:16])+ext)
	}
	return entry{
		plan:     checksummedFile{path(all, ".plan"), all},
		timing:   checksummedFile{path(machine, ".timing"), machine},
		lockFile: path(all, ".lock"),
		buildDir: path(all, ".building"),
	}, nil
}

// prepare makes the folder of the build, with the measurements of earlier builds.
func (e entry) prepare() error {
	if err := os.Mkdir(e.buildDir, 0o700); err != nil {
		return err
	}
	timing, err := e.timing.read(context.Background())
	if err != nil {
		return nil // the first build here
	}
	defer timing.files.Release()
	return os.WriteFile(filepath.Join(e.buildDir, "timing"), timing.data, 0o600)
}

// commit moves the plan and the measurements of a build into the cache. If two
// processes have measured at the same time, the last one's measurements stay.
func (e entry) commit(r request, precision common.DType) error {
	if err := e.timing.replace(r.timing, ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return e.plan.replace(r.save, trailer(precision))
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

// checksummedFile is a file that ends in a checksum of its content and its key.
// It is replaced atomically, so that no reader sees half of it.
type checksummedFile struct {
	path string
	key  []byte
}

// content has a file's bytes before its checksum, in memory of files.
type content struct {
	files *common.ModelFiles
	data  []byte
}

func (c checksummedFile) read(ctx context.Context) (content, error) {
	files, err := common.OpenFiles(ctx, common.File(c.path))
	if err != nil {
		return content{}, err
	}
	file := files.Bytes(0)
	n := max(len(file)-sha256.Size, 0)
	h := sha256.New()
	h.Write(file[:n])
	h.Write(c.key)
	if !bytes.Equal(h.Sum(nil), file[n:]) {
		files.Release()
		return content{}, errors.New("its checksum is wrong")
	}
	return content{files, file[:n]}, nil
}

// replace appends text and a checksum to the file from, which must be on the same
// file system, and renames it to c.path.
func (c checksummedFile) replace(from, text string) error {
	f, err := os.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	h := sha256.New()
	if _, err = io.Copy(h, f); err == nil {
		io.WriteString(h, text)
		h.Write(c.key)
		_, err = f.Write(append([]byte(text), h.Sum(nil)...))
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(from, c.path)
}
