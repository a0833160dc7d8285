package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// bits of linux/capability.h
const (
	capDacOverride, capKill, capSetuid, capSysAdmin, capAuditWrite = 1 << 1, 1 << 5, 1 << 7, 1 << 21, 1 << 29

	// what the server keeps for itself
	capsOfItsOwn = capKill | capSetuid | capAuditWrite
)

// caps are a thread's sets: inheritable, permitted, effective, bounding, ambient.
func caps(t testing.TB, status string) (c [5]uint64) {
	t.Helper()
	for i, name := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if _, err := fmt.Sscanf(field(t, status, name), "%x", &c[i]); err != nil {
			t.Fatalf("%s in %q: %v", name, status, err)
		}
	}
	return c
}

func TestTheWaitingServerKeepsTheCapabilitiesOfTheSettingAndNoOther(t *testing.T) {
	t.Parallel()
	all := caps(t, read("/proc/self/status"))
	if all[1]&^capsOfItsOwn == 0 || all[1] != all[3] {
		t.Fatalf("this test has %x: nothing to be cut", all)
	}
	cut := func(keep uint64) [5]uint64 {
		return [5]uint64{0, all[1] & keep, all[2] & keep, all[3] & keep, 0}
	}
	for _, c := range []struct {
		name, settings string
		want           [5]uint64
	}{
		{"absent", "", all},
		{"none", "keep_capabilities = []", cut(capsOfItsOwn)},
		{"two", `keep_capabilities = ["cap_sys_admin", "cap_dac_override"]`, cut(capsOfItsOwn | capSysAdmin | capDacOverride)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, lab.User{})
			stack, record := capsRecorder(t, u)
			s := serve(t, lab.Handler{Settings: c.settings, Room: lab.Room{Stack: stack}})
			session := lab.Open(t, s.Addr, u.Name, u.Password, tellCaps(t)).Started(t)
			session.Line(t)
			session.Signal(t, byte(syscall.SIGUSR1)) // relayed: the server waits, and has done before what it does
			status := strings.ReplaceAll(session.Line(t), "|", "\n")
			if got, want := caps(t, status), ([5]uint64{3: all[3]}); got != want {
				t.Errorf("the command has %x; want %x", got, want)
			}
			status = strings.ReplaceAll(session.Line(t), "|", "\n")
			if got := caps(t, status); got[2] != all[3] {
				t.Errorf("a program of the command's that becomes root has %x; want %x", got[2], all[3])
			}
			handler := s.Process(t, 0)
			wantEveryThread(t, handler.Pid, c.want)
			session.Signal(t, byte(syscall.SIGUSR2)) // the command ends
			if a := session.Rest(t); a.Err != nil {
				t.Errorf("%v", a)
			}
			if end := handler.Wait(t); end.ExitCode() != 0 {
				t.Errorf("handler's end: %v", end)
			}
			if got, want := read(record), recordedCaps("open_session", all)+recordedCaps("close_session", c.want); got != want {
				t.Errorf("pam_exec saw\n%swant\n%s", got, want)
			}
			wantMatch(t, "message", s.Log.Wait(t, "Session closed for "+u.Name)["MESSAGE"], `.*: exit status 3 after [0-9.]+s, cpu [0-9.]+s, [0-9]+ MB`) // and no fault of PAM's
		})
	}
}

// Those that rexecd.toml(5) names, as far as they need no daemon (pam_systemd:
// tests/platform/systemd).
func TestModulesThatTheManualNamesCloseTheirSessionsWithoutCapabilities(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	stack := lab.Stack
	for _, module := range []string{"pam_env", "pam_keyinit", "pam_lastlog", "pam_limits", "pam_loginuid", "pam_mail", "pam_mkhomedir", "pam_namespace", "pam_umask", "pam_unix", "pam_xauth"} {
		stack += "session required " + module + ".so\n"
	}
	s := serve(t, lab.Handler{Settings: "keep_capabilities = []", Room: lab.Room{Stack: stack}})
	wantOut(t, s.Addr, request(u, "echo in"), "in\n")
	wantMatch(t, "message", s.Log.Wait(t, "Session closed for "+u.Name)["MESSAGE"], `.*: exit status 0 after [0-9.]+s, cpu [0-9.]+s, [0-9]+ MB`)
}

