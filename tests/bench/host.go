package main

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// insideHost measures everything that does not need systemd, in a private host.
func insideHost(opt options) error {
	if err := addUser(); err != nil {
		return err
	}
	if err := logSink(nil, "/dev/log", "/run/systemd/journal/socket"); err != nil {
		return err
	}
	if err := shippedSettings(); err != nil {
		return err
	}
	f := newFigures()
	list := candidates(opt)
	for _, st := range stacks {
		if err := st.install(); err != nil {
			return err
		}
		if err := measureStack(f, list, st, opt); err != nil {
			return fmt.Errorf("%s: %w", st.name, err)
		}
	}
	return f.save(resultFile("host"))
}

// shippedSettings installs the settings file as the packages do: reading it is part of every connection.
func shippedSettings() error {
	text, err := os.ReadFile("packaging/rexecd.toml")
	if err != nil {
		return err
	}
	return os.WriteFile("/etc/rexecd.toml", text, 0o644)
}

func measureStack(f *figures, list []server, st stack, opt options) error {
	parts := []struct {
		name       string
		permitOnly bool // the stack makes no difference to it
		measure    func(*figures, []server, stack, options) error
	}{
		{"latency", false, latency},
		{"ssh", false, sshLatency},
		{"rate", false, rates},
		{"memory", false, memory},
		{"throughput", true, throughput},
		{"held", true, held},
	}
	for _, p := range parts {
		if !opt.wants(p.name) || p.permitOnly && st.name != "permit" {
			continue
		}
		start := time.Now()
		if err := p.measure(f, list, st, opt); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(os.Stderr, "bench: %-10s pam_%-6s %5.1f s\n", p.name, st.name, time.Since(start).Seconds())
	}
	return nil
}

// latency runs `true` on one server after the other, round after round; each round begins with another server, and
// nothing else of ours runs meanwhile.
func latency(f *figures, list []server, st stack, opt options) error {
	all, stop, err := startAll(list)
	if err != nil {
		return err
	}
	defer stop()
	rounds := pick(opt, 300, 30)
	if st.name == "unix" {
		rounds = pick(opt, 100, 10)
	}
	for _, stderr := range []bool{false, true} {
		if err := latencyRounds(f, all, st, stderr, rounds); err != nil {
			return err
		}
	}
	return nil
}

func latencyRounds(f *figures, all []*running, st stack, stderr bool, rounds int) error {
	const warm = 3 // rounds that fill the page cache and are not counted
	before := make(map[string]cost, len(all))
	for round := range rounds + warm {
		for i := range all {
			r := all[(i+round)%len(all)]
			if round == warm || !r.standing {
				var err error
				if before[r.name], err = r.cost(); err != nil {
					return err
				}
			}
			nul, eof, err := once(r.port, stderr)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", r.name, variant(stderr), err)
			}
			after, err := r.settle()
			if err != nil {
				return err
			}
			if round < warm {
				continue
			}
			f.add(key{"nul", r.name, st.name, variant(stderr)}, ms(nul))
			f.add(key{"eof", r.name, st.name, variant(stderr)}, ms(eof))
			if !r.standing {
				f.add(key{"cpu", r.name, st.name, variant(stderr)}, ms(after.cpu-before[r.name].cpu))
				f.add(key{"faults", r.name, st.name, variant(stderr)}, float64(after.faults-before[r.name].faults))
			}
		}
	}
	for _, r := range all {
		if r.standing { // /proc counts in steps of 10 ms: only the whole is exact enough
			after, err := r.cost()
			if err != nil {
				return err
			}
			f.add(key{"cpu", r.name, st.name, variant(stderr)}, ms(after.cpu-before[r.name].cpu)/float64(rounds))
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

var concurrencies = []int{1, 2, 8, 32}

// rates counts the connections per second that so many clients at once get through, each running `true` in a loop.
func rates(f *figures, list []server, st stack, opt options) error {
	all, stop, err := startAll(list)
	if err != nil {
		return err
	}
	defer stop()
	rounds, slice := pick(opt, 3, 1), pick(opt, time.Second, 300*time.Millisecond)
	for _, stderr := range []bool{false, true} {
		for round := range rounds {
			for _, n := range concurrencies {
				if stderr && n != 8 { // the port's cost shows at 8; the rest would only take time
					continue
				}
				for i := range all {
					r := all[(i+round)%len(all)]
					perSecond, err := rate(r.port, n, stderr, slice)
					if err != nil {
						return fmt.Errorf("%s, %d at once: %w", r.name, n, err)
					}
					if _, err := r.settle(); err != nil {
						return err
					}
					f.add(key{fmt.Sprintf("rate%d", n), r.name, st.name, variant(stderr)}, perSecond)
				}
			}
		}
	}
	return nil
}

// rate runs n clients for about the given time. A connection that is under way at its end is finished and counted, and
// so is the time that it took.
func rate(port, n int, stderr bool, slice time.Duration) (float64, error) {
	var done atomic.Int64
	errs := make(chan error, n)
	start := time.Now()
	for range n {
		go func() {
			for time.Since(start) < slice {
				if _, _, err := once(port, stderr); err != nil {
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
