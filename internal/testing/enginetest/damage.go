// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/internal/values"
	"github.com/stretchr/testify/require"
)

// damage loads models that are cut short, empty, random, or have flipped bits.
// Each must end in a typed error, or for those that may still be models, in a
// normal Run. It happens in other processes, so that a crash is a failure of
// that one model.
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
				from = s.damagedFrom(t, cases, from)
			}
		})
	}
}

// damagedFrom runs cases in a process, until one crashes it or all are done,
// and returns the number of the next.
func (s *suite) damagedFrom(t *testing.T, cases []damaged, from int) int {
	cmd := command(t, settings{From: from})
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout // one pipe: what is printed comes after its BEGIN
	require.NoError(t, cmd.Start())
	hang := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	at, loaded, printed := -1, 0, []string{} // since BEGIN
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		hang.Reset(time.Minute)
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "BEGIN":
			at, err = strconv.Atoi(rest)
			require.NoError(t, err)
			printed = nil
		case "LOADED":
			loaded++
		case "WRONG":
			t.Errorf("%s: %s", cases[at].name, rest)
		case "END":
			at = -1
		default:
			if len(printed) == 30 { // those at the end say most
				printed = slices.Delete(printed, 10, 11)
			}
			printed = append(printed, lines.Text())
		}
	}
	err = cmd.Wait()
	hung := !hang.Stop()
	if err == nil {
		t.Logf("cases %d to %d: %d still were models", from, len(cases)-1, loaded)
		return len(cases)
	}
	require.GreaterOrEqual(t, at, 0, "the process failed outside of a case: %v\n%s", err, strings.Join(printed, "\n"))
	t.Errorf("%s: the process crashed, or was ended after a minute (%t): %v\n%s", cases[at].name, hung, err, strings.Join(printed, "\n"))
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
				lengths = append(lengths, len(data)*i/40)
			}
			for i := 1; i < 16; i++ {
				lengths = append(lengths, len(data)-i)
			}
			for _, n := range lengths {
				if n >= 0 && n < len(data) {
					// Some bytes less can be only white space or an optional
					// field less. Weights that are cut never fit.
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
		}, "replaced by random bytes, seed %d", seed)
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
	dir := filepath.Join(t.TempDir(), "damaged")
	for i, c := range cases {
		if i < child.From {
			continue
		}
		fmt.Fprintf(os.Stdout, "\nBEGIN %d\n", i)
		files := c.model.bytes(t)
		if files[c.file] = c.change(files[c.file]); strings.Contains(c.name, " random ") {
			files = files[:1]
		}
		src := common.Bytes(files...).As(format)
		if i%2 == 0 {
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.Mkdir(dir, 0o700))
			src = common.File(writeFiles(t, dir, c.model.paths(), files)[0]).As(format)
		}
		if problem := runDamaged(e, src, c.bad); problem != "" {
			fmt.Fprintf(os.Stdout, "\nWRONG %s\n", strings.ReplaceAll(problem, "\n", " | "))
		}
		fmt.Fprintf(os.Stdout, "\nEND\n")
	}
}

// runDamaged loads and runs a model, and says what was wrong in that.
func runDamaged(e *common.Engine, src common.Source, bad bool) string {
	m, err := e.Load(ctx, src, nil)
	switch {
	case err != nil && !typed(err):
		return fmt.Sprintf("load: an error without type: %v", err)
	case err != nil && bad && !errors.Is(err, common.ErrModel):
		return fmt.Sprintf("load: not ErrModel: %v", err)
	case err != nil:
		return ""
	}
	defer m.Close()
	if bad {
		return "it loads"
	}
	fmt.Fprintf(os.Stdout, "\nLOADED\n")
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
				in = nil // a flip made it larger than it is worth
				break
			}
			x, err := common.NewTensor(info.DType, shape...)
			if err != nil {
				return fmt.Sprintf("the input %v cannot be made: %v", info, err)
			}
			values.Fill(x, 1)
			in[info.Name] = x
		}
		for range 2 {
			if in == nil {
				break
			}
			out, err := m.RunSignature(ctx, sig.Name, in)
			if err != nil && !typed(err) {
				return fmt.Sprintf("run: an error without type: %v", err)
			}
			for name, x := range out {
				if x == nil {
					return fmt.Sprintf("output %q is nil", name)
				}
			}
		}
	}
	return ""
}
