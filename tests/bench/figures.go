package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// A key names one column of measurements: the nth value of two keys of one figure come from the same round, a moment
// apart, so they can be paired.
type key struct{ figure, server, stack, stderr string }

func (k key) String() string { return k.figure + "|" + k.server + "|" + k.stack + "|" + k.stderr }

const (
	plain      = "plain"       // no stderr port
	withStderr = "stderr-port" // the server dials back
)

func variant(stderr bool) string {
	if stderr {
		return withStderr
	}
	return plain
}

type figures struct{ values map[string][]float64 }

func newFigures() *figures { return &figures{values: map[string][]float64{}} }

func (f *figures) add(k key, v float64) { f.values[k.String()] = append(f.values[k.String()], v) }

func (f *figures) has(k key) bool { return len(f.values[k.String()]) > 0 }

// best are the figures of which the best round is shown: whatever else the machine does can only take from a
// throughput, and it takes from the two ends of each pair at different times.
var best = []string{"stdout", "stderr", "stdin"}

// median is the figure's median over the rounds; of a throughput, the best.
func (f *figures) median(k key) float64 {
	v := f.values[k.String()]
	if slices.Contains(best, k.figure) && len(v) > 0 {
		return slices.Max(v)
	}
	return median(v)
}

// ratio is the median over the rounds of a's value divided by b's of the same round. On a noisy machine it holds still
// where the ratio of the medians does not: both sides of each pair had the same noise.
func (f *figures) ratio(a, b key) float64 {
	x, y := f.values[a.String()], f.values[b.String()]
	if len(x) != len(y) || slices.Contains(best, a.figure) { // or one of them is a total over the rounds
		return f.median(a) / f.median(b)
	}
	var pairs []float64
	for i := range x {
		if y[i] != 0 {
			pairs = append(pairs, x[i]/y[i])
		}
	}
	return median(pairs)
}

// median of an even number of values is the mean of the two in the middle; of none, 0.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

func (f *figures) save(path string) error {
	data, err := json.Marshal(f.values)
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func (f *figures) load(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &f.values); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
