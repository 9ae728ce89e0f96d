// SPDX-License-Identifier: Apache-2.0

package tnncheck

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

func files(t *testing.T, model string) [][]byte {
	t.Helper()
	var all [][]byte
	for _, ext := range []string{".tnnproto", ".tnnmodel"} {
		data, err := os.ReadFile("../../testdata/" + model + ext)
		require.NoError(t, err)
		all = append(all, data)
	}
	return all
}

func TestValidFiles(t *testing.T) {
	for _, model := range []string{"digits", "edges", "multi"} {
		f := files(t, model)
		require.NoError(t, Check(f, nil), model)
		require.NoError(t, Check([][]byte{bytes.ReplaceAll(f[0], []byte("\n"), nil), f[1]}, nil), "the text on one line")
	}
	f := files(t, "digits")
	one, many := common.Shape{1, 1, 8, 8}, common.Shape{64, 1, 8, 8}
	require.NoError(t, Check(f, map[string]common.ShapeRange{"image": {Min: one, Opt: one, Max: many}}))
	require.NoError(t, Check(f[:1], nil), "the error for missing weights is left to the shim")
}

// TestDamagedProto damages digits.tnnproto by one change at a time.
func TestDamagedProto(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"4206624772", "4206624771", "does not start with its magic number"},
		{`"scores ,"`, `"scores`, "it has 6 layers, want "},
		{"8 8 0 ,", "8 8 -9 ,", "the given number of dimensions"},
		{"8 8 0 ,", "8 8 8 0 ,", "the given number of dimensions"},
		{"1 1 8 8 0", "1 1 8 x 0", `"x" is not a number`},
		{"\n\"scores ,", "\n\"sores ,", `no layer produces the output "sores"`},
		{" 7 ,", " 8 ,", "it has 7 layers, want 8"},
		{"t0 1 1 image", "t0 90 1 image", "the given numbers of inputs and outputs"},
		{"t0 1 1 image", "t0 0 1 image", "the given numbers of inputs and outputs"},
		{"t0 1 1 image", "t0 1 1 nobody", `needs "nobody"`},
		{"t1 1 1 t0 t1", "t1 1 1 t0 t0", `produces "t0", which exists already`},
	} {
		f := files(t, "digits")
		require.Contains(t, string(f[0]), c.old)
		f[0] = []byte(strings.Replace(string(f[0]), c.old, c.new, 1))
		err := Check(f, nil)
		require.ErrorIs(t, err, common.ErrModel, c.new)
		require.ErrorContains(t, err, "the file is damaged: ", c.new)
		require.ErrorContains(t, err, c.want, c.new)
	}
	f := files(t, "multi")
	f[0] = append(bytes.Repeat([]byte("x"), 5000), f[0]...)
	require.ErrorContains(t, Check(f, nil), "of which TNN reads 4095")
}

// TestShapes changes the shapes of digits.tnnproto, and the sizes of its layers.
func TestShapes(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"1 1 8 8 0", "1 1 8 0 0", "not one that TNN supports"},
		{"1 1 8 8 0", "9 1 99999 99999 0", "not one that TNN supports"},
		{"1 1 8 8 0", "1 2 8 8 0", "1 channels in 1 groups for an input of [1 2 8 8]"},
		{"1 1 8 8 0", "1 1 12 8 0", "it has 640 weights, and needs 960"},
		{"1 1 16 3 3 1 1", "1 1 16 3 5 1 1", "it has 144 weights, and needs 240"},
		{"1 1 16 3 3 1 1", "1 1 17 3 3 1 1", "it has 144 weights, and needs 153"},
		{"0 2 2 2 2 0 0 -1 -1", "0 20 2 2 2 0 0 -1 -1", "windows of 20 do not fit into 8"},
		{"1 16 16 3 3 1 1 1 1 1 -1 1 1", "1 16 16 3 3 1 1 1 90 1 -1 1 90", "a padding of 90 for windows of 181 on an input of 4"},
		{"t4 t5 10 1 0 1", "t4 t5 10 1 0 2", "from axis 2"},
		{"Convolution t0", "Convolution x0", "it has 0 weights, and needs 144"},
		{"t4 t5 10 1 0 1", "t4 t5 11 1 0 1", "it has 640 weights, and needs 704"},
	} {
		f := files(t, "digits")
		require.Contains(t, string(f[0]), c.old)
		f[0] = []byte(strings.Replace(string(f[0]), c.old, c.new, 1))
		err := Check(f, nil)
		require.ErrorIs(t, err, common.ErrModel, c.new)
		require.ErrorContains(t, err, "the file is not supported: ", c.new)
		require.ErrorContains(t, err, c.want, c.new)
	}
	f := files(t, "multi")
	f[0] = []byte(strings.Replace(string(f[0]), "b 2 2 3 0", "b 2 2 2 0", 1))
	require.ErrorContains(t, Check(f, nil), "inputs of [[2 3] [2 2]]")
}

