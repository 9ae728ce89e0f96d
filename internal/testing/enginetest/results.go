// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"slices"
	"testing"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// metadata compares what a model says of itself with the manifest.
func (s *suite) metadata(t *testing.T) {
	e := s.engine(t)
	s.each(t, func(t *testing.T, m entry, format string) {
		loaded, err := e.Load(ctx, m.file(s.root, format), s.needed(t, m, format))
		require.NoError(t, err)
		defer loaded.Close()
		i := loaded.Info()
		require.Equal(t, format, i.Format)
		require.Equal(t, 1, i.Sessions)
		require.GreaterOrEqual(t, i.Threads, 0)
		require.NotEmpty(t, i.Device)
		if m.Metadata != nil {
			require.Equal(t, m.Metadata, i.Metadata)
		}
		signatures := loaded.Signatures()
		for i, part := range m.parts(t, signatures) {
			part.describe(t, format, signatures[i])
		}
	})
}

// parts are the manifest's signatures, where the engine knows of them, or e.
func (e entry) parts(t *testing.T, signatures []common.Signature) []entry {
	t.Helper()
	require.NotEmpty(t, signatures)
	if e.Signatures == nil || signatures[0].Name == "" {
		require.Len(t, signatures, 1)
		return []entry{e}
	}
	require.Len(t, signatures, len(e.Signatures))
	var parts []entry
	for i, part := range e.Signatures {
		require.Equal(t, part.Name, signatures[i].Name)
		part.Tolerance = e.Tolerance
		parts = append(parts, part)
	}
	return parts
}

func (e entry) describe(t *testing.T, format string, sig common.Signature) {
	t.Helper()
	for side, lists := range map[string]struct {
		want []info
		got  []common.TensorInfo
	}{"input": {e.Inputs, sig.Inputs}, "output": {e.Outputs, sig.Outputs}} {
		require.Len(t, lists.got, len(lists.want), side)
		for i, want := range lists.want {
			got := lists.got[i]
			require.Equal(t, want.Name, got.Name, side)
			require.Equal(t, want.DType, got.DType.String(), "%s %s", side, want.Name)
			require.Equal(t, want.Labels, got.Labels, "%s %s", side, want.Name)
			shape := e.shape(format, want)
			// An engine may know less of an output before it runs, not more.
			vague := side == "output" && shape.Dynamic() && (got.Shape == nil || slices.EqualFunc(shape, got.Shape, func(w, g int) bool { return w == g || g == -1 }))
			if !vague {
				require.Equal(t, shape, got.Shape, "%s %s", side, want.Name)
			}
			if q, ok := e.Quant[format][want.Name]; ok {
				require.NotNil(t, got.Quant, "%s %s", side, want.Name)
				require.Equal(t, common.Quantization{Scale: q.Scale, ZeroPoint: q.ZeroPoint, Axis: q.Axis}, *got.Quant)
			} else {
				require.Nil(t, got.Quant, "%s %s", side, want.Name)
			}
		}
	}
}

// results runs every case of every model in each way.
func (s *suite) results(t *testing.T) {
	e := s.engine(t)
	s.each(t, func(t *testing.T, m entry, format string) {
		if len(m.Cases) == 0 && m.Signatures == nil {
			t.Skip("the manifest has no cases: it is for other tests")
		}
		loaded, err := e.Load(ctx, m.file(s.root, format), s.suited(t, m, format, nil))
		require.NoError(t, err)
		defer loaded.Close()
		signatures := loaded.Signatures()
		parts := m.parts(t, signatures)
		for i, part := range parts {
			session, err := loaded.NewSession(ctx, signatures[i].Name)
			require.NoError(t, err)
			require.Equal(t, signatures[i].Name, session.Signature().Name)
			s.inSession(t, session, part, format)
			acquired, err := loaded.AcquireSession(ctx, signatures[i].Name)
			require.NoError(t, err)
			s.inSession(t, acquired, part, format)
			for n := range part.Cases {
				out, err := loaded.RunSignature(ctx, signatures[i].Name, s.in(t, part, format, n))
				require.NoError(t, err)
				part.check(t, s.want(t, part, format, n), out, "case", n)
			}
		}
		first := parts[0]
		var all []common.Tensors
		for round := range 3 {
			for n := range first.Cases {
				in, want := s.in(t, first, format, n), s.want(t, first, format, n)
				if round == 2 {
					in = shifted(t, in)
				}
				out, err := loaded.Run(ctx, in)
				require.NoError(t, err)
				first.check(t, want, out, "case", n, "round", round)
				first.unchanged(t, in, s.in(t, first, format, n))
				all = append(all, out)
			}
		}
		require.NoError(t, loaded.Close())
		for i, out := range all { // later Runs and Close did not touch them
			first.check(t, s.want(t, first, format, i%len(first.Cases)), out, "kept result", i)
		}
	})
}

