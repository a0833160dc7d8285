package rsh

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// rsh runs it as root: -l USER, other options, "--", the command.
func rsh(t testing.TB, addr, user, stdin, command string, options ...string) result {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, stdin, lab.Rsh(t), append(append([]string{"-p", port, "-l", user}, options...), host, command)...)
}

func TestRshIsServedByOthersAsByOurs(t *testing.T) {
	t.Parallel()
	u, stranger := newUser(t, lab.User{}, "127.0.0.1 root\n"), newUser(t, lab.User{}, "")
	servers := map[string]*lab.Listening{
		"in.rshd": serve(t, trust, trustStack, lab.Handler{}),
		"netkit":  start(t, trustStack, lab.Handler{Path: lab.Deb(t, "rsh-server") + "/usr/sbin/in.rshd"}),
		"GNU":     start(t, trustStack, lab.Handler{Path: lab.Inetutils(t, "rshd")}),
		"redone":  start(t, trustStack, lab.Handler{Path: lab.Deb(t, "rsh-redone-server") + "/usr/sbin/in.rshd"}),
	}
	for name, s := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				stdin, command string
				options        []string
				want           result
			}{
				{command: "echo out; echo err >&2; exit 3", want: result{"out\n", "err\n", 0}},
				{command: "echo out; echo err >&2; exit 3", options: []string{"--status"}, want: result{"out\n", "err\n", 3}},
				{command: "kill $$", options: []string{"--status"}, want: result{"", "", 143}},
				{command: "echo out; echo err >&2", options: []string{"-a"}, want: result{"out\nerr\n", "", 0}},
				{command: "cat; echo end", stdin: "in\x00\x01put", want: result{"in\x00\x01putend\n", "", 0}},
				{command: "cat; echo end", stdin: "input", options: []string{"-n"}, want: result{"end\n", "", 0}},
				{command: "wc -c", stdin: strings.Repeat("i", 1<<20), want: result{"1048576\n", "", 0}},
			} {
				got := rsh(t, s.Addr, u.Name, c.stdin, c.command, c.options...)
				compare(t, fmt.Sprint(c.command, c.options), got, c.want)
			}
			denied := result{"", "rsh: 127.0.0.1: Permission denied.\n", 1}
			if name == "redone" { // it says yes first
				denied = result{"Authentication failure\n", "", 0}
			}
			compare(t, "not trusted", rsh(t, s.Addr, stranger.Name, "", "id"), denied)
		})
	}
}

func TestRshSendsSignals(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 root\n")
	s := serve(t, trust, trustStack, lab.Handler{})
	_, port, _ := net.SplitHostPort(s.Addr)
	const signalled = "trap 'echo got; exit' TERM; echo ready; while :; do sleep 0.1; done"
	cmd := exec.Command(lab.Rsh(t), "-p", port, "-l", u.Name, "127.0.0.1", signalled)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 64)
	n, _ := out.Read(b)
	cmd.Process.Signal(syscall.SIGTERM)
	m, _ := out.Read(b[n:])
	cmd.Wait()
	if got := string(b[:n+m]); got != "ready\ngot\n" || cmd.ProcessState.ExitCode() != 128+15 {
		t.Errorf("%q, %v", got, cmd.ProcessState)
	}
}

// A user is anybody on the client's host: what a file capability, or the set-user-ID bit, gives
// rsh must not become theirs.
func TestAUsersRshHasTheRightToBindAndOnlyThat(t *testing.T) {
	t.Parallel()
	me := newUser(t, lab.User{}, "")
	u := newUser(t, lab.User{}, "127.0.0.1 "+me.Name+"\n")
	s := serve(t, trust, trustStack, lab.Handler{Port: 514, Address: "127.0.0.14"})
	other := serve(t, trust, trustStack, lab.Handler{})
	_, otherPort, _ := net.SplitHostPort(other.Addr)
	dir := lab.OpenDir(t)
	make := func(name, how string, args ...string) string {
		path := dir + "/" + name
		lab.Run(t, "install", "-m", "755", lab.Rsh(t), path)
		if how != "" {
			lab.Run(t, how, append(args, path)...)
		}
		return path
	}
	plain := make("plain", "")
	capable := make("capable", "setcap", "cap_net_bind_service=ep")
	setuid := make("setuid", "chmod", "4755")
	as := func(program string, env []string, args ...string) result {
		ctx, cancel := context.WithTimeout(t.Context(), 2*lab.Patience)
		defer cancel()
		user := []string{"--reuid=" + lab.UID(t, me), "--regid=" + lab.UID(t, me), "--clear-groups", program}
		cmd := exec.CommandContext(ctx, "setpriv", append(user, args...)...)
		cmd.Env = append([]string{"PATH=/usr/bin:/bin"}, env...)
		return finish(ctx, t, cmd, "")
	}
	// The name that the server believes is the caller's own, whatever the environment says.
	liar := []string{"USER=root", "LOGNAME=root", "HOME=/root"}
	for _, program := range []string{capable, setuid} {
		compare(t, program, as(program, liar, "-l", u.Name, "127.0.0.14", "id -un"), result{u.Name + "\n", "", 0})
		s.Log.Wait(t, " as "+me.Name)
	}
	compare(t, "without the right", as(plain, nil, "-l", u.Name, "127.0.0.14", "id"),
		result{"", "rsh: a host that is to trust this one needs a connection from a reserved port: run rsh as root, .*; or give a password: .*\n", 255})
	compare(t, "without the right, with a password", as(plain, nil, "-l", both(u), "127.0.0.14", "id -un"), result{u.Name + "\n", "", 0})
	compare(t, "the password from the environment", as(plain, []string{"REXEC_PASS=" + u.Password}, "-l", u.Name, "127.0.0.14", "id -un"), result{u.Name + "\n", "", 0})
	compare(t, "another port", as(capable, nil, "-p", otherPort, "-l", u.Name, "127.0.0.1", "id"),
		result{"", "rsh: .*: only root has one to another port than 514 .*\n", 255})
	compare(t, "another port, with a password", as(capable, nil, "-p", otherPort, "-l", both(u), "127.0.0.1", "echo $REXEC_CLIENT"),
		result{"127.0.0.1 [0-9]{5} " + otherPort + "\n", "", 0})
}

