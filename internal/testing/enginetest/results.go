// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// metadata compares the description of a model with the manifest.
func (s *suite) metadata(t *testing.T) {
	e := s.engine(t)
	s.each(t, func(t *testing.T, m *model) {
		var o *common.Options
		if s.Bounded {
			o = m.options(common.Options{})
		}
		loaded := Load(t, e, m.file(), o)
		i := loaded.Info()
		require.Equal(t, m.format, i.Format)
		require.Equal(t, 1, i.Sessions)
		require.GreaterOrEqual(t, i.Threads, 0)
		require.NotEmpty(t, i.Device)
		if m.Metadata != nil {
			require.Equal(t, m.Metadata[m.format], i.Metadata)
		}
		signatures := loaded.Signatures()
		for i, part := range m.parts(t, signatures) {
			part.describe(t, "input", part.Inputs, signatures[i].Inputs)
			part.describe(t, "output", part.Outputs, signatures[i].Outputs)
		}
	})
}

// parts are the manifest's signatures, where the engine knows of them, or m.
func (m *model) parts(t *testing.T, signatures []common.Signature) (parts []*model) {
	require.NotEmpty(t, signatures)
	if m.Signatures == nil || signatures[0].Name == "" {
		require.Len(t, signatures, 1)
		return []*model{m}
	}
	require.Len(t, signatures, len(m.Signatures))
	for i, part := range m.Signatures {
		require.Equal(t, part.Name, signatures[i].Name)
		part.Tolerance = m.Tolerance
		parts = append(parts, m.suite.read(t, part, m.format))
	}
	return parts
}

func (m *model) describe(t *testing.T, side string, infos []info, described []common.TensorInfo) {
	require.Len(t, described, len(infos), side)
	for i, want := range infos {
		got := described[i]
		require.Equal(t, want.Name, got.Name, side)
		require.Equal(t, want.DType, got.DType.String(), "%s %s", side, want.Name)
		require.Equal(t, want.Labels, got.Labels, "%s %s", side, want.Name)
		shape := m.shape(m.format, want)
		// An engine may know less of an output before it runs, not more.
		vague := side == "output" && shape.Dynamic() && (got.Shape == nil || slices.EqualFunc(shape, got.Shape, func(w, g int) bool { return w == g || g == -1 }))
		if !vague {
			require.Equal(t, shape, got.Shape, "%s %s", side, want.Name)
		}
		var quant *common.Quantization
		if q, ok := m.Quant[m.format][want.Name]; ok {
			quant = (*common.Quantization)(&q)
		}
		require.Equal(t, quant, got.Quant, "%s %s", side, want.Name)
	}
}

// results runs every case of every model in each way.
func (s *suite) results(t *testing.T) {
	e := s.engine(t)
	s.each(t, func(t *testing.T, m *model) {
		if len(m.Cases) == 0 && m.Signatures == nil {
			t.Skip("the manifest has no cases: it is for other tests")
		}
		loaded := m.load(t, e, s.oneThread())
		signatures := loaded.Signatures()
		parts := m.parts(t, signatures)
		for i, part := range parts {
			for _, get := range []func(context.Context, string) (*common.Session, error){loaded.NewSession, loaded.AcquireSession} {
				session, err := get(ctx, signatures[i].Name)
				require.NoError(t, err)
				require.Equal(t, signatures[i].Name, session.Signature().Name)
				part.inSession(t, session)
				part.intoOutputs(t, session)
				require.NoError(t, session.Close())
			}
			for n, in := range part.in {
				out, err := loaded.RunSignature(ctx, signatures[i].Name, in)
				require.NoError(t, err)
				part.check(t, n, out, "by the signature's name")
			}
		}
		first := parts[0]
		var all []common.Tensors
		for _, aligned := range []bool{true, false} {
			for n, original := range first.in {
				in := common.Tensors{}
				for name, x := range original {
					if in[name] = x.Clone(); !aligned {
						in[name] = unaligned(x)
					}
				}
				out, err := loaded.Run(ctx, in)
				require.NoError(t, err)
				first.check(t, n, out, "aligned", aligned)
				all = append(all, out)
				for name, x := range original {
					require.Empty(t, Differ(x, in[name], exactly), "a Run changed its input %q", name)
				}
			}
		}
		require.NoError(t, loaded.Close())
		for i, out := range all { // later Runs and Close did not touch them
			first.check(t, i%len(first.in), out, "kept result")
		}
	})
}

