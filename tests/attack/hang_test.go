package attack

import (
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/pkg/audit"
	"rexecd/pkg/penalty"
	"rexecd/tests/lab"
)

// hangs are what a module does before it hangs, and the record of its end.
var hangs = []struct{ does, record string }{
	{"auth=block", "grace time of 3s over in pam_authenticate"},
	{"auth=timers", "grace time of 3s over in pam_authenticate"},
	{"auth=signals", "grace time of 3s over in pam_authenticate"},
	{"auth=fork", "grace time of 3s over in pam_authenticate"},
	{"auth=leak", "grace time of 3s over in pam_authenticate"},
	{"auth=close", "grace time of 3s over in pam_authenticate"},
	{"auth=stdio", "grace time of 3s over in pam_authenticate"},
	{"auth=cwd", "grace time of 3s over in pam_authenticate"},
	{"auth=env", "grace time of 3s over in pam_authenticate"},
	{"auth=dumpable", "grace time of 3s over in pam_authenticate"},
	{"acct=block", "grace time of 3s over in pam_acct_mgmt"},
	{"open=block", "grace time of 3s over in pam_open_session"},
	{"open=starve", "grace time of 3s over in pam_open_session"},
	{"open=euid", "grace time of 3s over in pam_open_session"},
	{"open=timers", "grace time of 3s over in pam_open_session"},
	{"close=block", "pam_close_session has not returned within 3s"},
	{"close=starve", "pam_close_session has not returned within 3s"},
	{"close=timers", "pam_close_session has not returned within 3s"},
}

// However a module hangs: the record is there, and the process ends with the grace time.
func TestWhateverAModuleDoesBeforeItHangsItsEndIsRecorded(t *testing.T) {
	t.Parallel()
	for _, c := range hangs {
		t.Run(c.does, func(t *testing.T) {
			t.Parallel()
			u := newUser(t, lab.User{})
			dir := openDir(t)
			write(t, dir+"/note", "#!/bin/sh\n")
			when, _, _ := strings.Cut(c.does, "=")
			s := serve(t, lab.Handler{Settings: "grace = 3", Room: lab.Room{Stack: hostileStack(t, dir, c.does+" "+when+"=hang")}})
			answer := ""
			if when == "close" {
				answer = "\x00in\n"
			}
			want(t, s.Addr, request(u, "echo in"), answer)
			if end := s.Process(t, 0).Wait(t); end.ExitCode() != 1 {
				t.Errorf("the handler's end: %v; want exit status 1", end)
			}
			s.Log.Wait(t, c.record)
			allGone(t, s)
		})
	}
}

// A module that takes every signal leaves nothing but the kernel's own to end it with, which has
// no handler: without a record.
func TestAModuleThatTakesEverySignalIsKilled(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	write(t, dir+"/note", "#!/bin/sh\n")
	s := serve(t, lab.Handler{Settings: "grace = 1", Room: lab.Room{Stack: hostileStack(t, dir, "auth=ignore auth=hang")}})
	want(t, s.Addr, request(u, "echo in"), "")
	if end := s.Process(t, 0).Wait(t); end.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("the handler's end: %v; want killed", end)
	}
}

// What waits in a file system that does not answer is interrupted by no signal, not even the last.
func TestAModuleThatNothingInterruptsIsRecordedAndClosed(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir, deaf := openDir(t), openDir(t)
	write(t, dir+"/note", "#!/bin/sh\n")
	release := mount(t, lab.User{Name: "root"}, "deaf-fs.c", deaf)
	s := serve(t, lab.Handler{Settings: "grace = 3", Room: lab.Room{Stack: hostileStack(t, dir, "auth=read:"+deaf+"/file")}})
	began := time.Now()
	want(t, s.Addr, request(u, "echo in"), "")
	if took := time.Since(began); took < 2900*time.Millisecond || took > lab.Patience {
		t.Errorf("closed after %v", took)
	}
	s.Log.Wait(t, "grace time of 3s over in pam_authenticate")
	release()
	allGone(t, s)
}

