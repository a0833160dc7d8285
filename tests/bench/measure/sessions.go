package measure

import (
	"fmt"
	"syscall"
	"time"

	"rexecd/tests/bench/rig"
)

// memory holds one session open on each server and looks at the processes that wait for its command.
func memory(f *Figures, list []rig.Server, st rig.Stack, opt rig.Options) error {
	all, stop, err := rig.StartAll(list)
	if err != nil {
		return err
	}
	defer stop()
	for range rig.Pick(opt, 7, 2) {
		for _, r := range all {
			for _, stderr := range []bool{false, true} {
				s, err := r.Open("cat", stderr)
				if err != nil {
					return fmt.Errorf("%s: %w", r.Name, err)
				}
				m, n, err := settledMemory(r.Serves(), r.Waits)
				if err != nil {
					return fmt.Errorf("%s: %w", r.Name, err)
				}
				f.add(Key{"parents", r.Name, st.Name, Variant(stderr)}, float64(n))
				f.add(Key{"dirty", r.Name, st.Name, Variant(stderr)}, m.PrivateDirty)
				f.add(Key{"clean", r.Name, st.Name, Variant(stderr)}, m.PrivateClean)
				if err := endSession(s); err != nil {
					return err
				}
				if _, err := r.Settle(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// settledMemory adds up a server's waiting processes once two readings in a row agree.
func settledMemory(exe string, waits bool) (rig.Rollup, int, error) {
	var last rig.Rollup
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

func waitingMemory(exe string) (rig.Rollup, int, error) {
	var sum rig.Rollup
	pids, err := rig.Waiting(exe)
	if err != nil {
		return sum, 0, err
	}
	for _, pid := range pids {
		m, err := rig.MemoryOf(pid)
		if err != nil {
			return sum, 0, err
		}
		sum.PSS += m.PSS
		sum.PrivateDirty += m.PrivateDirty
		sum.PrivateClean += m.PrivateClean
	}
	return sum, len(pids), nil
}

// endSession ends a `cat` by ending its input.
func endSession(s *rig.Session) error {
	if err := syscall.Shutdown(s.FD, syscall.SHUT_WR); err != nil {
		return fmt.Errorf("end input: %w", err)
	}
	_, err := s.Finish()
	return err
}

// held opens a thousand sessions, keeps them, and asks what the next one waits for. The same server without them is
// measured before and after, so that a change of the machine's mood in between cancels out.
func held(f *Figures, list []rig.Server, st rig.Stack, opt rig.Options) error {
	const sessions = 1000
	for _, server := range list {
		r, err := server.Start()
		if err != nil {
			return err
		}
		if err := heldOn(f, r, st, rig.Pick(opt, sessions, 50), rig.Pick(opt, 60, 10)); err != nil {
			return fmt.Errorf("%s: %w", r.Name, err)
		}
		r.Stop()
	}
	return nil
}

func heldOn(f *Figures, r *rig.Running, st rig.Stack, sessions, samples int) error {
	k := func(figure string) Key { return Key{figure, r.Name, st.Name, Plain} }
	before, err := nextLatency(r, samples)
	if err != nil {
		return err
	}
	open, err := openMany(r, sessions)
	defer func() {
		for _, s := range open {
			s.Close()
		}
	}()
	if err != nil {
		return fmt.Errorf("session %d: %w", len(open)+1, err)
	}
	full, err := nextLatency(r, samples)
	if err != nil {
		return err
	}
	m, n, err := waitingMemory(r.Serves())
	if err != nil {
		return err
	}
	for _, s := range open {
		if err := endSession(s); err != nil {
			return fmt.Errorf("end held session: %w", err)
		}
	}
	if _, err := r.Settle(); err != nil {
		return err
	}
	after, err := nextLatency(r, samples)
	if err != nil {
		return err
	}
	f.add(k("held"), float64(len(open)))
	f.add(k("held-next"), full/((before+after)/2))
	if n > 0 {
		f.add(k("held-pss"), m.PSS/float64(n))
		f.add(k("held-private"), (m.PrivateDirty+m.PrivateClean)/float64(n))
	}
	return nil
}

func openMany(r *rig.Running, n int) (open_ []*rig.Session, err error) {
	for range n {
		s, err := r.Open("cat", false)
		if err != nil {
			return open_, err
		}
		open_ = append(open_, s)
	}
	return open_, nil
}

// nextLatency is the median of connect to NUL, in ms.
func nextLatency(r *rig.Running, samples int) (float64, error) {
	var took []float64
	for range samples {
		nul, _, err := r.Once(false)
		if err != nil {
			return 0, err
		}
		took = append(took, rig.MS(nul))
		time.Sleep(10 * time.Millisecond) // a thousand children are alive: there is nothing to wait for
	}
	return rig.Median(took), nil
}
