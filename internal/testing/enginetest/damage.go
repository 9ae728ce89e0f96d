// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
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
		s.run(t, format, func(t *testing.T) {
			cases := s.damages(t, format)
			for from, crashes := 0, 0; from < len(cases); crashes++ {
				require.Less(t, crashes, 20, "enough is known")
				from = s.damagedFrom(t, format, cases, from)
			}
		})
	}
}

// damagedFrom runs cases in a process, until one crashes it or all are done,
// and returns the number of the next.
func (s *suite) damagedFrom(t *testing.T, format string, cases []damaged, from int) int {
	cmd := s.command(t, fmt.Sprintf("damage:%s:%d", format, from))
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout // one pipe: what is printed comes after its BEGIN
	var last tail           // of what was printed since that
	require.NoError(t, cmd.Start())
	hang := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	at, loaded := -1, 0
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		hang.Reset(time.Minute)
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "BEGIN":
			at, err = strconv.Atoi(rest)
			require.NoError(t, err)
			last = tail{}
		case "LOADED":
			loaded++
		case "WRONG":
			t.Errorf("%s: %s", cases[at].name, rest)
		case "END":
			at = -1
		case "":
		default:
			last.write(append(lines.Bytes(), '\n'))
		}
	}
	err = cmd.Wait()
	hung := !hang.Stop()
	if err == nil {
		t.Logf("cases %d to %d: %d still were models", from, len(cases)-1, loaded)
		return len(cases)
	}
	require.GreaterOrEqual(t, at, 0, "the process failed outside of a case: %v\n%s", err, &last)
	name := cases[at].name
	if reason := s.Damaged[name]; reason != "" {
		t.Logf("known to crash: %s: %s", name, reason)
	} else if hung {
		t.Errorf("%s: no answer within a minute", name)
	} else {
		t.Errorf("%s: the process crashed: %v\n%s", name, err, &last)
	}
	return at + 1
}

// tail keeps the beginning and the end of what is written to it.
type tail struct{ head, rest []byte }

func (t *tail) write(b []byte) {
	n := min(len(b), 1500-len(t.head))
	t.head, t.rest = append(t.head, b[:n]...), append(t.rest, b[n:]...)
	t.rest = t.rest[max(0, len(t.rest)-500):]
}

func (t *tail) String() string { return string(t.head) + "\n...\n" + string(t.rest) }

// damaged is one case.
type damaged struct {
	name  string
	files func() [][]byte
	exts  []string // of the files
	bad   bool     // it cannot be a model any more
}

// damages are the cases for a format, the same in every process.
func (s *suite) damages(t *testing.T, format string) []damaged {
	var all []damaged
	var exts []string
	add := func(name string, bad bool, files func() [][]byte) {
		all = append(all, damaged{name, files, exts, bad})
	}
	for _, name := range []string{"digits", "multi"} {
		m := s.model(t, name)
		if m.Files[format] == nil {
			continue
		}
		good := m.bytes(t, s.root, format)
		exts = m.exts(format)
		for f, data := range good {
			lengths := []int{0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 20, 31, 32, 64}
			for i := 1; i < 40; i++ {
				lengths = append(lengths, len(data)*i/40)
			}
			for i := 1; i < 16; i++ {
				lengths = append(lengths, len(data)-i)
			}
			for _, n := range lengths {
				if n < 0 || n >= len(data) {
					continue
				}
				// Some bytes less can be only white space or an optional
				// field less. Weights that are cut never fit.
				bad := n < len(data)/2 || f > 0
				add(fmt.Sprintf("%s truncated to %d of %d bytes", m.Files[format][f], n, len(data)), bad, func() [][]byte {
					files := append([][]byte{}, good...)
					files[f] = data[:n:n]
					return files
				})
			}
		}
	}
	for seed := range 24 {
		random := rand.New(rand.NewPCG(uint64(seed), 1))
		n := 1 + random.IntN(1<<(4+seed/2))
		add(fmt.Sprintf("%d random bytes, seed %d", n, seed), true, func() [][]byte {
			random := rand.New(rand.NewPCG(uint64(seed), 2))
			b := make([]byte, n)
			for i := range b {
				b[i] = byte(random.Uint32())
			}
			if seed%2 == 1 { // that begin as a model does
				copy(b, s.model(t, "digits").bytes(t, s.root, format)[0][:min(16, n)])
			}
			return [][]byte{b}
		})
	}
	flips := 300
	if text := os.Getenv("ANYINFER_TEST_FLIPS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err)
		flips = n
	}
	var flippable []entry
	for _, m := range s.models {
		if m.Files[format] != nil && !strings.HasPrefix(m.Name, "slow") {
			flippable = append(flippable, m)
		}
	}
	for seed := range flips {
		random := rand.New(rand.NewPCG(uint64(seed), 3))
		m := flippable[random.IntN(len(flippable))]
		good := m.bytes(t, s.root, format)
		exts = m.exts(format)
		f := 0
		if len(good) > 1 && len(good[1]) > 0 && random.IntN(8) == 0 {
			f = 1 // weights: mostly still a model, so not often
		}
		where := make([]int, 1+random.IntN(3))
		for i := range where {
			where[i] = random.IntN(8 * len(good[f]))
		}
		add(fmt.Sprintf("%s with bits flipped at byte.bit %s, seed %d", m.Files[format][f], bits(where), seed), false, func() [][]byte {
			files := append([][]byte{}, good...)
			files[f] = bytes.Clone(files[f])
			for _, bit := range where {
				files[f][bit/8] ^= 1 << (bit % 8)
			}
			return files
		})
	}
	return all
}

