// SPDX-License-Identifier: Apache-2.0

// Package cachefile has the files of engines' caches. Each ends in a checksum of its content and its key, and is
// replaced atomically, so that no reader sees half of it.
package cachefile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/anyinfer/anyinfer/common"
)

// File is a file of a cache.
type File struct {
	Path string
	key  []byte
}

// New returns the file for key in the folder dir. The JSON of key identifies the content, because JSON delimits fields
// and sorts maps.
func New(dir, extension string, key any) (File, error) {
	text, err := json.Marshal(key)
	if err != nil {
		return File{}, err
	}
	sum := sha256.Sum256(text)
	return File{filepath.Join(dir, hex.EncodeToString(sum[:16])+extension), text}, nil
}

// Content has a file's bytes before its checksum, in memory of Files, which the caller releases.
type Content struct {
	Files *common.ModelFiles
	Data  []byte
}

// Read returns the content, or an error if there is no such file or its checksum is wrong.
func (f File) Read(ctx context.Context) (Content, error) {
	files, err := common.OpenFiles(ctx, common.File(f.Path), false)
	if err != nil {
		return Content{}, err
	}
	file := files.Bytes(0)
	n := max(len(file)-sha256.Size, 0)
	h := sha256.New()
	h.Write(file[:n])
	h.Write(f.key)
	if !bytes.Equal(h.Sum(nil), file[n:]) {
		files.Release()
		return Content{}, errors.New("its checksum is wrong")
	}
	return Content{files, file[:n]}, nil
}

// Replace appends text and a checksum to the file from, which must be on the same file system, and renames it to
// f.Path.
func (f File) Replace(from, text string) error {
	file, err := os.OpenFile(from, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	h := sha256.New()
	if _, err = io.Copy(h, file); err == nil {
		io.WriteString(h, text)
		h.Write(f.key)
		_, err = file.Write(append([]byte(text), h.Sum(nil)...))
	}
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(from, f.Path)
}

// Digest returns the SHA-256 of a file's content, for a key.
func Digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