func TestARunningRshHasGivenTheRightUp(t *testing.T) {
	t.Parallel()
	me := newUser(t, lab.User{}, "")
	u := newUser(t, lab.User{}, "127.0.0.1 "+me.Name+"\n")
	s := serve(t, trust, trustStack, lab.Handler{Port: 514, Address: "127.0.0.15"})
	dir := lab.OpenDir(t)
	for _, how := range []string{"setcap cap_net_bind_service=ep", "setcap cap_net_bind_service,cap_setuid,cap_dac_override=ep", "chmod 4755", "chmod 6755"} {
		t.Run(how, func(t *testing.T) {
			path := dir + "/" + strings.ReplaceAll(how, " ", "-")
			lab.Run(t, "install", "-m", "755", lab.Rsh(t), path)
			words := strings.Fields(how)
			lab.Run(t, words[0], words[1], path)
			n := len(s.Processes())
			uid := lab.UID(t, me)
			cmd := exec.Command("setpriv", "--reuid="+uid, "--regid="+uid, "--clear-groups",
				path, "-l", u.Name, "127.0.0.15", "echo ready; cat")
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if b, err := out.Read(make([]byte, 6)); b != 6 {
				t.Fatal(err, len(s.Processes())-n)
			}
			last := ""
			defer func() {
				if t.Failed() {
					t.Log(last)
				}
			}()
			// The command's first output may come before.
			lab.Eventually(t, "the end of the right on every thread", func() bool {
				tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", cmd.Process.Pid))
				for _, task := range tasks {
					last = lab.Read(fmt.Sprintf("/proc/%d/task/%s/status", cmd.Process.Pid, task.Name()))
					for _, line := range []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000",
						"CapEff:\t0000000000000000", "CapAmb:\t0000000000000000",
						"Uid:\t" + uid + strings.Repeat("\t"+uid, 3), "Gid:\t" + uid + strings.Repeat("\t"+uid, 3)} {
						if !strings.Contains(last, "\n"+line+"\n") {
							return false
						}
					}
				}
				return len(tasks) > 1
			})
			in.Close()
			cmd.Wait()
		})
	}
}

func TestThePasswordIsNotShownByPs(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "")
	s := serve(t, "", "", lab.Handler{})
	_, port, _ := net.SplitHostPort(s.Addr)
	for _, l := range [][]string{{"-l", both(u)}, {"-l" + both(u)}, {"--user=" + both(u)}} {
		cmd := exec.Command(lab.Rsh(t), append(append([]string{"-p", port, "-d"}, l...), "127.0.0.1", "echo ready; cat")...)
		var trace strings.Builder
		cmd.Stderr = &trace
		in, _ := cmd.StdinPipe()
		out, _ := cmd.StdoutPipe()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out.Read(make([]byte, 6))
		shown := lab.Read(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
		in.Close()
		cmd.Wait()
		if strings.Contains(shown, "Secret") || !strings.Contains(shown, u.Name+"/") {
			t.Errorf("%q: ps shows %q", l, shown)
		}
		if strings.Contains(trace.String(), "Secret") || !strings.Contains(trace.String(), u.Name) {
			t.Errorf("the trace is %s", trace.String())
		}
	}
}

func TestRshSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "no host given"},
		{[]string{"host"}, "no command given: .*rlogin.*ssh"},
		{[]string{"u@host", "id"}, `"u@host" is not a host: give the user with -l: rsh -l u host command`},
		{[]string{"-x", "host", "id"}, "no such option: -x"},
		{[]string{"-i", "-n", "host", "id"}, "-i and -n: .*"},
		{[]string{"-p", "0", "host", "id"}, `-p: "0" is not a port: 1 to 65535`},
		{[]string{"-p", "1", "127.0.0.1", "id"}, "127.0.0.1: cannot connect to port 1: connection refused"},
	} {
		compare(t, fmt.Sprint(c.args), run(t, "", lab.Rsh(t), c.args...), result{"", "rsh: " + c.want + ".*\n", 255})
	}
}
