// SPDX-License-Identifier: Apache-2.0

package tensorrt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"

	"github.com/anyinfer/anyinfer/common"
)

// identity is what a plan depends on: the file, TensorRT's release and the
// kind of GPU, the options.
type identity struct{ model, machine, options string }

// entry is a plan's place in the cache.
type entry struct {
	identity
	plan   sealed
	timing sealed // measurements, which all plans of a machine share
	lock   string
	work   string // a folder to build in
}

func newEntry(dir string, id identity) entry {
	path := func(of, ext string) string {
		sum := sha256.Sum256([]byte(of))
		return filepath.Join(dir, hex.EncodeToString(sum[:16])+ext)
	}
	all := id.model + "\n" + id.machine + id.options
	return entry{
		identity: id,
		plan:     sealed{path(all, ".plan"), all},
		timing:   sealed{path(id.machine, ".timing"), id.machine},
		lock:     path(all, ".lock"),
		work:     path(all, ".building"),
	}
}

// begin makes the folder to build in, with the measurements there are.
func (e entry) begin() error {
	if err := os.Mkdir(e.work, 0o777); err != nil {
		return err
	}
	if timing, err := e.timing.read(); err == nil {
		return os.WriteFile(filepath.Join(e.work, "timing"), timing, 0o666)
	}
	return nil
}

// keep moves what was built into the cache. Where two processes have measured
// at once, the last one's measurements stay.
func (e entry) keep(r request, precision common.DType) error {
	plan, err := os.ReadFile(r.save)
	if err != nil {
		return err
	}
	if timing, err := os.ReadFile(r.timing); err == nil && len(timing) > 0 {
		if err := e.timing.write(timing, e.work); err != nil {
			return err
		}
	}
	return e.plan.write(append([]byte(precisionText(precision)+"\n"), plan...), e.work)
}

// A plan in the cache begins with a line that says what it computes in, which
// TensorRT does not tell.

func precisionText(p common.DType) string {
	if p == 0 {
		return ""
	}
	return p.String()
}

func cutPrecision(file []byte) (precision string, plan []byte) {
	line, plan, _ := bytes.Cut(file, []byte("\n"))
	return string(line), plan
}

// sealed is a file that ends in a checksum of itself and of what it is for. It
// is there whole or not at all.
type sealed struct{ path, id string }

func (s sealed) sum(data []byte) []byte {
	h := sha256.New()
	h.Write(data)
	h.Write([]byte(s.id))
	return h.Sum(nil)
}

func (s sealed) read() ([]byte, error) {
	file, err := os.ReadFile(s.path)
	if err != nil {
		return nil, err
	}
	n := max(len(file)-sha256.Size, 0)
	if !bytes.Equal(s.sum(file[:n]), file[n:]) {
		return nil, errors.New("its checksum is wrong")
	}
	return file[:n], nil
}

// write goes by a file in the folder temp, on the same disk.
func (s sealed) write(data []byte, temp string) error {
	f, err := os.CreateTemp(temp, "sealed")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		_, err = f.Write(s.sum(data))
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), s.path)
}
