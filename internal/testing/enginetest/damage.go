// SPDX-License-Identifier: Apache-2.0

package enginetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/common"
	"github.com/anyinfer/anyinfer/isolate"
	"github.com/stretchr/testify/require"
)

// damageLimits keep a damaged model from all memory and time of the machine.
var damageLimits = isolate.Options{
	Memory: 2 << 30, CPUTime: 10 * time.Second, LoadTime: time.Minute, Restarts: -1,
}

// damage loads and runs damaged models in children of an isolated engine. Each must end in a normal Run or in a typed
// error, of which one says that the child crashed. Each case is a subtest of its number, which is its seed.
func (s *suite) damage(t *testing.T) {
	for _, format := range s.Formats {
		s.parallel(t, format, func(t *testing.T) {
			e, err := isolate.Open(s.Name, nil, &damageLimits)
			require.NoError(t, err)
			defer func() { require.NoError(t, e.Close()) }()
			d := &damaged{ends: map[string]int{}}
			for _, entry := range s.entries {
				if entry.Files[format] != nil && !strings.HasPrefix(entry.Name, "slow") {
					d.models = append(d.models, &model{entry: entry, suite: s, format: format})
				}
			}
			for i := range 100 * soak(t) {
				t.Run(strconv.Itoa(i), func(t *testing.T) { d.run(t, e, i) })
			}
			t.Logf("damaged models: %v", d.ends)
		})
	}
}

// damaged counts how damaged models have ended.
type damaged struct {
	models []*model
	ends   map[string]int
}

// run damages a model and runs it.
func (d *damaged) run(t *testing.T, e *common.Engine, seed int) {
	random := rand.New(rand.NewPCG(uint64(seed), 5))
	m := d.models[random.IntN(len(d.models))]
	files, f := m.bytes(t), 0
	if len(files) > 1 && len(files[1]) > 0 && random.IntN(4) == 0 {
		f = 1 // weights: mostly still a model, so not often
	}
	kind := seed % len(damages)
	donor := d.models[random.IntN(len(d.models))].bytes(t)[0]
	name := fmt.Sprintf("%s, damage %d, seed %d", m.Files[m.format][f], kind, seed)
	var bad bool
	files[f], bad = damages[kind](random, files[f], donor)
	src := common.Bytes(files...).As(m.format)
	if random.IntN(2) == 0 {
		src = common.File(writeFiles(t, t.TempDir(), m.paths(), files)[0]).As(m.format)
	}
	hang := time.AfterFunc(3*time.Minute, func() { panic(name + " hangs") })
	defer hang.Stop()
	err := runDamaged(t, e, src)
	end := "ran"
	switch {
	case err == nil:
		require.False(t, bad && f == 0, "%s is no model, and runs", name)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, common.ErrCrashed) && strings.Contains(err.Error(), "it was killed"):
		end = "exceeded a limit"
	case errors.Is(err, common.ErrCrashed):
		end = "crashed"
	default:
		require.True(t, typed(err), "%s: %v", name, err)
		end = "refused"
	}
	d.ends[end]++
	t.Logf("%s: it %s: %v", name, end, err)
}

// damages are the kinds of damage. They return the damaged file, and whether it cannot be a model any more.
var damages = []func(r *rand.Rand, b, donor []byte) ([]byte, bool){
	flipBits, setBytes, splice, setCounts, flipBits, truncate, setCounts, splice, setBytes, randomBytes,
}

func flipBits(r *rand.Rand, b, _ []byte) ([]byte, bool) {
	for range 1 + r.IntN(3) {
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	}
	return b, false
}

func setBytes(r *rand.Rand, b, _ []byte) ([]byte, bool) {
	for range 1 + r.IntN(4) {
		b[r.IntN(len(b))] = byte(r.Uint32())
	}
	return b, false
}

// setCounts sets aligned words, among which are counts, offsets and dimensions.
func setCounts(r *rand.Rand, b, _ []byte) ([]byte, bool) {
	for range 1 + r.IntN(2) {
		if at := r.IntN(len(b)) &^ 3; at+4 <= len(b) {
			binary.LittleEndian.PutUint32(b[at:], []uint32{0x7fffffff, 0xffffffff, 0x80000000}[r.IntN(3)])
		}
	}
	return b, false
}

// splice copies a piece of another model over the file, or inserts it.
func splice(r *rand.Rand, b, donor []byte) ([]byte, bool) {
	from := r.IntN(len(donor))
	piece := donor[from:min(len(donor), from+1+r.IntN(1<<r.IntN(12)))]
	at := r.IntN(len(b))
	if r.IntN(2) == 0 {
		copy(b[at:], piece)
		return b, false
	}
	return slices.Insert(b, at, piece...), false
}

// truncate cuts the file. What is left can be a model without metadata, which are as long as the rest in some.
func truncate(r *rand.Rand, b, _ []byte) ([]byte, bool) {
	n := r.IntN(len(b))
	if r.IntN(2) == 0 {
		n = r.IntN(min(len(b), 80))
	}
	return b[:n:n], n < min(len(b)/2, 16)
}

// randomBytes are no model. Some begin as one does.
func randomBytes(r *rand.Rand, b, _ []byte) ([]byte, bool) {
	random := make([]byte, 1+r.IntN(1<<(4+r.IntN(12))))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	if r.IntN(2) == 0 {
		copy(random, b[:min(16, len(b))])
	}
	return random, true
}

// runDamaged runs every signature of a model twice, with inputs that are not larger than they are worth.
func runDamaged(t *testing.T, e *common.Engine, src common.Source) error {
	limited, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	m, err := e.Load(limited, src, nil)
	if err != nil {
		return err
	}
	defer m.Close()
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
				continue signatures
			}
			in[info.Name] = Random(t, 1, info.DType, shape...)
		}
		for range 2 {
			out, err := m.RunSignature(limited, sig.Name, in)
			if err != nil {
				return err
			}
			for name, x := range out {
				require.NotNil(t, x, name)
			}
		}
	}
	return nil
}
