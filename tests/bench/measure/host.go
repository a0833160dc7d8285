// Package measure measures the servers side by side, in a private host and under
// systemd.
package measure

import (
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"rexecd/tests/bench/rig"
)

// Host measures everything that does not need systemd, in a private host.
func Host(opt rig.Options) (*Figures, error) {
	at, err := prepare()
	if err != nil {
		return nil, err
	}
	if err := rig.LogSink(nil, "/dev/log", "/run/systemd/journal/socket"); err != nil {
		return nil, err
	}
	f := NewFigures()
	list := rig.Candidates(opt, at)
	for _, st := range rig.Stacks {
		if err := st.Install(); err != nil {
			return nil, err
		}
		if err := measureStack(f, list, rig.TenRules(at), st, opt); err != nil {
			return nil, fmt.Errorf("%s: %w", st.Name, err)
		}
	}
	return f, nil
}

// prepare makes the account and the client's host, and installs the settings file as
// the packages do: reading it is part of every connection.
func prepare() (rig.Target, error) {
	if err := rig.AddUser(); err != nil {
		return rig.Target{}, err
	}
	text, err := os.ReadFile("packaging/rexecd.toml")
	if err != nil {
		return rig.Target{}, err
	}
	if err := os.WriteFile("/etc/rexecd.toml", text, 0o644); err != nil {
		return rig.Target{}, err
	}
	if err := rig.WriteTenRules(text); err != nil {
		return rig.Target{}, err
	}
	return rig.ClientHost()
}

func measureStack(f *Figures, list []rig.Server, rules rig.Server, st rig.Stack, opt rig.Options) error {
	withRules := append(slices.Clone(list), rules)
	parts := []struct {
		name       string
		permitOnly bool // the stack makes no difference to it
		measure    func(*Figures, []rig.Server, rig.Stack, rig.Options) error
	}{
		{"latency", false, latency},
		{"ssh", false, sshLatency},
		{"rate", false, rates},
		{"memory", false, memory},
		{"throughput", true, throughput},
		{"held", true, held},
	}
	for _, p := range parts {
		if !opt.Wants(p.name) || p.permitOnly && st.Name != "permit" {
			continue
		}
		start, servers := time.Now(), list
		if p.name == "latency" || p.name == "memory" {
			servers = withRules
		}
		if err := p.measure(f, servers, st, opt); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %-10s pam_%-6s %5.1f s\n", p.name, st.Name, time.Since(start).Seconds())
	}
	return nil
}

// latency runs `true` on one server after the other, round after round; each round begins with another server, and
// nothing else of ours runs meanwhile.
func latency(f *Figures, list []rig.Server, st rig.Stack, opt rig.Options) error {
	all, stop, err := rig.StartAll(list)
	if err != nil {
		return err
	}
	defer stop()
	rounds := rig.Pick(opt, 300, 30)
	if st.Name == "unix" {
		rounds = rig.Pick(opt, 100, 10)
	}
	for _, stderr := range []bool{false, true} {
		if err := latencyRounds(f, all, st, stderr, rounds); err != nil {
			return err
		}
	}
	return nil
}

func latencyRounds(f *Figures, all []*rig.Running, st rig.Stack, stderr bool, rounds int) error {
	const warm = 3 // rounds that fill the page cache and are not counted
	before := make(map[string]rig.Cost, len(all))
	for round := range rounds + warm {
		for i := range all {
			r := all[(i+round)%len(all)]
			if round == warm || !r.Standing {
				var err error
				if before[r.Name], err = r.Cost(); err != nil {
					return err
				}
			}
			nul, eof, err := r.Once(stderr)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", r.Name, Variant(stderr), err)
			}
			after, err := r.Settle()
			if err != nil {
				return err
			}
			if round < warm {
				continue
			}
			f.add(Key{"nul", r.Name, st.Name, Variant(stderr)}, rig.MS(nul))
			f.add(Key{"eof", r.Name, st.Name, Variant(stderr)}, rig.MS(eof))
			if !r.Standing {
				f.add(Key{"cpu", r.Name, st.Name, Variant(stderr)}, rig.MS(after.CPU-before[r.Name].CPU))
				f.add(Key{"faults", r.Name, st.Name, Variant(stderr)}, float64(after.Faults-before[r.Name].Faults))
			}
		}
	}
	for _, r := range all {
		if r.Standing { // /proc counts in steps of 10 ms: only the whole is exact enough
			after, err := r.Cost()
			if err != nil {
				return err
			}
			f.add(Key{"cpu", r.Name, st.Name, Variant(stderr)}, rig.MS(after.CPU-before[r.Name].CPU)/float64(rounds))
		}
	}
	return nil
}

// Concurrencies are the numbers of clients at once.
var Concurrencies = []int{1, 2, 8, 32}

// rates counts the connections per second that so many clients at once get through, each running `true` in a loop.
func rates(f *Figures, list []rig.Server, st rig.Stack, opt rig.Options) error {
	all, stop, err := rig.StartAll(list)
	if err != nil {
		return err
	}
	defer stop()
	rounds, slice := rig.Pick(opt, 3, 1), rig.Pick(opt, time.Second, 300*time.Millisecond)
	for _, stderr := range []bool{false, true} {
		for round := range rounds {
			for _, n := range Concurrencies {
				if stderr && n != 8 { // the port's cost shows at 8; the rest would only take time
					continue
				}
				for i := range all {
					r := all[(i+round)%len(all)]
					perSecond, err := rate(r.Target, n, stderr, slice)
					if err != nil {
						return fmt.Errorf("%s, %d at once: %w", r.Name, n, err)
					}
					if _, err := r.Settle(); err != nil {
						return err
					}
					f.add(Key{fmt.Sprintf("rate%d", n), r.Name, st.Name, Variant(stderr)}, perSecond)
				}
			}
		}
	}
	return nil
}

// rate runs n clients for about the given time. A connection that is under way at its end is finished and counted, and
// so is the time that it took.
func rate(at rig.Target, n int, stderr bool, slice time.Duration) (float64, error) {
	var done atomic.Int64
	errs := make(chan error, n)
	start := time.Now()
	for range n {
		go func() {
			for time.Since(start) < slice {
				if _, _, err := at.Once(stderr); err != nil {
					errs <- err
					return
				}
				done.Add(1)
			}
			errs <- nil
		}()
	}
	var failed error
	for range n {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	return float64(done.Load()) / time.Since(start).Seconds(), failed
}