// A process of in.rexecd's whose time is over has another one charge the peer. Anybody can start
// that, with a report of their own: it has their rights, and the penalties are root's.
func TestAForgedReportChargesNobody(t *testing.T) {
	forged, err := os.CreateTemp(openDir(t), "report")
	if err != nil {
		t.Fatal(err)
	}
	defer forged.Close()
	victim := "192.0.2.77"
	forged.WriteString(strings.Join([]string{"0123", victim + ":1023", "alice", "", "false", "false", "false", "", "", "", "false", "", "",
		"1", strconv.Itoa(int(audit.Failed)), strconv.Itoa(int(penalty.AuthFail)), "1", "forged"}, "\x00"))
	charged := func() bool {
		list, err := (&penalty.Table{Dir: penalty.Dir, Max: time.Hour}).List()
		return err == nil && slices.ContainsFunc(list, func(p penalty.Penalty) bool {
			return p.Source.Addr().String() == victim
		})
	}
	for _, uid := range []uint32{65534, 0} { // root's shows that the report is one
		cmd := exec.Command(lab.Server(t), "-record")
		cmd.Stdin = forged
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("as user %d: %v\n%s", uid, err, out)
		}
		if got := charged(); got != (uid == 0) {
			t.Errorf("as user %d: charged: %v", uid, got)
		}
	}
	if _, err := (&penalty.Table{Dir: penalty.Dir}).Clear(netip.MustParseAddr(victim)); err != nil {
		t.Error(err)
	}
}

// Where no process can be had to report, the one that ends does it itself.
func TestAHangIsRecordedWhereNoProcessCanBeHad(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]lab.Descriptors{"descriptor 0": lab.InOutErr, "LISTEN_FDS": lab.ListenFDs} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hangWithoutProcesses(t, on)
		})
	}
}

func hangWithoutProcesses(t *testing.T, on lab.Descriptors) {
	u := newUser(t, lab.User{})
	dir, group := openDir(t), controlGroup(t)
	fill := write(t, dir+"/fill", "#!/bin/sh\necho $(($(cat "+group+"/pids.current) - 1)) >"+group+"/pids.max\nexec sleep 30\n")
	s := serve(t, lab.Handler{
		Settings: "grace = 3", On: on, Before: []string{"sh", "-c", "echo $$ >" + group + `/cgroup.procs && exec "$@"`, "sh"},
		Room: lab.Room{Stack: lab.Stack + "session required pam_exec.so " + fill + "\n"},
	})
	want(t, s.Addr, request(u, "echo in"), "")
	if end := s.Process(t, 0).Wait(t); end.ExitCode() != 1 {
		t.Errorf("the handler's end: %v; want exit status 1", end)
	}
	s.Log.Wait(t, "grace time of 3s over in pam_open_session")
	lab.Eventually(t, "the end of what the module has started", func() bool {
		pids := strings.Fields(read(group + "/cgroup.procs"))
		for _, pid := range pids {
			if n, err := strconv.Atoi(pid); err == nil && n > 0 {
				syscall.Kill(n, syscall.SIGKILL)
			}
		}
		return len(pids) == 0
	})
}

// A report is charged by the settings of the process that ends, wherever their file is and however
// that is named.
func TestAHangIsChargedByTheSettingsOfARelativePath(t *testing.T) {
	t.Parallel()
	manyAddresses(t)
	u := newUser(t, lab.User{})
	dir := openDir(t)
	write(t, dir+"/rexecd.toml", "grace = 6\n"+harsh)
	s := serve(t, lab.Handler{
		Args: []string{"-config", "rexecd.toml", "--"}, Address: "192.0.2.1",
		Before: []string{"sh", "-c", "cd " + dir + ` && exec "$@"`, "sh"},
		Room:   lab.Room{Stack: hostileStack(t, dir, "auth=hang")},
	})
	c := from(t, "192.0.2.39", s.Addr)
	request := request(u, "echo in").Bytes()
	last := len(request) - 1
	c.Write(request[:last])
	time.Sleep(5 * time.Second) // of the six: the peer is late
	c.Write(request[last:])
	if got, _ := io.ReadAll(c); len(got) > 0 {
		t.Errorf("%q", got)
	}
	if !strings.Contains(penalties(t), "192.0.2.39/32") {
		t.Errorf("no penalty; the log is %q", s.Log.Raw())
	}
}

// The server blocks a signal while it calls PAM. What modules start has nothing of it.
func TestWhatAModuleStartsHasNoSignalBlocked(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	dir := openDir(t)
	note := write(t, dir+"/note", "#!/bin/bash\nwhile read -r name value; do [ $name != SigBlk: ] || echo $value; done </proc/self/status >"+dir+"/mask\n")
	s := serve(t, lab.Handler{Room: lab.Room{Stack: lab.Stack + "session required pam_exec.so " + note + "\n"}})
	served(t, s.Addr, u)
	if got := read(dir + "/mask"); got != "0000000000000000\n" {
		t.Errorf("SigBlk %q", got)
	}
}

// Timers count as signals that wait, of all processes of root's together.
func TestNobodyIsLetInWithoutATimer(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := serve(t, lab.Handler{Before: []string{"prlimit", "--sigpending=0:0"}})
	want(t, s.Addr, request(u, "echo in"), "\x01Try again.\n")
	s.Log.Wait(t, "arm watchdog: resource temporarily unavailable")
}
