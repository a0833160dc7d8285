package attack

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// dialTLS connects, and returns the connection beneath as well.
func dialTLS(t testing.TB, addr string, c *lab.Certificates) (*tls.Conn, *net.TCPConn) {
	t.Helper()
	raw := lab.Dial(t, addr)
	conn := tls.Client(lab.Announced{TCPConn: raw}, c.Authority(t))
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	return conn, raw
}

// begin starts a command with TLS, and waits for its first line.
func begin(t testing.TB, addr string, c *lab.Certificates, u lab.User, command string) (*tls.Conn, *net.TCPConn) {
	t.Helper()
	conn, raw := dialTLS(t, addr, c)
	conn.Write(request(u, "echo begun; "+command).Bytes())
	got := make([]byte, len("\x00begun\n"))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "\x00begun\n" {
		t.Fatalf("%q, %v", got, err)
	}
	return conn, raw
}

// relayOf is the process that speaks TLS for a handler.
func relayOf(t testing.TB, handler int) int {
	t.Helper()
	for _, pid := range children(handler) {
		if read("/proc/"+strconv.Itoa(pid)+"/comm") == "rexec-tlsd\n" {
			return pid
		}
	}
	t.Fatalf("handler %d has no relay", handler)
	return 0
}

// Whatever cuts the input short is an error for the command that reads it, and none of it can be
// taken for all of it.
func TestNoEndButTheClientsOwnIsAnEndOfTheInput(t *testing.T) {
	t.Parallel()
	u, dir := newUser(t, lab.User{}), openDir(t)
	s, c := lab.ServeTLS(t, lab.Handler{})
	for name, cut := range map[string]func(*tls.Conn, *net.TCPConn, int){
		"announced":   func(conn *tls.Conn, _ *net.TCPConn, _ int) { conn.CloseWrite() },
		"half-closed": func(_ *tls.Conn, raw *net.TCPConn, _ int) { raw.CloseWrite() },
		"closed":      func(_ *tls.Conn, raw *net.TCPConn, _ int) { raw.Close() },
		"reset":       func(_ *tls.Conn, raw *net.TCPConn, _ int) { raw.SetLinger(0); raw.Close() },
		"garbage":     func(_ *tls.Conn, raw *net.TCPConn, _ int) { raw.Write(bytes.Repeat([]byte("garbage"), 100)) },
		"half a record": func(_ *tls.Conn, raw *net.TCPConn, _ int) {
			raw.Write([]byte("\x17\x03\x03\x01\x00half"))
			raw.CloseWrite()
		},
		"a huge record": func(_ *tls.Conn, raw *net.TCPConn, _ int) {
			raw.Write([]byte("\x17\x03\x03\xff\xff"))
			raw.Write(make([]byte, 65535))
		},
		"an alert in clear":  func(_ *tls.Conn, raw *net.TCPConn, _ int) { raw.Write([]byte("\x15\x03\x03\x00\x02\x01\x00")) },
		"the relay killed":   func(_ *tls.Conn, _ *net.TCPConn, relay int) { syscall.Kill(relay, syscall.SIGKILL) },
		"the relay ended":    func(_ *tls.Conn, _ *net.TCPConn, relay int) { syscall.Kill(relay, syscall.SIGTERM) },
		"the relay in panic": func(_ *tls.Conn, _ *net.TCPConn, relay int) { syscall.Kill(relay, syscall.SIGSEGV) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := dir + "/" + strings.ReplaceAll(name, " ", "-")
			h, hc := lab.ServeTLS(t, lab.Handler{})
			conn, raw := begin(t, h.Addr, hc, u, "cat >"+file+".in && echo all >"+file+" || echo part >"+file)
			conn.Write([]byte("half of it"))
			lab.Eventually(t, "the input", func() bool { return read(file+".in") == "half of it" })
			cut(conn, raw, relayOf(t, h.Processes()[0].Pid))
			want := "part\n"
			if name == "announced" {
				want = "all\n"
			}
			lab.Eventually(t, "the command's end", func() bool { return read(file) != "" })
			if got := read(file); got != want {
				t.Errorf("the command took it for %q; want %q", got, want)
			}
		})
	}
	_ = s
	_ = c
}

