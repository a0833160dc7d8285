package report

import (
	"cmp"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"time"
)

// A table counts by key, within bounds: peers make up names and addresses. At
// twice its size it keeps the entries that weigh most. An entry that was dropped
// and comes back starts again, so that its figures are lower bounds; those that
// stayed are exact.
type table[K comparable, V any] struct {
	size    int
	weigh   func(*V) int64
	drop    func(K, *V) // told of every entry that goes
	entries map[K]*V
	dropped bool
}

func (t *table[K, V]) get(key K) (v *V, isNew bool) {
	if v = t.entries[key]; v != nil {
		return v, false
	}
	if len(t.entries) >= 2*t.size {
		t.prune()
	}
	if t.entries == nil {
		t.entries = make(map[K]*V)
	}
	v = new(V)
	t.entries[key] = v
	return v, true
}

func (t *table[K, V]) prune() {
	type weighed struct {
		key K
		v   *V
		w   int64
	}
	all := make([]weighed, 0, len(t.entries))
	for k, v := range t.entries {
		all = append(all, weighed{k, v, t.weigh(v)})
	}
	slices.SortFunc(all, func(a, b weighed) int { return cmp.Compare(b.w, a.w) })
	for _, e := range all[t.size:] {
		if t.drop != nil {
			t.drop(e.key, e.v)
		}
		delete(t.entries, e.key)
	}
	t.dropped = true
}

// A distinct estimates how many different texts it has seen: HyperLogLog
// (Flajolet 2007), within some percent, in 4 KB. The hash has a random seed, so
// that nobody can choose texts that mislead it.
type distinct struct {
	registers [1 << 12]uint8
}

var seed = maphash.MakeSeed()

func (d *distinct) add(text string) {
	h := maphash.String(seed, text)
	rank := uint8(bits.LeadingZeros64(h<<12|1<<11)) + 1
	if at := h >> 52; d.registers[at] < rank {
		d.registers[at] = rank
	}
}

func (d *distinct) count() int {
	sum, zeros := 0.0, 0
	for _, r := range d.registers {
		sum += math.Exp2(-float64(r))
		if r == 0 {
			zeros++
		}
	}
	m := float64(len(d.registers))
	n := 0.7213 / (1 + 1.079/m) * m * m / sum
	if n < 2.5*m && zeros > 0 {
		n = m * math.Log(m/float64(zeros))
	}
	return int(n + 0.5)
}

// A spread holds times to find their median and their distribution: all of a
// few, else how many there are in steps of 9 %.
type spread struct {
	n     int
	sum   time.Duration
	max   time.Duration
	exact []time.Duration
	steps []uint32
}

const (
	fewTimes = 32
	octave   = 8 // steps
	allSteps = 51 * octave
)

func step(d time.Duration) int {
	us := float64(d / time.Microsecond)
	if us < 1 {
		return 0
	}
	return min(int(math.Log2(us)*octave)+1, allSteps-1)
}

// middle is the time in the middle of a step.
func middle(step int) time.Duration {
	if step == 0 {
		return 0
	}
	return time.Duration(math.Exp2((float64(step)-0.5)/octave) * float64(time.Microsecond))
}

func (s *spread) add(d time.Duration) {
	s.n++
	s.sum = sum(s.sum, d)
	s.max = max(s.max, d)
	if s.steps == nil && len(s.exact) < fewTimes {
		s.exact = append(s.exact, d)
		return
	}
	if s.steps == nil {
		s.steps = make([]uint32, allSteps)
		for _, e := range s.exact {
			s.steps[step(e)]++
		}
		s.exact = nil
	}
	s.steps[step(d)]++
}

// sum is that of two times, or the longest that there is: a forged line has any time.
func sum(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// median is exact for up to fewTimes times, otherwise within 5 %.
func (s *spread) median() time.Duration {
	if s.steps == nil {
		if s.n == 0 {
			return 0
		}
		sorted := slices.Sorted(slices.Values(s.exact))
		return sum(sorted[(s.n-1)/2], sorted[s.n/2]) / 2
	}
	rest := s.n / 2
	for i, n := range s.steps {
		if rest -= int(n); rest < 0 {
			return min(middle(i), s.max)
		}
	}
	return s.max
}

// below returns how many times are shorter than each bound, the last being those
// that are not.
func (s *spread) below(bounds []time.Duration) []int {
	counts := make([]int, len(bounds)+1)
	put := func(d time.Duration, n int) {
		i := 0
		for i < len(bounds) && d >= bounds[i] {
			i++
		}
		counts[i] += n
	}
	for _, d := range s.exact {
		put(d, 1)
	}
	for i, n := range s.steps {
		if n > 0 {
			put(middle(i), int(n))
		}
	}
	return counts
}
