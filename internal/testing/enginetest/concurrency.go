// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"fmt"
	"sync"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// concurrency has 64 goroutines on one model, and every result right.
func (s *suite) concurrency(t *testing.T) {
	for _, name := range []string{"digits", "digits_dynamic", "nonzero_cast"} {
		for _, sessions := range []int{1, 2, 4} {
			s.run(t, fmt.Sprintf("%s, %d sessions", name, sessions), func(t *testing.T) {
				loaded, m, format := s.load(t, name, &common.Options{Sessions: sessions})
				require.Equal(t, sessions, loaded.Info().Sessions)
				var ins, wants []common.Tensors
				for n := range m.Cases {
					ins, wants = append(ins, s.in(t, m, format, n)), append(wants, s.want(t, m, format, n))
				}
				var wg sync.WaitGroup
				for g := range 64 {
					wg.Go(func() {
						for i := range 16 {
							n := (g + i) % len(ins)
							out, err := loaded.Run(ctx, ins[n])
							if err != nil {
								t.Error(err)
								return
							}
							for k, w := range wants[n] {
								if diff := m.differ(w, out[k]); diff != "" {
									t.Errorf("goroutine %d, case %d: %s", g, n, diff)
									return
								}
							}
						}
					})
				}
				wg.Wait()
			})
		}
	}
	s.run(t, "a session a goroutine", func(t *testing.T) {
		loaded, m, format := s.load(t, "digits", nil)
		var wg sync.WaitGroup
		for g := range 8 {
			n := g % len(m.Cases)
			session, in, want := newSession(t, loaded), s.in(t, m, format, n), s.want(t, m, format, n)
			runSession(t, session, in)
			wg.Go(func() {
				for range 200 {
					err := session.Run(ctx)
					for i, info := range m.Outputs {
						if diff := m.differ(want[info.Name], session.Output(i)); err != nil || diff != "" {
							t.Error(err, diff)
							return
						}
					}
				}
			})
		}
		wg.Wait()
	})
	s.run(t, "two engines", func(t *testing.T) {
		a, m, format := s.load(t, "digits", nil)
		b, _, _ := s.load(t, "digits", nil)
		for _, loaded := range []*common.Model{a, b, a, b} {
			out, err := loaded.Run(ctx, s.in(t, m, format, 0))
			require.NoError(t, err)
			m.check(t, s.want(t, m, format, 0), out)
		}
		require.NoError(t, a.Close())
		out, err := b.Run(ctx, s.in(t, m, format, 0))
		require.NoError(t, err)
		m.check(t, s.want(t, m, format, 0), out)
	})
}