// The same of the output: a client that checks for TLS's announcement never takes part of it for
// all.
func TestAKilledRelayIsNoEndOfTheOutput(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGABRT} {
		s, c := lab.ServeTLS(t, lab.Handler{})
		conn, _ := begin(t, s.Addr, c, u, "cat /dev/zero")
		syscall.Kill(relayOf(t, s.Processes()[0].Pid), signal)
		if n, err := io.Copy(io.Discard, conn); err == nil {
			t.Errorf("%v: an end in order after %d bytes", signal, n)
		}
		s.Processes()[0].Wait(t) // the command has got an error
	}
}

// A relay that is stopped stops its client's connections, and nothing else; nothing is lost.
func TestAStoppedRelayLosesNothing(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s, c := lab.ServeTLS(t, lab.Handler{})
	conn, _ := begin(t, s.Addr, c, u, "read go; head -c 1000000 /dev/zero; echo end")
	relay := relayOf(t, s.Processes()[0].Pid)
	io.WriteString(conn, "go\n")
	syscall.Kill(relay, syscall.SIGSTOP)
	other, _ := begin(t, s.Addr, c, u, "echo other")
	other.CloseWrite()
	if b, err := io.ReadAll(other); string(b) != "other\n" || err != nil {
		t.Errorf("another client: %q, %v", b, err)
	}
	time.AfterFunc(300*time.Millisecond, func() { syscall.Kill(relay, syscall.SIGCONT) })
	b, err := io.ReadAll(conn)
	if len(b) != 1000004 || err != nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestARelayHasNoRights(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s, c := lab.ServeTLS(t, lab.Handler{})
	conn, _ := begin(t, s.Addr, c, u, "cat")
	pid := relayOf(t, s.Processes()[0].Pid)
	id := uid(t, lab.User{Name: "rexec-tls"})
	for field, want := range map[string]string{
		"Uid": strings.Repeat(id+"\t", 3) + id, "Groups": "", "CapEff": "0000000000000000", "CapPrm": "0000000000000000",
		"CapInh": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2",
	} {
		if got := status(pid, field); strings.TrimSpace(got) != want {
			t.Errorf("%s is %q; want %q", field, got, want)
		}
	}
	proc := "/proc/" + strconv.Itoa(pid)
	if root, err := os.Readlink(proc + "/root"); err != nil || root != "/run/rexec-tlsd" {
		t.Errorf("its root is %q, %v", root, err)
	}
	if all, err := os.ReadDir("/run/rexec-tlsd"); err != nil || len(all) > 0 {
		t.Errorf("in its root are %v, %v", all, err)
	}
	if st, err := os.Stat(proc + "/mem"); err != nil || st.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("its memory is not root's alone: %v", err)
	}
	fds, _ := os.ReadDir(proc + "/fd")
	for _, fd := range fds {
		link, _ := os.Readlink(proc + "/fd/" + fd.Name())
		if !strings.HasPrefix(link, "socket:") && !strings.HasPrefix(link, "anon_inode:") && link != "/dev/null" {
			t.Errorf("descriptor %s is %s", fd.Name(), link)
		}
	}
	if rss(pid) > 24<<10 {
		t.Errorf("it takes %d kB", rss(pid))
	}
	t.Logf("%d kB, of its own %s kB", rss(pid), status(pid, "RssAnon"))
	conn.CloseWrite()
	io.ReadAll(conn)
	lab.Eventually(t, "the relay's end", func() bool { return !exists(proc) || strings.HasPrefix(status(pid, "State"), "Z") })
}

// A handshake that never ends is ended with the grace time, and its relay with it.
func TestAHandshakeByteByByteEndsAtTheGraceTime(t *testing.T) {
	t.Parallel()
	s, _ := lab.ServeTLS(t, lab.Handler{Settings: "grace = 2\n"})
	raw := lab.Dial(t, s.Addr)
	began := time.Now()
	go func() {
		for _, b := range append([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), make([]byte, 100)...) {
			raw.Write([]byte{b})
			time.Sleep(50 * time.Millisecond)
		}
	}()
	io.ReadAll(raw)
	if took := time.Since(began); took < 1900*time.Millisecond || took > 15*time.Second {
		t.Errorf("ended after %v", took)
	}
	s.Processes()[0].Wait(t)
	if m := s.Log.Wait(t, "Protocol error")["MESSAGE"]; !strings.Contains(m, "TLS handshake") {
		t.Errorf("the record is %q", m)
	}
}

