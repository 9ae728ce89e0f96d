// SPDX-License-Identifier: Apache-2.0

package track

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/anyinfer/anyinfer/vision"
	"github.com/stretchr/testify/require"
)

// golden is what vision/testdata/gen_track.py has written.
type golden struct {
	Filters []struct {
		Measured [][4]float64
		States   []struct {
			Mean       [8]float64
			Covariance [8][8]float64
		}
	}
	Assignments []struct {
		Cost     [][]*float64 // nil: infinite
		Limit    float64
		Distinct bool
		Pairs    [][2]int
		Full     *float64
	}
	Sequences []struct {
		Name    string
		Options map[string]float64
		Frames  []struct {
			Boxes  [][6]float32
			Tracks []int // of each its ID and the index of its box
			Sum    float64
		}
	}
}

func read(t *testing.T) (g golden) {
	t.Helper()
	file, err := os.Open("../testdata/track/track.json.gz")
	require.NoError(t, err)
	defer file.Close()
	plain, err := gzip.NewReader(file)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(plain).Decode(&g))
	return g
}

func detection(x0, y0, x1, y1, score float32, class int) vision.Detection {
	return vision.Detection{Rect: vision.Rect{Min: vision.Point{X: x0, Y: y0}, Max: vision.Point{X: x1, Y: y1}}, Score: score, Class: class}
}

// TestSequences compares which detections are of one thing, and the tracks' boxes, with
// those of supervision. IDs may be others where several tracks begin in a frame, whose
// order is that of a Python set, and for classes, of which each has a tracker in the script.
func TestSequences(t *testing.T) {
	sequences := read(t).Sequences
	require.GreaterOrEqual(t, len(sequences), 8)
	for _, s := range sequences {
		t.Run(s.Name, func(t *testing.T) {
			tracker := ByteTrack{Agnostic: s.Name != "classes"}
			for name, value := range s.Options {
				switch name {
				case "track_activation_threshold":
					tracker.MinScore = float32(value)
				case "minimum_matching_threshold":
					tracker.IoU = 1 - float32(value)
				case "minimum_consecutive_frames":
					tracker.MinHits = int(value)
				case "lost_track_buffer":
					tracker.Buffer = int(value)
				case "frame_rate":
					tracker.FrameRate = value
				default:
					t.Fatal(name)
				}
			}
			theirs, mine := map[int]int{}, map[int]int{}
			for n, f := range s.Frames {
				var found []vision.Detection
				for i, b := range f.Boxes {
					d := detection(b[0]/4, b[1]/4, b[2]/4, b[3]/4, b[4]/1000, int(b[5]))
					d.Row = i
					found = append(found, d)
				}
				var pairs [][2]int
				sum := 0.0
				for _, tr := range tracker.Update(found) {
					require.Equal(t, found[tr.Detection.Row], tr.Detection)
					pairs = append(pairs, [2]int{tr.ID, tr.Detection.Row})
					sum += float64(tr.Rect.Min.X + tr.Rect.Min.Y + tr.Rect.Max.X + tr.Rect.Max.Y)
				}
				require.InDelta(t, f.Sum, sum, 0.06+1e-6*f.Sum, "frame %d", n)
				require.Len(t, f.Tracks, 2*len(pairs), "frame %d", n)
				for p := range slices.Chunk(f.Tracks, 2) {
					i := slices.IndexFunc(pairs, func(q [2]int) bool { return q[1] == p[1] })
					require.GreaterOrEqual(t, i, 0, "frame %d, box %d", n, p[1])
					id := pairs[i][0]
					if theirs[id] == 0 && mine[p[0]] == 0 {
						theirs[id], mine[p[0]] = p[0], id
					}
					require.Equal(t, [2]int{p[0], id}, [2]int{theirs[id], mine[p[0]]}, "frame %d", n)
				}
			}
			require.Equal(t, len(theirs), slices.Max(slices.Collect(maps.Keys(theirs))), "no ID is left out")
			require.GreaterOrEqual(t, len(theirs), 5)
		})
	}
}

// solved returns the pairs that an assignment makes, and the sum of their costs.
func solved(a *assignment, cost [][]*float64, limit, single float64) (pairs [][2]int, sum float64) {
	a.reset(len(cost[0]))
	for _, costs := range cost {
		var pairs []pair
		for j, c := range costs {
			if c != nil && *c <= limit {
				pairs = append(pairs, pair{j, *c})
			}
		}
		a.rows = append(a.rows, row{pairs: pairs, col: -1})
	}
	a.solve(single)
	for i, r := range a.rows {
		if r.col >= 0 {
			pairs, sum = append(pairs, [2]int{i, r.col}), sum+*cost[i][r.col]
		}
	}
	return pairs, sum
}

