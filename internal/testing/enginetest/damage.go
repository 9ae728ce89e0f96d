// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/stretchr/testify/require"
)

// damage loads models that are cut short, empty, random, or have flipped bits. Each must end in a typed
// error, or for those that may still be models, in a normal Run. It happens in other processes, where each
// case is a subtest of its number, so that a crash is a failure of that one model.
func (s *suite) damage(t *testing.T) {
	for _, format := range s.Formats {
		s.parallel(t, format, func(t *testing.T) {
			cases := s.damages(t, format)
			if isChild {
				s.runDamages(t, format, cases)
				return
			}
			for from, crashes := 0, 0; from < len(cases); crashes++ {
				require.Less(t, crashes, 20, "enough crashes")
				from = damagedFrom(t, cases, from)
			}
		})
	}
}

// damagedFrom runs cases in a process, until one crashes it or all are done, and returns the number of the
// next.
func damagedFrom(t *testing.T, cases []damaged, from int) int {
	cmd := command(t, settings{From: from})
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout // one pipe: what is printed comes after its case's name
	require.NoError(t, cmd.Start())
	hang := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	at, done, printed := from, false, "" // by the case that runs
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		hang.Reset(time.Minute)
		_, number, begins := strings.Cut(lines.Text(), "=== RUN   "+t.Name()+"/")
		done = done || lines.Text() == "PASS" || lines.Text() == "FAIL" // an SDK may print when the process exits
		if (begins || done) && strings.Contains(printed, "Error Trace:") {
			t.Errorf("%s: %s", cases[at].name, printed)
		}
		if begins {
			at, err = strconv.Atoi(number)
			require.NoError(t, err)
			printed = ""
		} else if len(printed) < 4000 {
			printed += lines.Text() + "\n"
		}
	}
	if err = cmd.Wait(); done {
		require.True(t, err == nil || t.Failed(), "the process failed: %v", err)
		return len(cases)
	}
	t.Errorf("%s: the process crashed, or was ended after a minute (%t): %v\n%s", cases[at].name, !hang.Stop(), err, printed)
	return at + 1
}

// damaged is one case: one file of a model, changed.
type damaged struct {
	name   string
	model  *model
	file   int
	bad    bool // it cannot be a model any more
	change func([]byte) []byte
}

// damages are the cases for a format, the same in every process.
func (s *suite) damages(t *testing.T, format string) (all []damaged) {
	var models []*model
	for _, e := range s.entries {
		if e.Files[format] != nil && !strings.HasPrefix(e.Name, "slow") {
			models = append(models, &model{entry: e, suite: s, format: format})
		}
	}
	add := func(m *model, file int, bad bool, change func([]byte) []byte, name string, args ...any) {
		all = append(all, damaged{m.Files[format][file] + " " + fmt.Sprintf(name, args...), m, file, bad, change})
	}
	for _, m := range models {
		if !m.named([]string{"digits", "multi"}) {
			continue
		}
		for f, data := range m.bytes(t) {
			lengths := []int{0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 31, 32, 64}
			for i := 1; i < 40; i++ {
				lengths = append(lengths, len(data)*i/40, len(data)-i/2)
			}
			for _, n := range lengths {
				if n >= 0 && n < len(data) {
					// Some bytes less can be only white space or an optional field less. Weights that are cut
					// never fit.
					bad := n < len(data)/2 || f > 0
					add(m, f, bad, func(b []byte) []byte { return b[:n:n] }, "truncated to %d of %d bytes", n, len(data))
				}
			}
		}
	}
	for seed := range 24 {
		add(models[0], 0, true, func(begin []byte) []byte {
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			b := make([]byte, 1+random.IntN(1<<(4+seed/2)))
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			if seed%2 == 1 { // that begin as a model does
				copy(b, begin[:min(16, len(b))])
			}
			return b
		}, "random, seed %d", seed)
	}
	for seed := range 300 * soak(t) {
		random := rand.New(rand.NewPCG(uint64(seed), 3))
		m := models[random.IntN(len(models))]
		data, f := m.bytes(t), 0
		if len(data) > 1 && len(data[1]) > 0 && random.IntN(8) == 0 {
			f = 1 // weights: mostly still a model, so not often
		}
		bits := make([]int, 1+random.IntN(3))
		for i := range bits {
			bits[i] = random.IntN(8 * len(data[f]))
		}
		add(m, f, false, func(b []byte) []byte {
			for _, bit := range bits {
				b[bit/8] ^= 1 << (bit % 8)
			}
			return b
		}, "with bits flipped %d, seed %d", bits, seed)
	}
	return all
}

// runDamages runs the cases in the process made for it.
func (s *suite) runDamages(t *testing.T, format string, cases []damaged) {
	e := Open(t, s.Name, &common.Config{KeepStderr: true}) // a crash is to be explained
	for i, c := range cases[child.From:] {
		i += child.From
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			files := c.model.bytes(t)
			files[c.file] = c.change(files[c.file])
			src := common.Bytes(files...).As(format)
			if i%2 == 0 {
				src = common.File(writeFiles(t, t.TempDir(), c.model.paths(), files)[0]).As(format)
			}
			runDamaged(t, e, src, c.bad)
		})
	}
}

func runDamaged(t *testing.T, e *common.Engine, src common.Source, bad bool) {
	m, err := e.Load(ctx, src, nil)
	if err != nil {
		require.True(t, typed(err), "%v", err)
		require.True(t, !bad || errors.Is(err, common.ErrModel), "%v", err)
		return
	}
	defer m.Close()
	require.False(t, bad, "it loads")
signatures:
	for _, sig := range m.Signatures() {
		in := common.Tensors{}
		for _, info := range sig.Inputs {
			shape := slices.Clone(info.Shape)
			for i, d := range shape {
				if d == -1 {
					shape[i] = 8
				}
			}
			if n := shape.Elems(); n < 0 || n > 1<<22 {
				continue signatures // a flip made it larger than it is worth
			}
			in[info.Name] = Random(t, 1, info.DType, shape...)
		}
		for range 2 {
			out, err := m.RunSignature(ctx, sig.Name, in)
			require.True(t, err == nil || typed(err), "%v", err)
			for name, x := range out {
				require.NotNil(t, x, name)
			}
		}
	}
}
