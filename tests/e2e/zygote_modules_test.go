package e2e

import (
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"rexecd/tests/lab"
)

// A directory answers names over a socket, and remembers which of its connections asked for which.
type directory struct {
	mu    sync.Mutex
	asked [][]string
	ended []bool
}

func newDirectory(t testing.TB, path string) *directory {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d := &directory{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.mu.Lock()
			n := len(d.asked)
			d.asked, d.ended = append(d.asked, nil), append(d.ended, false)
			d.mu.Unlock()
			go d.serve(c, n)
		}
	}()
	return d
}

func (d *directory) serve(c net.Conn, n int) {
	defer c.Close()
	name := make([]byte, 256)
	for {
		size, err := c.Read(name)
		d.mu.Lock()
		if err != nil {
			d.ended[n] = true
			d.mu.Unlock()
			return
		}
		d.asked[n] = append(d.asked[n], string(name[:size]))
		d.mu.Unlock()
		entry := "none:x:1:1::/:\n"
		for line := range strings.Lines(read("/etc/passwd")) {
			if strings.HasPrefix(line, string(name[:size])+":") {
				entry = line
			}
		}
		c.Write([]byte(entry))
	}
}

// One login must never read the answer that is another's.
func TestForkedHandlersShareNoConnectionToANameService(t *testing.T) {
	t.Parallel()
	libc := glob("/lib/*/libc.so.6")
	lab.Run(t, "cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-o", filepath.Dir(libc[0])+"/libnss_socket.so.2", "testdata/nss-socket.c")
	d := newDirectory(t, "/run/nss-socket")
	conf := strings.Replace(read("/etc/nsswitch.conf"), "passwd:", "passwd: socket #", 1)
	s := stand(t, lab.Room{Files: map[string]string{"/etc/nsswitch.conf": conf}}, lab.Rexecd(t), nil, "-standby", "3")
	s.forked(t, "")
	var wg sync.WaitGroup
	for range 3 {
		u := newUser(t, lab.User{})
		want := u.Name + " " + uid(t, u) + "\n"
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 4 {
				wantOut(t, s.addr, request(u, "echo $USER $(id -u)"), want)
			}
		}()
	}
	wg.Wait()
	if s.zygote() == "" {
		t.Fatalf("no zygote: %s", s.out)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, names := range d.asked {
		user := ""
		for _, name := range names {
			if name != "root" && user != "" && name != user {
				t.Errorf("connection %d was asked for %q: one of several logins", i, names)
			} else if name != "root" {
				user = name
			}
		}
	}
	if len(d.ended) == 0 || !d.ended[0] {
		t.Error("the zygote keeps its connection")
	}
}

// Modules that look at what process they are in.
func TestModulesServeForkedHandlersAsTheyDoExecutedOnes(t *testing.T) {
	t.Parallel()
	note := filepath.Join(openDir(t), "note")
	stack := "auth required pam_unix.so nodelay\nauth required pam_exec.so quiet " + script(t, "echo $PAM_TYPE $PAM_USER $PAM_RHOST >>"+note+"\n") + "\n" +
		"account required pam_unix.so\naccount required pam_access.so\nsession optional pam_loginuid.so\nsession required pam_limits.so conf=" +
		script(t, "* soft nofile 333\n* hard nofile 444\n") + "\nsession required pam_unix.so\nsession optional pam_keyinit.so force revoke\nsession required pam_env.so\n"
	forking := stand(t, lab.Room{Stack: stack}, lab.Rexecd(t), nil, "-standby", "2")
	forking.forked(t, "")
	cold := serve(t, lab.Handler{Room: lab.Room{Stack: stack}})
	u := newUser(t, lab.User{})
	const look = "ulimit -n; ulimit -Hn; cat /proc/self/loginuid; id; env | grep -v REXEC_CLIENT | sort; umask; ls /proc/self/fd | wc -l"
	want := out(t, cold.Addr, request(u, look))
	if !strings.HasPrefix(want, "333\n444\n") {
		t.Fatalf("executed: %q", want)
	}
	for range 4 {
		wantOut(t, forking.addr, request(u, look), want)
		wantAll(t, forking.addr, lab.Request{User: u.Name, Password: "wrong", Command: "id"}, loginIncorrect)
	}
	if got := strings.Count(read(note), "auth "+u.Name+" 127.0.0.1\n"); got != 9 {
		t.Errorf("pam_exec ran for %d logins; want 9", got)
	}
	if forking.zygote() == "" {
		t.Errorf("no zygote: %s", forking.out)
	}
}

