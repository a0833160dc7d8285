package inetd

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Take works on the process's own descriptors, so the test binary is started
// again as the process that a super-server starts.
func TestMain(m *testing.M) {
	if file := os.Getenv("INETD_TEST_REPORT"); file != "" {
		os.Exit(started(file))
	}
	if os.Getenv("INETD_TEST") == "nobody" {
		runtime.LockOSThread()
		fmt.Println(madeAsNobody())
		os.Exit(0)
	}
	if dir := os.Getenv("INETD_TEST_PROCESS"); dir != "" {
		n, _ := strconv.ParseUint(os.Getenv("INETD_TEST_INODE"), 10, 32)
		held, _, err := process{dir, someUID, someUID}.holds(uint32(n), 0, time.Now().Add(patience))
		fmt.Println(held && err == nil)
		os.Exit(0)
	}
	if address := os.Getenv("INETD_TEST_LISTEN"); address != "" {
		os.Exit(listening(address))
	}
	os.Exit(m.Run())
}

// taken is what the started process found.
type taken struct {
	Err         string
	Handed      bool
	Peer, Local netip.AddrPort
	Fd          int
	CloseOnExec bool
	NonBlocking bool
	Std         [3]string // what descriptors 0 to 2 are
}

func started(file string) int {
	// Every descriptor of the super-server's is open or meant to be closed: none of
	// ours among them.
	var r taken
	r.Handed = Handed()
	conn, err := Take()
	if err != nil {
		r.Err = err.Error()
	} else {
		r.Peer, r.Local, r.Fd = conn.Peer, conn.Local, conn.Fd()
		flags, _ := unix.FcntlInt(uintptr(conn.Fd()), unix.F_GETFD, 0)
		status, _ := unix.FcntlInt(uintptr(conn.Fd()), unix.F_GETFL, 0)
		r.CloseOnExec, r.NonBlocking = flags&unix.FD_CLOEXEC != 0, status&unix.O_NONBLOCK != 0
	}
	for fd := range r.Std {
		r.Std[fd], _ = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	}
	text, _ := json.Marshal(r)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return 3
	}
	if conn != nil {
		fmt.Println("stray output")
		fmt.Fprintln(os.Stderr, "stray error")
		conn.Write([]byte("taken"))
		conn.Linger(20*time.Second, 1)
	}
	return 0
}