// inSession runs the cases in the input tensors that the session has, in own
// ones that stay bound, and in own unaligned ones.
func (s *suite) inSession(t *testing.T, session *common.Session, m entry, format string) {
	t.Helper()
	defer func() { require.NoError(t, session.Close()) }()
	for _, how := range []string{"session's", "own", "unaligned", "own again", "mixed"} {
		for n := range m.Cases {
			in, want := s.in(t, m, format, n), s.want(t, m, format, n)
			for i, info := range m.Inputs {
				x := in[info.Name]
				switch {
				case how == "session's" && session.Input(i).Is(x.DType(), x.Shape()):
					assign(session.Input(i), x)
				case how == "unaligned", how == "mixed" && (i+n)%2 == 0:
					y, err := unaligned(x)
					require.NoError(t, err)
					require.NoError(t, session.BindInput(i, y))
				default:
					require.NoError(t, session.BindInput(i, x))
				}
			}
			for round := range 3 {
				if m.Stream != nil {
					require.NoError(t, session.Reset())
				}
				require.NoError(t, session.Run(ctx), how)
				m.check(t, want, outputs(session), how, "case", n, "round", round)
			}
			for i, info := range m.Inputs {
				require.Empty(t, differ(in[info.Name], session.Input(i), exactly), "a Run changed its input")
			}
		}
	}
	s.intoOutputs(t, session, m, format)
	// One tensor, written anew between Runs, is read anew.
	if len(m.Cases) > 1 {
		for n := range 2 * len(m.Cases) {
			n %= len(m.Cases)
			in, same := s.in(t, m, format, n), true
			for i, info := range m.Inputs {
				same = same && session.Input(i).Is(in[info.Name].DType(), in[info.Name].Shape())
			}
			if !same {
				continue
			}
			for i, info := range m.Inputs {
				assign(session.Input(i), in[info.Name])
			}
			if m.Stream != nil {
				require.NoError(t, session.Reset())
			}
			require.NoError(t, session.Run(ctx))
			m.check(t, s.want(t, m, format, n), outputs(session), "rewritten, case", n)
		}
	}
}

// intoOutputs runs the cases into tensors of the caller's, padded and unaligned.
func (s *suite) intoOutputs(t *testing.T, session *common.Session, m entry, format string) {
	t.Helper()
	for _, aligned := range []bool{true, false} {
		for n := range m.Cases {
			want := s.want(t, m, format, n)
			for i, info := range m.Outputs {
				y, err := common.NewTensor(want[info.Name].DType(), want[info.Name].Shape()...)
				require.NoError(t, err)
				if !aligned {
					y, err = unaligned(y)
					require.NoError(t, err)
				}
				require.NoError(t, session.BindOutput(i, y))
			}
			bound := outputs(session)
			for round := range 2 {
				if m.Stream != nil {
					require.NoError(t, session.Reset())
				}
				runSession(t, session, s.in(t, m, format, n))
				m.check(t, want, bound, "bound outputs, aligned", aligned, "case", n, "round", round)
				require.Equal(t, bound, outputs(session))
			}
		}
	}
	for i := range m.Outputs {
		require.NoError(t, session.BindOutput(i, nil))
	}
}

// outputs are the outputs of the session's last Run by name.
func outputs(s *common.Session) common.Tensors {
	out := common.Tensors{}
	for i, info := range s.Signature().Outputs {
		out[info.Name] = s.Output(i)
	}
	return out
}

// runSession binds in and runs.
func runSession(t *testing.T, s *common.Session, in common.Tensors) {
	t.Helper()
	for i, info := range s.Signature().Inputs {
		require.NoError(t, s.BindInput(i, in[info.Name]))
	}
	require.NoError(t, s.Run(ctx))
}

func shifted(t *testing.T, in common.Tensors) common.Tensors {
	t.Helper()
	out := common.Tensors{}
	for name, x := range in {
		y, err := unaligned(x)
		require.NoError(t, err)
		out[name] = y
	}
	return out
}

func (e entry) unchanged(t *testing.T, got, want common.Tensors) {
	t.Helper()
	for name := range want {
		require.Empty(t, differ(want[name], got[name], exactly), "a Run changed its input %q", name)
	}
}