func TestDamagedWeights(t *testing.T) {
	good := files(t, "digits")
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		want   string
	}{
		"too short": {func(b []byte) []byte { return b[:len(b)-1] }, "ends too early"},
		"too long":  {func(b []byte) []byte { return append(b, 1, 2, 3) }, "ends too early"},
		"layers":    {func(b []byte) []byte { b[5] = 0x7f; return b }, "does not start with its magic number"},
		"no length": {func(b []byte) []byte { b[15] = 0x80; return b }, "ends too early"},
		"one layer": {func(b []byte) []byte { b[4] = 1; return b }, ""},
		"an array": {func(b []byte) []byte {
			b[bytes.LastIndex(b, binary.LittleEndian.AppendUint32(nil, 0xFABC0004))+3] = 0xFF
			return b
		}, "an array of weights is damaged"},
		"dimensions": {func(b []byte) []byte {
			b[bytes.LastIndex(b, binary.LittleEndian.AppendUint32(nil, 0xFABC0004))+16] = 9
			return b
		}, "its shape is"},
	} {
		err := Check([][]byte{good[0], c.change(bytes.Clone(good[1]))}, nil)
		require.ErrorIs(t, err, common.ErrModel, name)
		require.ErrorContains(t, err, c.want, name)
	}
}

// TestUnknown makes changes that a later TNN may allow, or that only TNN can judge.
func TestUnknown(t *testing.T) {
	for _, c := range []struct{ old, new string }{
		{"Softmax scores", "Softmin scores"},
		{"Convolution t0", "Confusion t0"},
		{"8 8 0 ,", "8 8 7 ,"},
		{"-1 1 1 1 ,\"\n\"Pooling t1", "-1 1 1 9 ,\"\n\"Pooling t1"},
		{"-1 1 1 1 ,\"\n\"Pooling t1", "-1 1 1 -9 ,\"\n\"Pooling t1"},
		{"0 2 2 2 2 0 0 -1 -1", "7 2 2 2 2 0 0 -1 -1"},
		{"0 2 2 2 2 0 0 -1 -1", "0 2 2 0 2 0 0 -1 -1"},
		{"1 1 16 3 3 1 1", "0 1 16 3 3 1 1"},
		{"t3 t4 1 ,", "t3 t4 7 ,"},
		{"t3 t4 1 ,", "t3 t4 ,"},
	} {
		f := files(t, "digits")
		require.Contains(t, string(f[0]), c.old)
		f[0] = []byte(strings.Replace(string(f[0]), c.old, c.new, 1))
		require.NoError(t, Check(f, nil), c.new)
	}
	for name, change := range map[string]func(b []byte){
		"layer":        func(b []byte) { b[16] = 88 },
		"element type": func(b []byte) { b[bytes.LastIndex(b, binary.LittleEndian.AppendUint32(nil, 0xFABC0004))+4] = 7 },
	} {
		f := files(t, "digits")
		change(f[1])
		require.NoError(t, Check(f, nil), name)
	}
	f := files(t, "digits")
	f[0] = []byte(strings.Replace(string(f[0]), "4206624772", "4206624773", 1))
	require.ErrorContains(t, Check(f, nil), "the file is not supported: its format is newer")
}

// FuzzCheck checks that Check neither panics nor hangs.
func FuzzCheck(f *testing.F) {
	for _, model := range []string{"digits", "edges", "multi"} {
		var all [][]byte
		for _, ext := range []string{".tnnproto", ".tnnmodel"} {
			data, err := os.ReadFile("../../testdata/" + model + ext)
			if err != nil {
				f.Fatal(err)
			}
			all = append(all, data)
		}
		f.Add(all[0], all[1])
	}
	f.Fuzz(func(t *testing.T, proto, model []byte) {
		if err := Check([][]byte{proto, model}, nil); err != nil {
			require.ErrorIs(t, err, common.ErrModel)
		}
	})
}