// Go's runtime makes its random numbers, those of its maps and of the addresses of its memory among
// them, from 16 bytes that the kernel gives an executed process.
func TestForkedHandlersHaveRandomBytesOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "4")
	u := newUser(t, lab.User{})
	s.forked(t, "")
	for range 6 { // those that were executed meanwhile
		wantOut(t, s.addr, request(u, "echo served"), "served\n")
	}
	seen := map[string]string{}
	for _, pid := range s.wantWaiting(t, 4) {
		bytes := startBytes(t, pid)
		if other := seen[bytes]; other != "" || strings.Trim(bytes, "\x00") == "" {
			t.Errorf("processes %s and %s have the same bytes %x", other, pid, bytes)
		}
		seen[bytes] = pid
	}
}

// startBytes are the 16 bytes that AT_RANDOM of getauxval(3) points to.
func startBytes(t testing.TB, pid string) string {
	t.Helper()
	const atRandom = 25
	auxv := read("/proc/" + pid + "/auxv")
	for i := 0; i+16 <= len(auxv); i += 16 {
		if binary.NativeEndian.Uint64([]byte(auxv[i:])) != atRandom {
			continue
		}
		mem, err := os.Open("/proc/" + pid + "/mem")
		if err != nil {
			t.Fatal(err)
		}
		defer mem.Close()
		bytes := make([]byte, 16)
		if _, err := mem.ReadAt(bytes, int64(binary.NativeEndian.Uint64([]byte(auxv[i+8:])))); err != nil {
			t.Fatal(err)
		}
		return string(bytes)
	}
	t.Fatal("no AT_RANDOM")
	return ""
}

// As where the host may have no more processes: it says so, goes on, and serves again.
func TestForksThatFailLeaveSupervisorAndZygoteAlive(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	shim, on := filepath.Join(dir, "shim.so"), filepath.Join(dir, "on")
	lab.Run(t, "cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-o", shim, "testdata/fork-fails.c")
	s := stand(t, lab.Room{}, lab.Rexecd(t), []string{"LD_PRELOAD=" + shim, "FORK_FAILS=" + on}, "-standby", "2")
	u := newUser(t, lab.User{})
	zygote, _ := s.forkedOnly(t, u)
	if err := os.WriteFile(on, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	wantOut(t, s.addr, request(u, "echo last but one"), "last but one\n")
	wantOut(t, s.addr, request(u, "echo last"), "last\n")
	lab.Eventually(t, "it says so", func() bool {
		return strings.Contains(s.out.String(), "start handler: fork: resource temporarily unavailable")
	})
	if err := os.Remove(on); err != nil {
		t.Fatal(err)
	}
	wantOut(t, s.addr, request(u, "echo served"), "served\n")
	s.wantWaiting(t, 2)
	if !alive(zygote) {
		t.Error("the zygote has ended")
	}
}

func TestTheZygoteEndsWithTheSupervisor(t *testing.T) {
	t.Parallel()
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "2")
	u := newUser(t, lab.User{})
	session := lab.Open(t, s.addr, u.Name, u.Password, "cat").Started(t)
	waiting := s.wantWaiting(t, 2)
	zygote := s.forked(t, "")
	s.cmd.Process.Kill()
	for _, pid := range append(waiting, zygote) {
		lab.Eventually(t, "process "+pid+" has ended", func() bool { return !alive(pid) })
	}
	session.Primary.Write([]byte("still here\n"))
	if line := session.Line(t); line != "still here" && line != "still here\n" {
		t.Errorf("the command answers %q", line)
	}
}

// Processes whose parent has ended are the supervisor's only while it has a handler made.
func TestProcessesThatCommandsLeaveRunningBelongToProcess1(t *testing.T) {
	t.Parallel()
	s := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "2")
	u := newUser(t, lab.User{})
	s.forkedOnly(t, u)
	pid := strings.TrimSpace(out(t, s.addr, request(u, "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!")))
	defer lab.Run(t, "kill", pid)
	supervisor := itoa(s.cmd.Process.Pid)
	lab.Eventually(t, "its own parent has ended", func() bool {
		parent := field(t, read("/proc/"+pid+"/status"), "PPid")
		return parent != supervisor && !strings.Contains(read("/proc/"+parent+"/comm"), "in.rexecd")
	})
}

// Whoever exposes a supervisor means the commands.
func TestCommandsAreExposedWithTheSupervisor(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s := &standing{addr: freeAddr(t), out: &output{}}
	s.cmd = exec.Command("sh", "-c", `echo 300 >/proc/self/oom_score_adj; exec "$@"`, "sh", lab.Rexecd(t), "-standby", "2", "-listen", s.addr)
	s.log = lab.Room{}.Command(t, s.cmd)
	listening(t, s.addr)
	for range 4 { // executed ones first, then forked ones
		wantOut(t, s.addr, request(u, "cat /proc/self/oom_score_adj"), "300\n")
	}
}