// inSession runs the cases in tensors of the session's and of the caller's. Those that are bound are written
// anew, and must be read anew.
func (m *model) inSession(t *testing.T, session *common.Session) {
	for _, how := range []string{"bound", "own", "bound", "unaligned", "bound", "mixed"} {
		for n, in := range m.in {
			for i, info := range m.Inputs {
				x := in[info.Name]
				switch {
				case how == "bound" && session.Input(i).Is(x.DType(), x.Shape()):
					assign(session.Input(i), x)
				case how == "unaligned", how == "mixed" && (i+n)%2 == 0:
					require.NoError(t, session.BindInput(i, unaligned(x)))
				default:
					require.NoError(t, session.BindInput(i, x.Clone()))
				}
			}
			for round := range 2 {
				m.reset(t, session)
				require.NoError(t, session.Run(ctx), how)
				m.check(t, n, outputs(session), how, "round", round)
			}
			for i, info := range m.Inputs {
				require.Empty(t, Differ(in[info.Name], session.Input(i), exactly), "a Run changed its input")
			}
		}
	}
}

// reset resets the session of a model that keeps a state.
func (m *model) reset(t *testing.T, session *common.Session) {
	if m.Stream != nil {
		require.NoError(t, session.Reset())
	}
}

// intoOutputs runs the cases into tensors of the caller's, padded and unaligned.
func (m *model) intoOutputs(t *testing.T, session *common.Session) {
	for _, aligned := range []bool{true, false} {
		for n, want := range m.want {
			for i, info := range m.Outputs {
				y, err := common.NewTensor(want[info.Name].DType(), want[info.Name].Shape()...)
				require.NoError(t, err)
				if !aligned {
					y = unaligned(y)
				}
				require.NoError(t, session.BindOutput(i, y))
			}
			bound := outputs(session)
			for range 2 {
				m.reset(t, session)
				m.runSession(t, session, n)
				m.check(t, n, bound, "bound outputs, aligned", aligned)
				require.Equal(t, bound, outputs(session))
			}
		}
	}
	for i := range m.Outputs {
		require.NoError(t, session.BindOutput(i, nil))
	}
}

// states runs models that keep a state from Run to Run.
func (s *suite) states(t *testing.T) {
	e := s.engine(t)
	s.each(t, func(t *testing.T, m *model) {
		if m.Stream == nil {
			t.Skip("it keeps no state")
		}
		o := s.oneThread()
		o.Sessions = 2
		loaded := m.load(t, e, o)
		// next runs case n in the session, with the tensors that it has or new ones.
		next := func(session *common.Session, n int, bind bool) {
			for i, info := range m.Inputs {
				if x := m.in[n][info.Name]; bind {
					require.NoError(t, session.BindInput(i, x.Clone()))
				} else {
					assign(session.Input(i), x)
				}
			}
			require.NoError(t, session.Run(ctx))
			require.Empty(t, m.differ(m.stream[n], outputs(session)), "in a row, case %d, bind %t", n, bind)
		}
		a, b := NewSession(t, loaded), NewSession(t, loaded)
		require.NoError(t, a.Reset(), "before the first Run")
		for round, bind := range []bool{false, true, false, true} {
			for n := range m.Cases {
				next(a, n, bind)
				if round == 1 { // another session and Model.Run have states of their own
					next(b, n, !bind)
					m.run(t, loaded, n)
					m.run(t, loaded, n)
				}
			}
			require.NoError(t, a.Reset())
			require.NoError(t, a.Reset(), "twice")
		}
	})
}

