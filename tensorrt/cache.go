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

// identity is what a plan depends on: the file, TensorRT's release and the
// kind of GPU, the options. Its JSON is the key of the cache: every field counts,
// each apart from the others, and maps are in order.
type identity struct {
	Model   string
	Machine machine
	Options common.Options
	Plugins []string // digests
}

type machine struct{ Version, Device string }

// entry is a plan's place in the cache.
type entry struct {
	plan   checksummed
	timing checksummed // measurements, which all plans of a machine share
	lock   string
	work   string // a folder to build in
}

func newEntry(dir string, id identity) (entry, error) {
	all, err := json.Marshal(id)
	if err != nil {
		return entry{}, err
	}
	machine, err := json.Marshal(id.Machine)
	if err != nil {
		return entry{}, err
	}
	path := func(key []byte, ext string) string {
		sum := sha256.Sum256(key)
		return filepath.Join(dir, hex.EncodeToString(sum[:16])+ext)
	}
	return entry{
		plan:   checksummed{path(all, ".plan"), all},
		timing: checksummed{path(machine, ".timing"), machine},
		lock:   path(all, ".lock"),
		work:   path(all, ".building"),
	}, nil
}

// begin makes the folder to build in, with the measurements there are.
func (e entry) begin() error {
	if err := os.Mkdir(e.work, 0o700); err != nil {
		return err
	}
	timing, err := e.timing.read(context.Background())
	if err != nil {
		return nil // the first build here
	}
	defer timing.files.Release()
	return os.WriteFile(filepath.Join(e.work, "timing"), timing.data, 0o600)
}

// keep moves what was built into the cache. Where two processes have measured
// at once, the last one's measurements stay.
func (e entry) keep(r request, precision common.DType) error {
	if err := e.timing.take(r.timing, ""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return e.plan.take(r.save, precisionText(precision))
}

// A plan in the cache ends in what it computes in, which TensorRT does not
// tell, and the length of that in a byte.
func precisionText(p common.DType) string {
	text := ""
	if p != 0 {
		text = p.String()
	}
	return text + string(rune(len(text)))
}

func cutPrecision(data []byte) (precision string, plan []byte) {
	end := len(data) - 1
	if end < 0 || int(data[end]) > end {
		return "", nil
	}
	begin := end - int(data[end])
	return string(data[begin:end]), data[:begin]
}

// checksummed is a file that ends in a checksum of itself and of what it is
// for. It is there whole or not at all.
type checksummed struct {
	path string
	key  []byte
}

// content is what the file has before the checksum, in memory of files.
type content struct {
	files *common.ModelFiles
	data  []byte
}

func (c checksummed) read(ctx context.Context) (content, error) {
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

// take makes the file of another one, on the same disk, and a text.
func (c checksummed) take(from, text string) error {
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
