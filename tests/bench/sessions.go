package main

import (
	"fmt"
	"syscall"
	"time"
)

// memory holds one session open on each server and looks at the processes that wait for its command.
func memory(f *figures, list []server, st stack, opt options) error {
	all, stop, err := startAll(list)
	if err != nil {
		return err
	}
	defer stop()
	for range pick(opt, 7, 2) {
		for _, r := range all {
			for _, stderr := range []bool{false, true} {
				s, err := open(r.port, "cat", stderr)
				if err != nil {
					return fmt.Errorf("%s: %w", r.name, err)
				}
				m, n, err := settledMemory(r.exe, r.waits)
				if err != nil {
					return fmt.Errorf("%s: %w", r.name, err)
				}
				f.add(key{"parents", r.name, st.name, variant(stderr)}, float64(n))
				f.add(key{"dirty", r.name, st.name, variant(stderr)}, m.privateDirty)
				f.add(key{"clean", r.name, st.name, variant(stderr)}, m.privateClean)
				if err := endSession(s); err != nil {
					return err
				}
				if _, err := r.settle(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// settledMemory adds up a server's waiting processes once two readings in a row agree.
func settledMemory(exe string, waits bool) (rollup, int, error) {
	var last rollup
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		m, n, err := waitingMemory(exe)
		if err != nil {
			return m, n, err
		}
		if m == last && (n > 0 || !waits) {
			return m, n, nil
		}
		last = m
	}
	return last, 0, fmt.Errorf("the waiting processes of %s do not settle", exe)
}

func waitingMemory(exe string) (rollup, int, error) {
	var sum rollup
	pids, err := waiting(exe)
	if err != nil {
		return sum, 0, err
	}
	for _, pid := range pids {
		m, err := memoryOf(pid)
		if err != nil {
			return sum, 0, err
		}
		sum.pss += m.pss
		sum.privateDirty += m.privateDirty
		sum.privateClean += m.privateClean
	}
	return sum, len(pids), nil
}

// endSession ends a `cat` by ending its input.
func endSession(s *session) error {
	if err := syscall.Shutdown(s.fd, syscall.SHUT_WR); err != nil {
		return fmt.Errorf("end input: %w", err)
	}
	_, err := s.finish()
	return err
}

// held opens a thousand sessions, keeps them, and asks what the next one waits for. The same server without them is
// measured before and after, so that a change of the machine's mood in between cancels out.
func held(f *figures, list []server, st stack, opt options) error {
	const sessions = 1000
	for _, server := range list {
		r, err := server.start()
		if err != nil {
			return err
		}
		if err := heldOn(f, r, st, pick(opt, sessions, 50), pick(opt, 60, 10)); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		r.stop()
	}
	return nil
}

func heldOn(f *figures, r *running, st stack, sessions, samples int) error {
	k := func(figure string) key { return key{figure, r.name, st.name, plain} }
	before, err := nextLatency(r, samples)
	if err != nil {
		return err
	}
	open, err := openMany(r, sessions)
	defer func() {
		for _, s := range open {
			s.close()
		}
	}()
	if err != nil {
		return fmt.Errorf("session %d: %w", len(open)+1, err)
	}
	full, err := nextLatency(r, samples)
	if err != nil {
		return err
	}
	m, n, err := waitingMemory(r.exe)
	if err != nil {
		return err
	}
	for _, s := range open {
		if err := endSession(s); err != nil {
			return fmt.Errorf("end held session: %w", err)
		}
	}
	if _, err := r.settle(); err != nil {
		return err
	}
	after, err := nextLatency(r, samples)
	if err != nil {
		return err
	}
	f.add(k("held"), float64(len(open)))
	f.add(k("held-next"), full/((before+after)/2))
	if n > 0 {
		f.add(k("held-pss"), m.pss/float64(n))
		f.add(k("held-private"), (m.privateDirty+m.privateClean)/float64(n))
	}
	return nil
}

func openMany(r *running, n int) (open_ []*session, err error) {
	for range n {
		s, err := open(r.port, "cat", false)
		if err != nil {
			return open_, err
		}
		open_ = append(open_, s)
	}
	return open_, nil
}

// nextLatency is the median of connect to NUL, in ms.
func nextLatency(r *running, samples int) (float64, error) {
	var took []float64
	for range samples {
		nul, _, err := once(r.port, false)
		if err != nil {
			return 0, err
		}
		took = append(took, ms(nul))
		time.Sleep(10 * time.Millisecond) // a thousand children are alive: there is nothing to wait for
	}
	return median(took), nil
}