// TestAssignment compares assignments with those of SciPy: the same pairs where all costs
// differ, the same sum where some are equal.
func TestAssignment(t *testing.T) {
	var a assignment
	whole, equal := 0, 0
	for i, g := range read(t).Assignments {
		single := g.Limit + 1e-4
		pairs, sum := solved(&a, g.Cost, g.Limit, single)
		theirs := 0.0
		for _, p := range g.Pairs {
			theirs += *g.Cost[p[0]][p[1]]
		}
		// Those that are not in a pair cost single.
		require.InDelta(t, theirs-single*float64(len(g.Pairs)), sum-single*float64(len(pairs)), 1e-9, "%d", i)
		if g.Distinct && slices.Equal(g.Pairs, pairs) {
			equal++
		}
		columns := map[int]bool{}
		for _, p := range pairs {
			require.False(t, columns[p[1]])
			columns[p[1]] = true
		}
		if g.Full != nil {
			pairs, sum = solved(&a, g.Cost, math.Inf(1), 1e6)
			require.Len(t, pairs, min(len(g.Cost), len(g.Cost[0])))
			require.InDelta(t, *g.Full, sum, 1e-9, "%d", i)
			whole++
		}
	}
	require.Greater(t, whole, 20)
	require.Greater(t, equal, 36, "of 40; sums may be equal by chance")
}

// TestFilter compares states with those of supervision's filter, whose covariances
// between the four numbers are all 0.
func TestFilter(t *testing.T) {
	near := func(want, have float64) {
		t.Helper()
		require.InDelta(t, want, have, 1e-9*math.Abs(want))
	}
	for _, g := range read(t).Filters {
		var f filter
		f.begin(g.Measured[0])
		states := g.States
		for i, m := range g.Measured[1:] {
			i++
			f.predict(false)
			if i%7 != 3 && i%7 != 4 {
				f.correct(m)
			}
			if i%13 != 0 {
				continue
			}
			for j, a := range f {
				near(states[0].Mean[j], a.at)
				near(states[0].Mean[j+4], a.speed)
				var place, speed [8]float64
				place[j], place[j+4], speed[j], speed[j+4] = a.atVar, a.cov, a.cov, a.speedVar
				for k := range 8 {
					near(states[0].Covariance[j][k], place[k])
					near(states[0].Covariance[j+4][k], speed[k])
				}
			}
			states = states[1:]
		}
		require.Empty(t, states)
	}
	var flat filter // its height has come down to 0, which has no noise
	flat.correct([4]float64{1, 1, 1, 1})
	require.Equal(t, vision.Rect{}, flat.rect())
}

// ids returns the IDs of an Update.
func ids(tracks []Track) []int {
	all := []int{}
	for _, tr := range tracks {
		all = append(all, tr.ID)
	}
	return all
}