// wantEveryThread compares the sets of each thread of a process.
func wantEveryThread(t testing.TB, pid int, want [5]uint64) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil || len(tasks) < 3 {
		t.Fatalf("%d threads, %v", len(tasks), err)
	}
	for _, task := range tasks {
		if got := caps(t, read(fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name()))); got != want {
			t.Errorf("a thread of the server has %x; want %x", got, want)
		}
	}
}

// capsRecorder is a stack with limits below the server's and a script for pam_exec, which is run
// as root and writes down what it may.
func capsRecorder(t testing.TB, u lab.User) (stack, record string) {
	t.Helper()
	dir := openDir(t)
	if err := os.WriteFile(dir+"/limits.conf", []byte(u.Name+" hard nofile 300\n"+u.Name+" hard nproc 200\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	record = dir + "/record"
	path := script(t, `echo $PAM_TYPE $(sed -n 's/^Cap...:\t//p' /proc/$$/status) >>`+record+"\n")
	return lab.Stack + "session required pam_limits.so conf=" + dir + "/limits.conf\nsession required pam_exec.so quiet " + path + "\n", record
}

func recordedCaps(call string, c [5]uint64) string {
	return fmt.Sprintf("%s %016x %016x %016x %016x %016x\n", call, c[0], c[1], c[2], c[3], c[4])
}

// tellCaps is a command that says upon SIGUSR1 what it may, and what a program may that becomes
// root as sudo does.
func tellCaps(t testing.TB) string {
	t.Helper()
	dir := openDir(t)
	become := dir + "/become-root"
	if err := exec.Command("cp", "/usr/bin/cat", become).Run(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(become, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	return `trap "grep ^Cap /proc/$$/status | tr '\n' '|'; echo; ` + become + ` /proc/self/status | grep ^Cap | tr '\n' '|'; echo" USR1; trap 'exit 3' USR2; echo ready; while :; do sleep 0.02; done`
}

// The command is signalled as root here, which takes cap_kill.
func TestACutServerTellsTheCommandWhenItIsToldToStop(t *testing.T) {
	t.Parallel()
	stack, file := recorder(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "keep_capabilities = []", Room: lab.Room{Stack: stack}})
	session := lab.Open(t, s.Addr, u.Name, u.Password, "trap 'echo told; exit 0' TERM; trap 'echo seen' USR1; echo ready; while :; do sleep 0.02; done").Started(t)
	session.Line(t)
	session.Signal(t, byte(syscall.SIGUSR1))
	session.Line(t)
	if err := syscall.Kill(s.Process(t, 0).Pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if a := session.Rest(t); string(a.All) != "told\n" {
		t.Errorf("%v; want the command to be told", a)
	}
	wantSession(t, s, u, file)
}

// Without cap_setpcap the bounding set stays, which is said; the session goes on.
func TestACutThatFailsIsLoggedAndTheSessionGoesOn(t *testing.T) {
	t.Parallel()
	stack, file := recorder(t)
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Settings: "keep_capabilities = []", Room: lab.Room{Stack: stack},
		Before: []string{"setpriv", "--bounding-set", "-setpcap", "--inh-caps", "-all"}})
	wantOut(t, s.Addr, request(u, "echo yes"), "yes\n")
	wantSession(t, s, u, file)
	wantMatch(t, "message", s.Log.Wait(t, "Internal error")["MESSAGE"], regexp.QuoteMeta("Internal error from 127.0.0.1 port ")+`\d+: cut capabilities: operation not permitted`)
}
