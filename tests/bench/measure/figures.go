package measure

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"rexecd/tests/bench/rig"
)

// A Key names one column of measurements: the nth value of two keys of one figure come from the same round, a moment
// apart, so they can be paired.
type Key struct{ Figure, Server, Stack, Stderr string }

// KeyOf is the key of one server's figure with one PAM stack; stderr is a Variant.
func KeyOf(figure, server, stack, stderr string) Key { return Key{figure, server, stack, stderr} }

func (k Key) String() string { return k.Figure + "|" + k.Server + "|" + k.Stack + "|" + k.Stderr }

// The last part of a key.
const (
	Plain      = "plain"       // no stderr port
	WithStderr = "stderr-port" // the server dials back
)

// Variant is that part.
func Variant(stderr bool) string {
	if stderr {
		return WithStderr
	}
	return Plain
}

// Figures are all values that were measured, by key.
type Figures struct{ values map[string][]float64 }

// NewFigures are none yet.
func NewFigures() *Figures { return &Figures{values: map[string][]float64{}} }

func (f *Figures) add(k Key, v float64) { f.values[k.String()] = append(f.values[k.String()], v) }

// Has reports whether there is a value.
func (f *Figures) Has(k Key) bool { return len(f.values[k.String()]) > 0 }

// best are the figures of which the best round is shown: whatever else the machine does can only take from a
// throughput, and it takes from the two ends of each pair at different times.
var best = []string{"stdout", "stderr", "stdin"}

// Median is the figure's median over the rounds; of a throughput, the best.
func (f *Figures) Median(k Key) float64 {
	v := f.values[k.String()]
	if slices.Contains(best, k.Figure) && len(v) > 0 {
		return slices.Max(v)
	}
	return rig.Median(v)
}

// Ratio is the median over the rounds of a's value divided by b's of the same round. On a noisy machine it holds still
// where the ratio of the medians does not: both sides of each pair had the same noise.
func (f *Figures) Ratio(a, b Key) float64 {
	x, y := f.values[a.String()], f.values[b.String()]
	if len(x) != len(y) || slices.Contains(best, a.Figure) { // or one of them is a total over the rounds
		return f.Median(a) / f.Median(b)
	}
	var pairs []float64
	for i := range x {
		if y[i] != 0 {
			pairs = append(pairs, x[i]/y[i])
		}
	}
	return rig.Median(pairs)
}

// Save writes the figures for Load: each stage runs in a process of its own.
func (f *Figures) Save(path string) error {
	data, err := json.Marshal(f.values)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// Load adds what was saved.
func (f *Figures) Load(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &f.values); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