// exts are the extensions of the model's files.
func (e entry) exts(format string) (exts []string) {
	for _, f := range e.Files[format] {
		exts = append(exts, filepath.Ext(f))
	}
	return exts
}

func bits(where []int) string {
	var texts []string
	for _, b := range where {
		texts = append(texts, fmt.Sprintf("%d.%d", b/8, b%8))
	}
	return strings.Join(texts, " ")
}

// damageJob runs the cases in the process made for it.
func (s *suite) damageJob(t *testing.T, job string) {
	format, number, _ := strings.Cut(job, ":")
	from, err := strconv.Atoi(number)
	require.NoError(t, err)
	e, err := common.Open(s.Name, &common.Config{KeepStderr: true}) // a crash is to be explained
	require.NoError(t, err)
	defer e.Close()
	for i, c := range s.damages(t, format)[from:] {
		fmt.Fprintf(os.Stdout, "\nBEGIN %d\n", from+i)
		wrong := func(format string, args ...any) {
			fmt.Fprintf(os.Stdout, "\nWRONG %s\n", strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", " | "))
		}
		files := c.files()
		src := common.Bytes(files...).As(format)
		if (from+i)%2 == 0 {
			src = onDisk(t, files, c.exts).As(format)
		}
		runDamaged(e, src, c.bad, os.Stdout, wrong)
		fmt.Fprintf(os.Stdout, "\nEND\n")
	}
}

// onDisk writes the files of a model over those of the last.
func onDisk(t *testing.T, files [][]byte, exts []string) common.Source {
	dir := filepath.Join(os.TempDir(), "damaged")
	require.NoError(t, os.RemoveAll(dir))
	require.NoError(t, os.Mkdir(dir, 0o700))
	for i, b := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "model"+exts[i]), b, 0o600))
	}
	return common.File(filepath.Join(dir, "model"+exts[0]))
}

func runDamaged(e *common.Engine, src common.Source, bad bool, log io.Writer, wrong func(string, ...any)) {
	m, err := e.Load(ctx, src, nil)
	if err != nil {
		switch {
		case !typed(err):
			wrong("load: an error without type: %v", err)
		case bad && !errors.Is(err, common.ErrModel):
			wrong("load: not ErrModel: %v", err)
		}
		return
	}
	defer m.Close()
	if bad {
		wrong("it loads")
	}
	fmt.Fprintf(log, "\nLOADED\n")
	for i, sig := range m.Signatures() {
		in := fitting(sig, wrong)
		if in == nil {
			continue
		}
		for range 2 {
			var out common.Tensors
			if i == 0 {
				out, err = m.Run(ctx, in)
			} else {
				out, err = runOnce(m, sig, in)
			}
			if err != nil && !typed(err) {
				wrong("run: an error without type: %v", err)
			}
			for name, x := range out {
				if x == nil {
					wrong("output %q is nil", name)
				}
			}
		}
	}
}

// fitting are inputs for the signature, or nil where they are not worth it.
func fitting(sig common.Signature, wrong func(string, ...any)) common.Tensors {
	in := common.Tensors{}
	for _, info := range sig.Inputs {
		shape := append(common.Shape{}, info.Shape...)
		for i, d := range shape {
			if d == -1 {
				shape[i] = 8
			}
		}
		if n := shape.Elems(); n < 0 || n > 1<<22 {
			return nil // a flip made it larger than it is worth
		}
		x, err := common.NewTensor(info.DType, shape...)
		if err != nil {
			wrong("the input %v cannot be made: %v", info, err)
			return nil
		}
		values.Fill(x, 1)
		in[info.Name] = x
	}
	return in
}

// runOnce runs a signature in a session of its own.
func runOnce(m *common.Model, sig common.Signature, in common.Tensors) (common.Tensors, error) {
	s, err := m.NewSession(ctx, sig.Name)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for i, info := range sig.Inputs {
		if err := s.BindInput(i, in[info.Name]); err != nil {
			return nil, err
		}
	}
	if err := s.Run(ctx); err != nil {
		return nil, err
	}
	return outputs(s), nil
}
