// SPDX-License-Identifier: Apache-2.0

package npy_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/npy"
	"github.com/stretchr/testify/require"
)

// file returns a .npy file of the version with this header and data.
func file(version byte, header string, data ...byte) []byte {
	b := []byte{0x93, 'N', 'U', 'M', 'P', 'Y', version, 0}
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), data...)
}

func header(descr, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }      \n", descr, shape)
}

func TestRoundTrip(t *testing.T) {
	for dt := common.Bool; dt <= common.Float64; dt++ {
		if dt == common.BFloat16 {
			continue
		}
		for _, shape := range []common.Shape{{}, {0}, {3}, {2, 3}, {1, 2, 0}, {2, 1, 3, 1, 2}} {
			want, err := common.NewTensor(dt, shape...)
			require.NoError(t, err)
			for i := range want.Bytes() {
				want.Bytes()[i] = byte(i % 2)
			}
			path := filepath.Join(t.TempDir(), "a.npy")
			require.NoError(t, npy.WriteFile(path, want))
			got, err := npy.ReadFile(path)
			require.NoError(t, err)
			require.True(t, got.Is(dt, shape), "%v %v", got.DType(), got.Shape())
			require.Equal(t, want.Bytes(), got.Bytes())
		}
	}
}

// TestNumPy reads a file that NumPy 2 wrote, and writes the same data.
func TestNumPy(t *testing.T) {
	text := "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"
	text += strings.Repeat(" ", 128-10-1-len(text)) + "\n"
	data := []byte{0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}
	for _, version := range []byte{1, 2, 3} {
		got, err := npy.Read(bytes.NewReader(file(version, text, data...)))
		require.NoError(t, err)
		require.True(t, got.Is(common.Float32, common.Shape{2, 1}))
		values, err := common.Data[float32](got)
		require.NoError(t, err)
		require.Equal(t, []float32{1, -2}, values)
	}
	var b bytes.Buffer
	tensor, err := common.FromSlice([]float32{1, -2}, 2, 1)
	require.NoError(t, err)
	require.NoError(t, npy.Write(&b, tensor))
	require.Zero(t, (b.Len()-len(data))%64, "the data must be aligned")
	require.Equal(t, data, b.Bytes()[b.Len()-len(data):])
}

func TestInvalidFiles(t *testing.T) {
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":          {nil, "not a .npy file"},
		"zip":            {[]byte("PK\x03\x04aaaaaaaaaaaaaaaaaaaa"), "not a .npy file"},
		"version":        {file(9, ""), "version 9"},
		"header too big": {file(2, strings.Repeat(" ", 1<<17)), "header has 131072 bytes"},
		"header cut":     {file(1, header("<f4", "(1,)"))[:30], "EOF"},
		"no header":      {file(1, ""), "not the header"},
		"record":         {file(1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }"), "not the header"},
		"fortran":        {file(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", 0, 0, 0, 0), "Fortran"},
		"string":         {file(1, header("<U3", "(1,)")), "<U3"},
		"object":         {file(1, header("|O", "(1,)")), "|O"},
		"complex":        {file(1, header("<c8", "(1,)")), "<c8"},
		"big-endian":     {file(1, header(">f4", "(1,)"), 0, 0, 0, 0), ">f4"},
		"negative":       {file(1, header("<f4", "(-1,)"), 0, 0, 0, 0), "not the header"},
		"large":          {file(1, header("<f8", "(99999999999999999999,)")), "dimension"},
		"overflow":       {file(1, header("<f8", "(4611686018427387904, 2)")), "i"},
		"bytes overflow": {file(1, header("<f8", "(2147483647, 1073741824)")), "i"},
		"huge shape":     {file(1, header("<f8", "(100000, 1000)"), 1, 2, 3), "EOF"},
		"cut":            {file(1, header("<f4", "(2,)"), 0, 0, 0, 0), "4 of 8 bytes"},
		"bool":           {file(1, header("|b1", "(2,)"), 1, 2), "neither 0 nor 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := npy.Read(bytes.NewReader(c.file))
			require.ErrorContains(t, err, c.want)
		})
	}
	for _, dt := range []common.DType{common.String, common.BFloat16} {
		tensor, err := common.NewTensor(dt, 1)
		require.NoError(t, err)
		require.ErrorContains(t, npy.Write(io.Discard, tensor), dt.String())
	}
	require.Error(t, npy.Write(io.Discard, nil))
}

// TestDamagedFiles truncates a file and changes random bytes. Read must neither panic
// nor allocate more than the size of the file.
func TestDamagedFiles(t *testing.T) {
	good := file(1, header("<i2", "(2, 3)"), 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0)
	_, err := npy.Read(bytes.NewReader(good))
	require.NoError(t, err)
	for n := range good {
		_, err := npy.Read(bytes.NewReader(good[:n]))
		require.Error(t, err, "the first %d bytes", n)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		bad := bytes.Clone(good)
		for range 1 + random.IntN(4) {
			bad[random.IntN(len(bad))] = byte(random.Uint32())
		}
		if got, err := npy.Read(bytes.NewReader(bad)); err == nil {
			require.LessOrEqual(t, len(got.Bytes()), len(bad))
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(file(1, header("<i2", "(2, 3)"), 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0))
	f.Fuzz(func(_ *testing.T, b []byte) { npy.Read(bytes.NewReader(b)) })
}