// What is not TLS is not served, with or without what would be served in clear text.
func TestNothingButTLSIsSpokenWithTLS(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	s, c := lab.ServeTLS(t, lab.Handler{})
	for _, sent := range []string{
		string(request(u, "echo no").Bytes()), "PROXY UNKNOWN\r\n", "\x16\x03\x01\xff\xff" + strings.Repeat("x", 65535), "\x80\x2e\x01\x00\x02", "\x00", "",
	} {
		if got := lab.AskRaw(t, s.Addr, []byte(sent)); strings.Contains(string(got.All), "no") || bytes.HasPrefix(got.All, []byte{0}) {
			t.Errorf("%.40q: %v", sent, got)
		}
	}
	s.Log.Wait(t, "the client does not speak TLS")
	conn, _ := dialTLS(t, s.Addr, c)
	conn.Write([]byte("PROXY TCP4 192.0.2.7 192.0.2.1 1 2\r\n" + string(request(u, "echo no").Bytes())))
	conn.CloseWrite()
	if b, err := io.ReadAll(conn); string(b) != noPort || err != nil {
		t.Errorf("a PROXY header inside TLS: %q, %v", b, err)
	}
	// The name of another protocol: what a browser sends is for somebody else.
	config := c.Authority(t)
	config.NextProtos = []string{"http/1.1"}
	if err := tls.Client(lab.Dial(t, s.Addr), config).Handshake(); err == nil {
		t.Error("a client of HTTP was served")
	}
	// Versions with known weaknesses.
	config = c.Authority(t)
	config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if err := tls.Client(lab.Dial(t, s.Addr), config).Handshake(); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	s, c = lab.ServeTLS(t, lab.Handler{Settings: ""})
	config = c.Authority(t)
	config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	for range 2 { // no tickets: so no data before the handshake's end either
		conn := tls.Client(lab.Dial(t, s.Addr), config)
		conn.Write(request(u, "echo in").Bytes())
		conn.CloseWrite()
		if b, err := io.ReadAll(conn); string(b) != "\x00in\n" || err != nil || conn.ConnectionState().DidResume {
			t.Errorf("%q, %v, resumed %v", b, err, conn.ConnectionState().DidResume)
		}
	}
}

// Each direction ends by itself.
func TestEachDirectionOfTLSEndsByItself(t *testing.T) {
	t.Parallel()
	u, dir := newUser(t, lab.User{}), openDir(t)
	s, c := lab.ServeTLS(t, lab.Handler{})
	conn, _ := begin(t, s.Addr, c, u, "cat; sleep 0.3; echo late")
	conn.Write([]byte("in\n"))
	conn.CloseWrite()
	if b, err := io.ReadAll(conn); string(b) != "in\nlate\n" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	// A command that ends its output and reads on.
	conn, _ = begin(t, s.Addr, c, u, "exec python3 -c 'import os,socket; s=socket.socket(fileno=0); s.shutdown(1); open(\""+dir+"/got\",\"wb\").write(b\"\".join(iter(lambda: os.read(0,100), b\"\")))'")
	if b, err := io.ReadAll(conn); len(b) > 0 || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	conn.Write([]byte("after the end of the output"))
	conn.CloseWrite()
	lab.Eventually(t, "the input", func() bool { return read(dir+"/got") == "after the end of the output" })
	// A background process has the connection on after the command's end, and the server's.
	conn, _ = begin(t, s.Addr, c, u, "(sleep 1; echo late) &")
	s.Processes()[2].Wait(t)
	if b, err := io.ReadAll(conn); string(b) != "late\n" || err != nil {
		t.Errorf("a background process: %q, %v", b, err)
	}
}
