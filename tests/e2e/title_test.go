package e2e

import (
	"os"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// As sshd does. Names of processes, which pgrep and killall look for, stay; what
// the peer sends is in no title.
func TestTheProcessTitleNamesAccountAndPeer(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	env := []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "REMOTE_ADDR=192.0.2.1"}
	for name, h := range map[string]lab.Handler{
		"descriptor 0": {Env: env},
		"LISTEN_FDS":   {On: lab.ListenFDs, Env: env},
		"IPv6":         {Address: "::1", Env: env},
		"long options": {Args: []string{"-m", "-n", "-s", "-config", "/etc/rexecd.toml"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, h)
			waiting := lab.Dial(t, s.Addr)
			lab.Eventually(t, "the handler before the login, under its own arguments", func() bool {
				all := s.Processes()
				return len(all) > 0 && strings.HasSuffix(read("/proc/"+itoa(all[0].Pid)+"/cmdline"), strings.Join(append([]string{"in.rexecd"}, h.Args...), "\x00")+"\x00")
			})
			waiting.Close()
			_, pid, handler := held(t, s, u)
			host := "127.0.0.1"
			if h.Address != "" {
				host = h.Address
			}
			want := "in.rexecd: " + u.Name + " [" + host + "]"
			if got := strings.TrimRight(read("/proc/"+handler+"/cmdline"), "\x00"); got != want {
				t.Errorf("the title is %q; want %q", got, want)
			}
			if got := strings.TrimSpace(lab.Run(t, "ps", "-o", "args=", "-p", handler)); got != want {
				t.Errorf("ps shows %q; want %q", got, want)
			}
			if comm := read("/proc/" + handler + "/comm"); comm != "in.rexecd\n" {
				t.Errorf("the process's name is %q", comm)
			}
			if got := read("/proc/" + pid + "/cmdline"); strings.Contains(got, "in.rexecd") {
				t.Errorf("the command's arguments are %q", got)
			}
			if text := lab.Run(t, "pgrep", "-x", "in.rexecd"); !strings.Contains("\n"+text, "\n"+handler+"\n") {
				t.Errorf("pgrep -x in.rexecd finds %q; want %s among them", text, handler)
			}
			if _, err := os.Stat("/proc/" + handler); err != nil {
				t.Fatal(err)
			}
		})
	}
	// Who is refused is shown to nobody.
	s := serve(t, lab.Handler{Env: env})
	wantAll(t, s.Addr, lab.Request{User: "mallory\x1b]0;", Password: "no", Command: "true"}, loginIncorrect)
}

func TestTheTitleOfAProcessKeptReadyNamesAccountAndPeer(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "1")
	s.wantWaiting(t, 1)
	a := lab.Ask(t, s.addr, request(u, `cat /proc/$PPID/comm; tr -d '\0' </proc/$PPID/cmdline`))
	if got, want := a.Out(), "in.rexecd\nin.rexecd: "+u.Name+" [127.0.0.1]"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}
