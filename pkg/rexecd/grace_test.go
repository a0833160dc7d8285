package rexecd

import (
	"strings"
	"testing"
	"time"

	"rexecd/pkg/penalty"
)

// Asked just before the end of the grace time, PAM has refused an unknown user by
// then, and is still hashing the password of one who exists.
func TestTheEndOfTheGraceTimeIsNoStopwatchForPAM(t *testing.T) {
	const grace, asked, late = 2 * time.Second, 1900 * time.Millisecond, 2250 * time.Millisecond
	for name, stack := range map[string]string{
		"refused by then": "auth required pam_deny.so\n",
		"still at it":     "auth required pam_exec.so quiet /bin/sleep 8\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			soonest := time.Hour // of some tries: a busy host is late at times
			for try := 0; try < 5 && soonest > late; try++ {
				began := time.Now()
				r := begin(t, func(c *Config) {
					c.PermitRoot, c.Grace, c.RefusalDelay = true, grace, 2*time.Second
				}, stack)
				time.Sleep(time.Until(began.Add(asked)))
				r.ask("", me(t), "x", "true")
				if got := all(r); got != "" {
					t.Fatalf("the peer got %q; want silence", got)
				}
				took := time.Since(began)
				soonest = min(soonest, took)
				if took < grace {
					t.Fatalf("closed after %v", took)
				}
			}
			if soonest > late {
				t.Errorf("closed after %v; want %v", soonest, grace)
			}
		})
	}
}

// What a late peer is charged with must not tell that the password was right.
func TestALoginCutOffIsChargedWhateverWasProven(t *testing.T) {
	for _, in := range []string{"auth", "account"} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			table := &penalty.Table{Dir: dir, Min: time.Minute, Max: time.Hour, Bits4: 32, Bits6: 64}
			table.Amount[penalty.AuthFail] = 5 * time.Second
			stack := map[string]string{"auth": "auth required pam_permit.so\n", "account": "account required pam_permit.so\n"}
			stack[in] = in + " required pam_exec.so quiet /bin/sleep 8\n"
			r := begin(t, func(c *Config) { c.PermitRoot, c.Grace, c.Penalties = true, 3*time.Second, table },
				stack["auth"]+stack["account"])
			time.Sleep(2600 * time.Millisecond) // in the second half, also of a process that started late
			r.ask("", me(t), "x", "true")
			if got := all(r); got != "" {
				t.Fatalf("the peer got %q; want silence", got)
			}
			r.status(t)
			if list, err := table.List(); err != nil || len(list) != 1 || list[0].Last != penalty.AuthFail {
				t.Errorf("penalties %v, %v; want one failed login; log:\n%s", list, err, strings.Join(r.lines(t), "\n"))
			}
		})
	}
}