func TestOptions(t *testing.T) {
	at := func(x, score float32, class int) []vision.Detection {
		return []vision.Detection{detection(x, 10, x+50, 110, score, class)}
	}
	t.Run("the first frame", func(t *testing.T) {
		var b ByteTrack
		require.Equal(t, []int{1}, ids(b.Update(at(10, 0.9, 0))))
		require.Equal(t, []int{1}, ids(b.Update(append(at(10, 0.9, 0), at(300, 0.9, 0)...))), "one hit")
		tracks := b.Update(append(at(10, 0.9, 0), at(300, 0.9, 0)...))
		require.Equal(t, []int{1, 2}, ids(tracks))
		require.Equal(t, []int{2, 1}, []int{tracks[0].Age, tracks[1].Age})
	})
	t.Run("MinHits", func(t *testing.T) {
		for hits := range 5 {
			b := ByteTrack{MinHits: hits}
			b.Update(nil)
			for i := 1; i < cmp.Or(hits, 2); i++ {
				require.Empty(t, b.Update(at(10, 0.9, 0)))
			}
			require.Equal(t, []int{1}, ids(b.Update(at(10, 0.9, 0))))
			b.Update(nil)
			require.Equal(t, []int{1}, ids(b.Update(at(10, 0.9, 0))))
		}
	})
	t.Run("scores", func(t *testing.T) {
		b := ByteTrack{MinScore: 0.5, LowScore: 0.3, NewScore: 0.7, MinHits: 1}
		require.Empty(t, b.Update(at(10, 0.69, 0)))
		for _, step := range []struct {
			score float32
			ids   []int
		}{{0.7, []int{1}}, {0.5, []int{1}}, {0.31, []int{1}}, {0.3, []int{}}, {0.31, []int{}}, {0.5, []int{1}}} { // a low one does not find what was lost
			require.Equal(t, step.ids, ids(b.Update(at(10, step.score, 0))))
		}
		b = ByteTrack{MinScore: 0.95} // + 0.1 is more than there is
		require.Len(t, b.Update(at(10, 0.96, 0)), 1)
	})
	t.Run("IoU", func(t *testing.T) {
		for limit, want := range map[float32]int{0: 1, 0.3: 1, 0.5: 0} {
			b := ByteTrack{IoU: limit}
			b.Update(at(10, 0.9, 0))
			require.Len(t, b.Update(at(30, 0.9, 0)), want, limit) // 3/7 of 0.9
		}
		b := ByteTrack{IoU: -1}
		b.Update(at(10, 0.9, 0))
		require.Empty(t, b.Update(at(61, 0.9, 0)), "no overlap at all")
		for x, want := range map[float32]int{26: 1, 28: 0} { // 34/66, 32/68
			var b ByteTrack
			b.Update(at(10, 0.9, 0))
			require.Len(t, b.Update(at(x, 0.2, 0)), want, "a low score")
		}
	})
	t.Run("Buffer", func(t *testing.T) {
		for _, o := range []struct {
			buffer  int
			rate    float64
			missing int
		}{{0, 0, 31}, {10, 0, 11}, {10, 60, 21}, {10, 15, 6}, {-1, 0, 2}} {
			for extra := range 2 {
				b := ByteTrack{Buffer: o.buffer, FrameRate: o.rate, MinHits: 1}
				b.Update(at(10, 0.9, 0))
				for range o.missing + extra {
					require.Empty(t, b.Update(nil))
				}
				require.Equal(t, []int{1 + extra}, ids(b.Update(at(10, 0.9, 0))), o)
			}
		}
	})
	t.Run("Agnostic", func(t *testing.T) {
		b := ByteTrack{MinHits: 1}
		b.Update(at(10, 0.9, 1))
		require.Equal(t, []int{2}, ids(b.Update(at(10, 0.9, 2))))
		b = ByteTrack{MinHits: 1, Agnostic: true}
		b.Update(at(10, 0.9, 1))
		require.Equal(t, []int{1}, ids(b.Update(at(10, 0.9, 2))))
	})
	t.Run("Reset", func(t *testing.T) {
		var b ByteTrack
		b.Update(append(at(10, 0.9, 0), at(300, 0.9, 0)...))
		b.Update(at(10, 0.9, 0))
		b.Reset()
		tracks := b.Update(append(at(10, 0.9, 0), at(300, 0.9, 0)...))
		require.Equal(t, []int{3, 4}, ids(tracks), "the first frame")
		require.Zero(t, tracks[0].Age)
	})
	t.Run("no numbers", func(t *testing.T) {
		inf, nan := float32(math.Inf(1)), float32(math.NaN())
		for _, d := range []vision.Detection{
			detection(0, 0, 9, 9, nan, 0), detection(0, 0, 9, 9, inf, 0), detection(nan, 0, 9, 9, 1, 0), detection(-inf, 0, 9, 9, 1, 0),
			detection(-math.MaxFloat32, 0, math.MaxFloat32, 9, 1, 0), detection(0, 0, 9, inf, 1, 0), detection(9, 0, 0, 9, 1, 0), detection(0, 9, 9, 9, 1, 0),
		} {
			b := ByteTrack{MinHits: 1}
			require.Empty(t, b.Update([]vision.Detection{d}), d)
		}
	})
	t.Run("results are the caller's", func(t *testing.T) {
		var b ByteTrack
		first := b.Update(at(10, 0.9, 0))
		copied := slices.Clone(first)
		b.Update(at(12, 0.8, 0))
		require.Equal(t, copied, first)
	})
}

// crowd returns frames of n things that move.
func crowd(n, frames int) [][]vision.Detection {
	r := rand.New(rand.NewPCG(1, 2))
	type thing struct{ x, y, vx, vy, w, h float32 }
	things := make([]thing, n)
	for i := range things {
		things[i] = thing{r.Float32() * 1800, r.Float32() * 1000, r.Float32()*6 - 3, r.Float32()*4 - 2, 40 + r.Float32()*60, 80 + r.Float32()*100}
	}
	var all [][]vision.Detection
	for range frames {
		var found []vision.Detection
		for i := range things {
			t := &things[i]
			t.x, t.y = t.x+t.vx, t.y+t.vy
			x, y := t.x+r.Float32()*2, t.y+r.Float32()*2
			found = append(found, detection(x, y, x+t.w, y+t.h, 0.15+0.8*r.Float32(), 0))
		}
		all = append(all, found)
	}
	return all
}

func TestAllocations(t *testing.T) {
	frames, n := crowd(100, 200), 0
	var b ByteTrack
	for range 2 {
		for _, f := range frames {
			b.Update(f)
		}
		b.Reset()
	}
	require.Equal(t, 1.0, testing.AllocsPerRun(150, func() { // of the results
		if len(b.Update(frames[n])) == 0 {
			t.Error("nothing")
		}
		n++
	}))
}

