// SPDX-License-Identifier: Apache-2.0

package gobuild

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddLinkerFlags(t *testing.T) {
	for _, test := range []struct{ args, want []string }{
		{nil, []string{"-ldflags=-I x"}},
		{[]string{"-trimpath", "./a"}, []string{"-ldflags=-I x", "-trimpath", "./a"}},
		{[]string{"-ldflags", "-s -w"}, []string{"-ldflags=-I x", "-ldflags=-I x -s -w"}},
		{[]string{"--ldflags=-X 'a=b c'"}, []string{"-ldflags=-I x", "-ldflags=-I x -X 'a=b c'"}},
		{[]string{"-ldflags=./a=-s", "-ldflags", " ./b=-w"}, []string{"-ldflags=-I x", "-ldflags=./a=-I x -s", "-ldflags=./b=-I x -w"}},
		{[]string{"-ldflags="}, []string{"-ldflags=-I x", "-ldflags=-I x"}},
	} {
		require.Equal(t, test.want, addLinkerFlags(test.args, "-I x"))
	}
}
