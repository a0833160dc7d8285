package main

import (
	"net"
	"os/exec"
	"slices"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// What a command costs with TLS and without, for the log of the run.
func TestACommandWithTLSIsNotMuchSlower(t *testing.T) {
	u := lab.NewUser(t, lab.User{})
	plain := lab.Serve(t, lab.Handler{})
	s, c := lab.ServeTLS(t, lab.Handler{})
	median := func(addr string, args ...string) time.Duration {
		host, port, _ := net.SplitHostPort(addr)
		var all []time.Duration
		for range 15 {
			began := time.Now()
			line := append([]string{"-a", "-P", port, "-l", u.Name, "-p", u.Password}, args...)
			if out, err := exec.Command(lab.Client(t), append(line, host, "true")...).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			all = append(all, time.Since(began))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	without, with := median(plain.Addr), median(s.Addr, "--tls-ca", c.Dir+"/ca.crt")
	t.Logf("rexec true: %v, with TLS %v", without, with)
	if with > without+250*time.Millisecond {
		t.Errorf("TLS costs %v", with-without)
	}
}
