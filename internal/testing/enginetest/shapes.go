// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"math/rand/v2"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// shapes runs models with dynamic shapes, up and down, and narrows them with
// Options.Shapes.
func (s *suite) shapes(t *testing.T) {
	e := s.engine(t)
	for _, format := range s.Formats {
		s.run(t, format, func(t *testing.T) {
			for _, name := range []string{"digits_dynamic", "edges"} {
				if m := s.model(t, name); m.Files[format] != nil {
					s.run(t, name, func(t *testing.T) { s.upAndDown(t, e, m, format) })
				}
			}
			if m := s.model(t, "digits_dynamic"); m.Files[format] != nil {
				s.narrowed(t, e, m, format)
			}
		})
	}
}

func (s *suite) upAndDown(t *testing.T, e *common.Engine, m entry, format string) {
	options := s.suited(t, m, format, nil)
	loaded, err := e.Load(ctx, m.file(s.root, format), options)
	require.NoError(t, err)
	defer loaded.Close()
	session := newSession(t, loaded)
	if options == nil {
		require.Nil(t, session.Input(0), "its shape is dynamic")
		require.ErrorIs(t, session.Run(ctx), common.ErrShape, "nothing is bound yet")
	}
	random := rand.New(rand.NewPCG(1, 1))
	order := []int{}
	for range 5 {
		order = append(order, random.Perm(len(m.Cases))...)
	}
	for _, n := range order {
		in, want := s.in(t, m, format, n), s.want(t, m, format, n)
		runSession(t, session, in)
		m.check(t, want, outputs(session), "session, case", n)
		out, err := loaded.Run(ctx, in)
		require.NoError(t, err)
		m.check(t, want, out, "model, case", n)
	}
}

// narrowed loads a classifier of any batch for certain ones.
func (s *suite) narrowed(t *testing.T, e *common.Engine, m entry, format string) {
	name := m.Inputs[0].Name
	batch := func(n int) common.Shape {
		shape := append(common.Shape{}, s.in(t, m, format, 0)[name].Shape()...)
		shape[0] = n
		return shape
	}
	load := func(r common.ShapeRange) (*common.Model, error) {
		return e.Load(ctx, m.file(s.root, format), &common.Options{Shapes: map[string]common.ShapeRange{name: r}})
	}
	// rows finds the case of that batch.
	rows := func(t *testing.T, n int) int {
		for c := range m.Cases {
			if s.in(t, m, format, c)[name].Shape()[0] == n {
				return c
			}
		}
		t.Fatalf("%s has no case of %d rows", m.Name, n)
		return 0
	}
	s.run(t, "fixed", func(t *testing.T) {
		loaded, err := load(common.Fixed(batch(7)...))
		require.NoError(t, err)
		defer loaded.Close()
		require.Equal(t, batch(7), loaded.Signatures()[0].Inputs[0].Shape)
		require.Equal(t, 7, loaded.Signatures()[0].Outputs[0].Shape[0])
		session := newSession(t, loaded)
		in := s.in(t, m, format, rows(t, 7))
		require.True(t, session.Input(0).Is(in[name].DType(), batch(7)), "a fixed shape needs no binding")
		copy(session.Input(0).Bytes(), in[name].Bytes())
		require.NoError(t, session.Run(ctx))
		m.check(t, s.want(t, m, format, rows(t, 7)), outputs(session))
		_, err = loaded.Run(ctx, s.in(t, m, format, rows(t, 1)))
		require.ErrorIs(t, err, common.ErrShape)
		out, err := loaded.Run(ctx, in)
		require.NoError(t, err)
		m.check(t, s.want(t, m, format, rows(t, 7)), out)
	})
	s.run(t, "bounded", func(t *testing.T) {
		loaded, err := load(common.ShapeRange{Min: batch(1), Opt: batch(7), Max: batch(8)})
		require.NoError(t, err)
		defer loaded.Close()
		require.Equal(t, batch(-1), loaded.Signatures()[0].Inputs[0].Shape)
		session := newSession(t, loaded)
		require.True(t, session.Input(0).Is(common.Float32, batch(7)), "Opt is what to begin with")
		for _, n := range []int{7, 1, 7} {
			out, err := loaded.Run(ctx, s.in(t, m, format, rows(t, n)))
			require.NoError(t, err)
			m.check(t, s.want(t, m, format, rows(t, n)), out)
			runSession(t, session, s.in(t, m, format, rows(t, n)))
			m.check(t, s.want(t, m, format, rows(t, n)), outputs(session))
		}
		_, err = loaded.Run(ctx, s.in(t, m, format, rows(t, 32)))
		require.ErrorIs(t, err, common.ErrShape)
		require.ErrorIs(t, session.BindInput(0, s.in(t, m, format, rows(t, 32))[name]), common.ErrShape)
	})
	s.run(t, "unknown name", func(t *testing.T) {
		_, err := e.Load(ctx, m.file(s.root, format), &common.Options{Shapes: map[string]common.ShapeRange{"nobody": common.Fixed(1)}})
		require.ErrorIs(t, err, common.ErrName)
		require.ErrorContains(t, err, "nobody")
	})
	for what, shape := range map[string]common.Shape{"rank": {7}, "fixed dimension": append(batch(7)[:3:3], 99)} {
		s.run(t, "another "+what, func(t *testing.T) {
			loaded, err := load(common.Fixed(shape...))
			if err != nil {
				require.True(t, typed(err), "%v", err)
				return
			}
			// The engine believes that the model can do that.
			defer loaded.Close()
			require.Equal(t, shape, loaded.Signatures()[0].Inputs[0].Shape)
			x, err := common.NewTensor(common.Float32, shape...)
			require.NoError(t, err)
			out, err := loaded.Run(ctx, common.Tensors{name: x})
			require.True(t, err == nil || typed(err), "%v", err)
			t.Logf("%v gives %v, %v", shape, out[m.Outputs[0].Name].Shape(), err)
		})
	}
}
