// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// states runs models that keep a state from Run to Run.
func (s *suite) states(t *testing.T) {
	e := s.engine(t)
	s.each(t, func(t *testing.T, m entry, format string) {
		if m.Stream == nil {
			t.Skip("it keeps no state")
		}
		loaded, err := e.Load(ctx, m.file(s.root, format), &common.Options{Sessions: 2})
		require.NoError(t, err)
		defer loaded.Close()
		stream := func(n int) common.Tensors { return m.tensors(t, s.root, format, m.Outputs, m.Stream[n]) }
		// next runs case n in the session, with the tensors that it has or others.
		next := func(session *common.Session, n int, bind bool) {
			in := s.in(t, m, format, n)
			for i, info := range m.Inputs {
				if bind {
					require.NoError(t, session.BindInput(i, in[info.Name]))
				} else {
					assign(session.Input(i), in[info.Name])
				}
			}
			require.NoError(t, session.Run(ctx))
			m.check(t, stream(n), outputs(session), "in a row, case", n, "bind", bind)
		}
		a, b := newSession(t, loaded), newSession(t, loaded)
		require.NoError(t, a.Reset(), "before the first Run")
		for round, bind := range []bool{false, true, false, true} {
			for n := range m.Cases {
				next(a, n, bind)
				if round == 1 { // another session and Model.Run have states of their own
					next(b, n, !bind)
					for range 2 {
						out, err := loaded.Run(ctx, s.in(t, m, format, n))
						require.NoError(t, err)
						m.check(t, s.want(t, m, format, n), out, "model, case", n)
					}
				}
			}
			require.NoError(t, a.Reset())
			require.NoError(t, a.Reset(), "twice")
		}
		require.NoError(t, a.Close())
		require.ErrorIs(t, a.Reset(), common.ErrClosed)
	})
}
