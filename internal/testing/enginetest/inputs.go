// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"maps"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// inputs gives what does not fit. Each is refused with the right kind, and
// the next Run is right.
func (s *suite) inputs(t *testing.T) {
	loaded, m, format := s.load(t, "multi", nil)
	session := newSession(t, loaded)
	in, want := s.in(t, m, format, 0), s.want(t, m, format, 0)
	tensor := func(dt common.DType, shape ...int) *common.Tensor {
		x, err := common.NewTensor(dt, shape...)
		require.NoError(t, err)
		return x
	}
	with := func(name string, x *common.Tensor) common.Tensors {
		c := maps.Clone(in)
		c[name] = x
		return c
	}
	less := maps.Clone(in)
	delete(less, m.Inputs[1].Name)
	renamed := maps.Clone(less)
	renamed["nobody"] = in[m.Inputs[1].Name]
	name := m.Inputs[0].Name
	for what, c := range map[string]struct {
		in common.Tensors
		is error
	}{
		"nothing":         {nil, common.ErrCount},
		"one less":        {less, common.ErrCount},
		"one more":        {with("nobody", in[name]), common.ErrName},
		"another name":    {renamed, common.ErrName},
		"nil":             {with(name, nil), common.ErrInput},
		"dtype":           {with(name, tensor(common.Int32, in[name].Shape()...)), common.ErrDType},
		"wider dtype":     {with(name, tensor(common.Float64, in[name].Shape()...)), common.ErrDType},
		"strings":         {with(name, tensor(common.String, in[name].Shape()...)), common.ErrDType},
		"larger":          {with(name, tensor(common.Float32, 2, 4)), common.ErrShape},
		"smaller":         {with(name, tensor(common.Float32, 2, 2)), common.ErrShape},
		"reshaped":        {with(name, tensor(common.Float32, 3, 2)), common.ErrShape},
		"another rank":    {with(name, tensor(common.Float32, 6)), common.ErrShape},
		"scalar":          {with(name, tensor(common.Float32)), common.ErrShape},
		"empty":           {with(name, tensor(common.Float32, 0, 3)), common.ErrShape},
		"none at all":     {common.Tensors{}, common.ErrCount},
		"nil in the last": {with(m.Inputs[1].Name, nil), common.ErrInput},
	} {
		s.run(t, what, func(t *testing.T) {
			out, err := loaded.Run(ctx, c.in)
			require.Nil(t, out)
			require.ErrorIs(t, err, c.is)
			require.ErrorIs(t, err, common.ErrInput)
			require.True(t, typed(err))
			if x, ok := c.in[name]; ok && x != in[name] {
				require.ErrorIs(t, session.BindInput(0, x), c.is)
			}
			out, err = loaded.Run(ctx, in)
			require.NoError(t, err)
			m.check(t, want, out)
			runSession(t, session, in)
			m.check(t, want, outputs(session))
		})
	}
	s.run(t, "no such input or output", func(t *testing.T) {
		for _, i := range []int{-1, len(m.Inputs), 1 << 30} {
			require.ErrorIs(t, session.BindInput(i, in[name]), common.ErrCount)
			require.Nil(t, session.Input(i))
			require.Nil(t, session.Output(i))
		}
	})
	s.run(t, "no such signature", func(t *testing.T) {
		_, err := loaded.NewSession(ctx, "nobody")
		require.ErrorIs(t, err, common.ErrName)
	})
}