// FuzzUpdate tracks boxes of any numbers, up to thousands in a frame.
func FuzzUpdate(f *testing.F) {
	f.Add([]byte("\x10some boxes, twenty bytes each, of which the first bits tell what they are"), uint16(3), float32(0), float32(0), 0, false)
	f.Add(make([]byte, 400), uint16(2500), float32(0.5), float32(-1), -3, true)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9}, uint16(40), float32(math.NaN()), float32(2), 1, false)
	f.Fuzz(func(t *testing.T, data []byte, many uint16, minScore, iou float32, hits int, agnostic bool) {
		b := ByteTrack{MinScore: minScore, IoU: iou, MinHits: hits % 4, Buffer: hits % 50, FrameRate: float64(iou), Agnostic: agnostic}
		r := rand.New(rand.NewPCG(uint64(many), uint64(len(data))))
		special := []float32{0, 1, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}
		seen, last := map[int]int{}, 0 // the frame before, by ID
		for frame := range 6 {
			var found []vision.Detection
			for i := 0; i+20 <= len(data); i += 20 {
				var v [5]float32
				for j := range v {
					v[j] = math.Float32frombits(binary.LittleEndian.Uint32(data[i+4*j:]))
				}
				found = append(found, detection(v[0], v[1], v[2], v[3], v[4], int(data[i])%3))
			}
			for range many % 3000 {
				x, y := r.Float32()*2000, r.Float32()*2000
				d := detection(x, y, x+r.Float32()*60-5, y+r.Float32()*60-5, r.Float32(), r.IntN(3))
				if r.IntN(9) == 0 {
					*[]*float32{&d.Rect.Min.X, &d.Rect.Max.Y, &d.Score}[r.IntN(3)] = special[r.IntN(len(special))]
				}
				found = append(found, d)
			}
			if frame == 3 {
				found = nil
			}
			if frame == 5 {
				b.Reset()
				last, seen = slices.Max(append(slices.Collect(maps.Keys(seen)), 0)), map[int]int{}
			}
			now := map[int]bool{}
			for _, tr := range b.Update(found) {
				if tr.ID <= last || now[tr.ID] || tr.Age < 0 || tr.Age > frame {
					t.Fatal(tr, last)
				}
				if before, ok := seen[tr.ID]; ok && !agnostic && before != tr.Detection.Class {
					t.Fatal("another class")
				}
				now[tr.ID], seen[tr.ID] = true, tr.Detection.Class
				if !(tr.Detection.Rect.Area() > 0) && tr.Detection.Rect.Dx() > 1e-10 && tr.Detection.Rect.Dy() > 1e-10 {
					t.Fatal(tr)
				}
			}
			if len(now) > len(found) {
				t.Fatal(len(now))
			}
		}
	})
}

// BenchmarkUpdate tracks 100 boxes a frame, and lets supervision do the same in turns, if
// Python has it.
func BenchmarkUpdate(b *testing.B) {
	frames := crowd(100, 300)
	var rows [][][]float32
	for _, f := range frames {
		var boxes [][]float32
		for _, d := range f {
			boxes = append(boxes, []float32{d.Rect.Min.X, d.Rect.Min.Y, d.Rect.Max.X, d.Rect.Max.Y, d.Score})
		}
		rows = append(rows, boxes)
	}
	text, err := json.Marshal(rows)
	require.NoError(b, err)
	file := filepath.Join(b.TempDir(), "frames")
	require.NoError(b, os.WriteFile(file, text, 0o600))
	cmd := exec.Command(cmp.Or(os.Getenv("ANYINFER_TEST_PYTHON"), "python3"), "../testdata/bench_track.py", file)
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	answers, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	defer cmd.Wait()
	defer in.Close()
	lines := bufio.NewScanner(answers)
	var tracker ByteTrack
	var mine, python []float64
	for n := 0; b.Loop(); n++ {
		start := time.Now()
		tracks := tracker.Update(frames[n%len(frames)])
		mine = append(mine, float64(time.Since(start)))
		if _, err := in.Write([]byte("\n")); err != nil || !lines.Scan() {
			continue // Python or supervision is missing, or it is one without ByteTrack
		}
		var ns float64
		var count int
		_, err := fmt.Sscan(lines.Text(), &ns, &count)
		require.NoError(b, err)
		require.Equal(b, len(tracks), count)
		python = append(python, ns)
	}
	median := func(all []float64) float64 {
		slices.Sort(all)
		return all[len(all)/2]
	}
	b.ReportMetric(median(mine)/1e6, "ms")
	if python != nil {
		b.ReportMetric(median(python)/1e6, "python-ms")
		b.ReportMetric(median(mine)/median(python), "ratio")
	}
}
