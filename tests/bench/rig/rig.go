// Package rig is what a measurement and the soak stand on: the servers under
// test, the super-server that starts them, the client, and the private host's
// account, PAM stacks and log.
package rig

import (
	"slices"
	"strings"
	"time"
)

// WorkDir holds everything the benchmark builds, fetches and hands from one stage
// to the next, below the module's root.
const WorkDir = "build/bench"

// Options are what the benchmark was asked for.
type Options struct {
	Quick   bool
	Soak    bool
	Conns   int    // of the soak
	Only    string // comma-separated figures; empty: all
	Also    string // comma-separated paths of other builds of in.rexecd
	Server  string // in.rexecd to measure, instead of one that make builds
	Standby int    // handlers that rexecd keeps ready
}

// Wants reports whether a figure was asked for.
func (o Options) Wants(figure string) bool {
	return o.Only == "" || strings.Contains(","+o.Only+",", ","+figure+",")
}

// Others are the further builds, by their paths below the module's root.
func (o Options) Others() []string {
	return strings.FieldsFunc(o.Also, func(r rune) bool { return r == ',' })
}

// Pick is the full run's number, or the quick run's.
func Pick[T any](o Options, full, quick T) T {
	if o.Quick {
		return quick
	}
	return full
}

// Median of an even number of values is the mean of the two in the middle; of none,
// 0.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// MS is a time in milliseconds.
func MS(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