// super starts the process with the given descriptors, nil being a closed one,
// and returns its report.
func super(t *testing.T, fds []*os.File, env ...string) taken {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report")
	// The shell closes what is to be closed, and knows the process id that LISTEN_PID must name.
	script := `[ -z "$LISTEN_FDS" ] || export LISTEN_PID=${LISTEN_PID-$$}; `
	closed := ""
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	files := append([]*os.File(nil), fds...)
	for fd := 0; fd < max(len(files), 3); fd++ {
		if fd >= len(files) {
			files = append(files, null)
		} else if files[fd] == nil {
			files[fd] = null
			closed += fmt.Sprintf(" %d<&-", fd)
		}
	}
	p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", script + `exec "$0"` + closed, os.Args[0]}, &os.ProcAttr{
		Env:   append([]string{"INETD_TEST_REPORT=" + file, "GOCOVERDIR=" + t.TempDir()}, env...),
		Files: files,
	})
	if err != nil {
		t.Fatal(err)
	}
	state, err := p.Wait()
	if err != nil || !state.Success() {
		t.Fatalf("started process: %v, %v", state, err)
	}
	var r taken
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// accepted is a connection as a super-server has it, and its peer.
func accepted(t *testing.T, network, listen, dial string) (server *os.File, client *net.TCPConn) {
	t.Helper()
	l, err := net.Listen(network, net.JoinHostPort(listen, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := net.Dial("tcp", net.JoinHostPort(dial, port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := s.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, c.(*net.TCPConn)
}

func TestConnectionIsTakenOffTheStandardDescriptors(t *testing.T) {
	closed := []*os.File{nil, nil, nil}
	for _, tt := range []struct {
		name         string
		network      string
		listen, dial string
		nonblocking  bool
		fds          func(s *os.File) []*os.File
		env          []string
	}{
		{name: "inetd: 0, 1 and 2 are the connection", fds: func(s *os.File) []*os.File { return []*os.File{s, s, s} }},
		{name: "StandardInput=socket or tcpserver: 0 alone", fds: func(s *os.File) []*os.File { return []*os.File{s} }},
		{name: "1 and 2 are closed", fds: func(s *os.File) []*os.File { return []*os.File{s, nil, nil} }},
		{name: "systemd: 3 with LISTEN_FDS", fds: closedBut,
			env: []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=connection"}},
		{name: "systemd: 3, and 0 to 2 are closed", fds: func(s *os.File) []*os.File { return append(closed[:3:3], s) }, env: []string{"LISTEN_FDS=1"}},
		{name: "LISTEN_FDS for another process: 0", fds: func(s *os.File) []*os.File { return []*os.File{s, s, s} }, env: []string{"LISTEN_FDS=1", "LISTEN_PID=1"}},
		{name: "left in non-blocking mode", nonblocking: true, fds: func(s *os.File) []*os.File { return []*os.File{s, s, s} }},
		{name: "3, left in non-blocking mode", nonblocking: true, fds: closedBut, env: []string{"LISTEN_FDS=1"}},
		{name: "IPv6", network: "tcp6", listen: "::1", dial: "::1", fds: func(s *os.File) []*os.File { return []*os.File{s, s, s} }},
		{name: "IPv4 on an IPv6 socket", network: "tcp", listen: "::", dial: "127.0.0.1", fds: func(s *os.File) []*os.File { return []*os.File{s, s, s} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.network == "" {
				tt.network, tt.listen, tt.dial = "tcp4", "127.0.0.1", "127.0.0.1"
			}
			server, client := accepted(t, tt.network, tt.listen, tt.dial)
			if err := unix.SetNonblock(int(server.Fd()), tt.nonblocking); err != nil {
				t.Fatal(err)
			}
			sent := make(chan string)
			go func() {
				buf := make([]byte, 100)
				n, _ := io.ReadFull(client, buf)
				client.Close()
				sent <- string(buf[:n])
			}()
			r := super(t, tt.fds(server), tt.env...)
			if r.Err != "" || !r.Handed {
				t.Fatalf("Take: %q; Handed() = %v", r.Err, r.Handed)
			}
			server.Close()
			if got := <-sent; got != "taken" {
				t.Errorf("the peer got %q; want %q and nothing of what the process printed", got, "taken")
			}
			peer, local := client.LocalAddr().(*net.TCPAddr).AddrPort(), client.RemoteAddr().(*net.TCPAddr).AddrPort()
			if r.Peer != peer || r.Local != local {
				t.Errorf("Peer, Local = %v, %v; want %v, %v", r.Peer, r.Local, peer, local)
			}
			if r.Fd < highFd || !r.CloseOnExec || r.NonBlocking {
				t.Errorf("descriptor %d, close-on-exec %v, non-blocking %v; want %d or above, true, false", r.Fd, r.CloseOnExec, r.NonBlocking, highFd)
			}
			if want := [3]string{os.DevNull, os.DevNull, os.DevNull}; r.Std != want {
				t.Errorf("descriptors 0 to 2 = %q; want %q", r.Std, want)
			}
		})
	}
}

// closedBut puts a descriptor at 3, with /dev/null below it.
func closedBut(s *os.File) []*os.File {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	return []*os.File{null, null, null, s}
}

func TestNoDescriptorButTheConnectionIsLeftByTake(t *testing.T) {
	server, _ := accepted(t, "tcp4", "127.0.0.1", "127.0.0.1")
	before := openDescriptors(t)
	fd, err := unix.FcntlInt(server.Fd(), unix.F_DUPFD_CLOEXEC, highFd)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newConn(fd)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	c.Close()
	if c.Fd() != -1 {
		t.Errorf("Fd() = %d after Close; want -1", c.Fd())
	}
	if after := openDescriptors(t); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if err := syscall.Fstat(fd, &syscall.Stat_t{}); err != syscall.EBADF {
		t.Errorf("the descriptor after Close: %v", err)
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
