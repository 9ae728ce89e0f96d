// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"debug/elf"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOtherName(t *testing.T) {
	head := func(class elf.Class, data elf.Data, machine ...byte) []byte {
		h := append([]byte(elf.ELFMAG), byte(class), byte(data))
		return append(append(h, make([]byte, 12)...), machine...)
	}
	const little, big = elf.ELFDATA2LSB, elf.ELFDATA2MSB
	x86, arm64, s390 := head(elf.ELFCLASS64, little, 62, 0), head(elf.ELFCLASS64, little, 183, 0), head(elf.ELFCLASS64, big, 0, 22)
	for _, test := range []struct {
		head         []byte
		goarch, want string
	}{
		{x86, "amd64", ""},
		{arm64, "amd64", "arm64"},
		{x86, "arm64", "x86-64"},
		{head(elf.ELFCLASS32, little, 40, 0), "arm64", "32-bit ARM"},
		{head(elf.ELFCLASS32, little, 62, 0), "amd64", "X86_64"}, // x32
		{s390, "amd64", "S390"},
		{x86, "s390x", ""}, // an unknown GOARCH
		{x86[:19], "arm64", ""},
		{[]byte("MZ and more than twenty bytes"), "amd64", ""},
	} {
		require.Equal(t, test.want, OtherName(test.head, test.goarch))
	}
}