// shapes runs models with dynamic shapes, up and down, and narrows them with Options.Shapes.
func (s *suite) shapes(t *testing.T) {
	e := s.engine(t)
	s.each(t, func(t *testing.T, m *model) {
		options := m.options(s.oneThread())
		loaded := Load(t, e, m.file(), options)
		session := NewSession(t, loaded)
		if options.Shapes == nil {
			require.Nil(t, session.Input(0), "its shape is dynamic")
			require.ErrorIs(t, session.Run(ctx), common.ErrShape, "nothing is bound yet")
		}
		random := rand.New(rand.NewPCG(1, 1))
		for range 5 {
			for _, n := range random.Perm(len(m.in)) {
				m.runSession(t, session, n)
				m.run(t, loaded, n)
			}
		}
		if m.Name == "digits_dynamic" {
			m.narrowed(t, e)
		}
	}, "digits_dynamic", "edges")
}

// narrowed loads a classifier of any batch for certain ones.
func (m *model) narrowed(t *testing.T, e *common.Engine) {
	name := m.Inputs[0].Name
	cases := map[int]int{} // by batch
	for n, in := range m.in {
		cases[in[name].Shape()[0]] = n
	}
	batch := func(n int) common.Shape { return append(common.Shape{n}, m.in[0][name].Shape()[1:]...) }
	options := func(name string, r common.ShapeRange) *common.Options {
		return &common.Options{Shapes: map[string]common.ShapeRange{name: r}}
	}
	for what, c := range map[string]struct {
		shapes  common.ShapeRange
		batch   int // as described
		batches []int
		other   int // is refused
	}{
		"fixed":   {common.Fixed(batch(7)...), 7, []int{7}, 1},
		"bounded": {common.ShapeRange{Min: batch(1), Opt: batch(7), Max: batch(8)}, -1, []int{7, 1, 7}, 32},
	} {
		m.suite.run(t, what, func(t *testing.T) {
			loaded := Load(t, e, m.file(), options(name, c.shapes))
			require.Equal(t, batch(c.batch), loaded.Signatures()[0].Inputs[0].Shape)
			require.Equal(t, c.batch, loaded.Signatures()[0].Outputs[0].Shape[0])
			session := NewSession(t, loaded)
			require.True(t, session.Input(0).Is(common.Float32, batch(7)), "no binding is needed: a session begins with Opt")
			assign(session.Input(0), m.in[cases[7]][name])
			require.NoError(t, session.Run(ctx))
			m.check(t, cases[7], outputs(session))
			_, err := loaded.Run(ctx, m.in[cases[c.other]])
			require.ErrorIs(t, err, common.ErrShape)
			require.ErrorIs(t, session.BindInput(0, m.in[cases[c.other]][name]), common.ErrShape)
			for _, n := range c.batches {
				m.run(t, loaded, cases[n])
				m.runSession(t, session, cases[n])
			}
		})
	}
	_, err := e.Load(ctx, m.file(), options("missing", common.Fixed(1)))
	require.ErrorIs(t, err, common.ErrName)
	require.ErrorContains(t, err, "missing")
	for what, shape := range map[string]common.Shape{"rank": {7}, "fixed dimension": append(batch(7)[:3:3], 99)} {
		m.suite.run(t, "another "+what, func(t *testing.T) {
			loaded, err := e.Load(ctx, m.file(), options(name, common.Fixed(shape...)))
			if err != nil {
				require.True(t, typed(err), "%v", err)
				return
			}
			// The engine believes that the model can do that.
			defer loaded.Close()
			require.Equal(t, shape, loaded.Signatures()[0].Inputs[0].Shape)
			_, err = loaded.Run(ctx, common.Tensors{name: Random(t, 1, common.Float32, shape...)})
			require.True(t, err == nil || typed(err), "%v", err)
		})
	}
}
