package rexecd

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rexecd/pkg/audit"
	"rexecd/pkg/inetd"
	"rexecd/pkg/login"
)

// The whole of Serve on a real connection, PAM included: whatever a peer sends, it
// gets nothing, one line that begins with a 1, or a command's answer that begins
// with a 0, and soon. Nobody but "nobody" is let in, whose shell runs no command
// (nologin), so that the fuzzer cannot do anything to the machine.
func FuzzServe(f *testing.F) {
	if nobody := entryOf("nobody"); !bytes.Contains(nobody, []byte("nologin")) && !bytes.Contains(nobody, []byte("/false")) {
		f.Fatalf("the shell of nobody could run commands: %q", nobody)
	}
	dir := f.TempDir()
	const stack = "auth required pam_succeed_if.so quiet user = nobody\naccount required pam_permit.so\nsession required pam_permit.so\n"
	if err := os.WriteFile(filepath.Join(dir, "rexec"), []byte(stack), 0o644); err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		"", "0", "\x00", "\x00nobody\x00x\x00id\x00", "0\x00nobody\x00\x00\x00input", "\x00root\x00x\x00id\x00", "1\x00", "65535\x00u\x00p\x00c\x00", "x\x00",
		"\x00\xff\x00\xfe\x00\xfd\x00", "\x00-r\x00p\x00c\x00", "\x00nobody\x00p\x00" + string(bytes.Repeat([]byte("c"), 1000)),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		config := DefaultConfig()
		config.PAM = login.Config{Service: "rexec", ConfDir: dir}
		config.Grace, config.RefusalDelay, config.LogCommand, config.OnExit = 20*time.Second, time.Millisecond,
			true, Shutdown
		config.Penalties.Dir = filepath.Join(dir, "state")
		// and not the peer: it is looked up
		config.Penalties.Exempt = append(config.Penalties.Exempt, netip.MustParsePrefix("128.0.0.0/1"))
		config.Penalties.Min = time.Hour
		s := &Server{Config: config, Log: &audit.Log{Console: io.Discard}}
		begin := time.Now()
		answer := exchange(t, s, sent)
		switch {
		case len(answer) == 0:
		case answer[0] == 1 && bytes.Count(answer, []byte("\n")) == 1 && answer[len(answer)-1] == '\n':
		case answer[0] == 0 && bytes.Contains(sent, []byte("\x00nobody\x00")):
		default:
			t.Errorf("%q is answered by %q", sent, answer)
		}
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("%q took %v", sent, took)
		}
	})
}

func entryOf(name string) []byte {
	all, _ := os.ReadFile("/etc/passwd")
	for line := range bytes.Lines(all) {
		if bytes.HasPrefix(line, []byte(name+":")) {
			return line
		}
	}
	return nil
}

// exchange serves one connection as a process of its own would: on a thread that
// nothing else uses afterwards, with descriptors of its own that end with it.
func exchange(t *testing.T, s *Server, sent []byte) []byte {
	port, failed, done := make(chan int, 1), make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked
		defer close(done)
		if err := serveOne(s, port); err != nil {
			failed <- err
		}
	}()
	var answer []byte
	select {
	case n := <-port:
		c, err := net.Dial("tcp4", "127.0.0.1:"+strconv.Itoa(n))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() {
			c.Write(sent)
			c.(*net.TCPConn).CloseWrite() // or it would wait for more
		}()
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		answer, _ = io.ReadAll(c)
		c.(*net.TCPConn).SetLinger(0) // a reset: thousands a second would use up the ports in TIME_WAIT
		c.Close()
	case err := <-failed:
		t.Fatal(err)
	}
	<-done
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	return answer
}

func serveOne(s *Server, port chan<- int) error {
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return fmt.Errorf("take descriptors of its own: %w", err)
	}
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(l, 1); err != nil {
		return err
	}
	local, err := unix.Getsockname(l)
	if err != nil {
		return err
	}
	port <- local.(*unix.SockaddrInet4).Port
	fd, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
	if err != nil {
		return err
	}
	unix.Close(l)
	conn, err := inetd.New(fd)
	if err != nil {
		return err
	}
	unix.Close(fd)
	s.Serve(conn, nil)
	return nil
}
