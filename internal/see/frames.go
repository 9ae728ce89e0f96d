// SPDX-License-Identifier: Apache-2.0

package see

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anyinfer/anyinfer/vision"
)

// Extensions are those of files with pictures.
var Extensions = []string{".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}

// ReadFile reads a picture, turned upright.
func ReadFile(path string) (image.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return img, nil
}

// Decode reads a picture, turned upright.
func Decode(r io.Reader) (image.Image, error) {
	img, _, err := vision.Decode(r)
	return img, advise(err)
}

// Files replaces folders among names by the pictures in them, in the order of their
// names.
func Files(names []string) ([]string, error) {
	var files []string
	for _, name := range names {
		if info, err := os.Stat(name); name == "-" || err == nil && !info.IsDir() {
			files = append(files, name)
			continue
		} else if err != nil {
			return nil, err
		}
		entries, err := os.ReadDir(name)
		if err != nil {
			return nil, err
		}
		before := len(files)
		for _, e := range entries {
			if !e.IsDir() && slices.Contains(Extensions, strings.ToLower(filepath.Ext(e.Name()))) {
				files = append(files, filepath.Join(name, e.Name()))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("the folder %s has no pictures (%s)", name, strings.Join(Extensions, " "))
		}
	}
	return files, nil
}

// maxFrame is the largest size of one frame in a stream.
const maxFrame = 256 << 20

// Frames returns the pictures of a stream of JPEG or PNG files one after the other, as
// `ffmpeg -f image2pipe` writes it.
func Frames(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		in := bufio.NewReaderSize(r, 1<<16)
		for {
			f := &frame{in: in}
			err := f.read()
			if err == io.EOF && f.buffer.Len() == 0 {
				return
			}
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			if !yield(f.buffer.Bytes(), err) || err != nil {
				return
			}
		}
	}
}

type frame struct {
	in     *bufio.Reader
	buffer bytes.Buffer
}

var errFrame = errors.New("the stream is not one of JPEG or PNG files, such as ffmpeg -f image2pipe -c:v mjpeg writes")

func (f *frame) read() error {
	head, err := f.in.Peek(2)
	switch {
	case len(head) == 0:
		return err
	case bytes.Equal(head, []byte{0xff, 0xd8}):
		return f.jpeg()
	case bytes.Equal(head, []byte{0x89, 'P'}):
		return f.png()
	}
	return errFrame
}

// next reads n more bytes.
func (f *frame) next(n int) ([]byte, error) {
	if n > maxFrame-f.buffer.Len() {
		return nil, fmt.Errorf("a frame has more than %d bytes", maxFrame)
	}
	from := f.buffer.Len()
	_, err := io.CopyN(&f.buffer, f.in, int64(n))
	return f.buffer.Bytes()[from:], err
}

// png reads chunks, each with its length, up to IEND.
func (f *frame) png() error {
	_, err := f.next(8)
	for err == nil {
		var head []byte
		if head, err = f.next(8); err != nil {
			break
		}
		last := string(head[4:]) == "IEND"
		if _, err = f.next(int(binary.BigEndian.Uint32(head)) + 4); last {
			break
		}
	}
	return err
}

// jpeg reads segments, each with its length, and data, in which 0xff begins a marker
// unless 0 follows, up to the marker EOI.
func (f *frame) jpeg() error {
	for {
		data, err := f.in.ReadSlice(0xff)
		f.buffer.Write(data)
		if err == bufio.ErrBufferFull && f.buffer.Len() < maxFrame {
			continue
		} else if err != nil {
			return err
		}
		b, err := f.next(1)
		if err != nil {
			return err
		}
		switch marker := b[0]; {
		case marker == 0xd9:
			return nil
		case marker == 0xff:
			f.in.UnreadByte()
			f.buffer.Truncate(f.buffer.Len() - 1)
		case marker == 0 || marker == 1 || marker >= 0xd0 && marker <= 0xd8: // without a length
		default:
			if b, err = f.next(2); err == nil {
				_, err = f.next(max(int(binary.BigEndian.Uint16(b))-2, 0))
			}
			if err != nil {
				return err
			}
		}
	}
}
