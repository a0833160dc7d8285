package inetd

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds what must happen, on a busy machine too.
const patience = 20 * time.Second

// pair is a Conn over loopback, and its peer.
func pair(t *testing.T) (*Conn, *net.TCPConn) {
	t.Helper()
	f, client := accepted(t, "tcp4", "127.0.0.1", "127.0.0.1")
	client.SetDeadline(time.Now().Add(patience))
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, highFd)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	c, err := newConn(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.Deadline = time.Now().Add(patience)
	return c, client
}

func TestPeekLeavesWhatReadThenTakes(t *testing.T) {
	c, client := pair(t)
	client.Write([]byte("abcdef"))
	buf := make([]byte, 4)
	for range 2 {
		if n, err := c.Peek(buf); n != 4 || err != nil || string(buf) != "abcd" {
			t.Fatalf("Peek = %d, %v, %q; want the first four bytes", n, err, buf)
		}
	}
	if n, err := c.Read(buf[:3]); n != 3 || err != nil || string(buf[:3]) != "abc" {
		t.Fatalf("Read = %d, %v, %q; want abc", n, err, buf[:3])
	}
	if n, err := c.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v; want 0, nil", n, err)
	}
	client.CloseWrite()
	if n, err := c.Read(buf); n != 3 || err != nil || string(buf[:3]) != "def" {
		t.Fatalf("Read = %d, %v, %q; want what is left", n, err, buf[:n])
	}
	for range 2 {
		if n, err := c.Peek(buf); n != 0 || err != io.EOF {
			t.Errorf("Peek at the end = %d, %v; want 0, EOF", n, err)
		}
		if n, err := c.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("Read at the end = %d, %v; want 0, EOF", n, err)
		}
	}
}

func TestReadWaitsForItsFirstByte(t *testing.T) {
	for _, deadline := range []time.Time{{}, time.Now().Add(patience)} {
		c, client := pair(t)
		c.Deadline = deadline
		got := make(chan string)
		go func() {
			buf := make([]byte, 10)
			n, err := c.Read(buf)
			if err != nil {
				got <- err.Error()
			}
			got <- string(buf[:n])
		}()
		client.Write([]byte("x"))
		if s := <-got; s != "x" {
			t.Errorf("Read with deadline %v = %q; want x", deadline, s)
		}
	}
}

func TestDeadlineEndsAWaitAndNothingElse(t *testing.T) {
	c, client := pair(t)
	began := time.Now()
	c.Deadline = began.Add(30 * time.Millisecond)
	if n, err := c.Peek(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("Peek = %d, %v; want the deadline's error", n, err)
	}
	if took := time.Since(began); took < 30*time.Millisecond {
		t.Errorf("Peek came back after %v, before its deadline", took)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Read = %v; want the deadline's error", err)
	}
	// What has arrived is read all the same: the deadline is about waiting.
	client.Write([]byte("x"))
	waitReadable(t, c)
	if n, err := c.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("Read of what has arrived = %d, %v; want 1, nil", n, err)
	}
}

// waitReadable waits for bytes or the end.
func waitReadable(t *testing.T, c *Conn) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(c.Fd()), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, int(patience/time.Millisecond)); n != 1 || err != nil {
		t.Fatalf("poll = %d, %v", n, err)
	}
}

func TestResetIsAnErrorNotAnEnd(t *testing.T) {
	c, client := pair(t)
	client.SetLinger(0)
	client.Close()
	waitReadable(t, c)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("Read after a reset = %v; want connection reset", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, unix.EPIPE) {
		t.Errorf("Write after a reset = %v; want broken pipe", err)
	}
}

func TestWriteGivesUpOnAPeerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	c, _ := pair(t)
	big := make([]byte, 64<<20) // more than both ends' buffers
	began := time.Now()
	n, err := c.Write(big)
	if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == len(big) ||
		took > patience {
		t.Errorf("Write = %d, %v after %v; want a part and the deadline's error after some seconds", n, err, took)
	}
}

func TestWriteSendsAllToASlowReader(t *testing.T) {
	c, client := pair(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(client)
		got <- b
	}()
	if n, err := c.Write(want); n != len(want) || err != nil {
		t.Fatalf("Write = %d, %v; want %d, nil", n, err, len(want))
	}
	c.Close()
	if b := <-got; !bytes.Equal(b, want) {
		t.Errorf("the peer got %d bytes that are not the %d sent", len(b), len(want))
	}
}

// A close with input unread makes the kernel reset the connection at once, and
// what it had not yet sent of the output is thrown away.
func TestLingerKeepsTheTextThatAPlainCloseLoses(t *testing.T) {
	for _, tt := range []struct {
		name     string
		end      func(c *Conn)
		complete bool
	}{
		{"Linger", func(c *Conn) { c.Linger(patience, 64<<20) }, true},
		{"Close", func(c *Conn) { c.Close() }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, client := pair(t)
			client.Write(make([]byte, 100<<10)) // nobody reads it
			waitReadable(t, c)
			// More than the peer's buffer takes while it does not read: the rest
			// waits in this end's.
			var text []byte
			for block := bytes.Repeat([]byte("why not "), 8<<10); ; {
				n, err := unix.SendmsgN(c.fd, block, nil, nil, unix.MSG_DONTWAIT)
				if err != nil {
					break
				}
				text = append(text, block[:n]...)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				tt.end(c)
			}()
			if !tt.complete {
				<-done
			}
			got, err := io.ReadAll(client)
			client.Close()
			<-done
			if complete := err == nil && bytes.Equal(got, text); complete != tt.complete {
				t.Errorf("the peer got %d of %d bytes, %v; want all of them: %v", len(got), len(text), err, tt.complete)
			}
			if c.Fd() != -1 {
				t.Errorf("the connection is still open")
			}
		})
	}
}

func TestLingerIsBounded(t *testing.T) {
	for _, tt := range []struct {
		name string
		d    time.Duration
		max  int
		send int
	}{
		{"by time, when the peer neither sends nor closes", 50 * time.Millisecond, 1 << 20, 0},
		{"by size, when the peer does not stop", patience, 256 << 10, 1 << 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, client := pair(t)
			go func() {
				for b := make([]byte, 64<<10); tt.send > 0; tt.send -= len(b) {
					if _, err := client.Write(b); err != nil {
						return
					}
				}
			}()
			began := time.Now()
			c.Linger(tt.d, tt.max)
			if took := time.Since(began); took > patience-time.Second {
				t.Errorf("Linger took %v", took)
			}
		})
	}
}

func TestLingerEndsWhenThePeerHasClosed(t *testing.T) {
	c, client := pair(t)
	client.Close()
	began := time.Now()
	c.Linger(time.Hour, 1)
	if took := time.Since(began); took > patience {
		t.Errorf("Linger took %v", took)
	}
}

func TestKeepAliveIsTurnedOnAndOff(t *testing.T) {
	c, _ := pair(t)
	get := func(level, option int) int {
		v, err := unix.GetsockoptInt(c.Fd(), level, option)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	type probes struct{ on, idle, between, number int }
	current := func() probes {
		return probes{get(unix.SOL_SOCKET, unix.SO_KEEPALIVE), get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE),
			get(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), get(unix.IPPROTO_TCP, unix.TCP_KEEPCNT)}
	}
	// Linux' defaults, which a machine may have changed.
	for option, v := range map[int]int{unix.TCP_KEEPINTVL: 75, unix.TCP_KEEPCNT: 9} {
		if err := unix.SetsockoptInt(c.Fd(), unix.IPPROTO_TCP, option, v); err != nil {
			t.Fatal(err)
		}
	}
	kernels := current().idle
	for _, tt := range []struct {
		on   bool
		idle time.Duration
		want probes
	}{
		{true, 0, probes{1, kernels, 75, 9}},
		{false, 0, probes{0, kernels, 75, 9}},
		{false, 20 * time.Second, probes{0, kernels, 75, 9}},
		{true, time.Hour, probes{1, 3600, 75, 9}},
		{true, 20 * time.Second, probes{1, 20, 20, 34}}, // 680 s, where the kernel's are 675
		{true, 1500 * time.Millisecond, probes{1, 2, 2, 127}},
	} {
		if err := c.SetKeepAlive(tt.on, tt.idle); err != nil {
			t.Fatal(err)
		}
		if got := current(); got != tt.want {
			t.Errorf("%v, %v: %+v; want %+v", tt.on, tt.idle, got, tt.want)
		}
	}
	c.Close()
	if err := c.SetKeepAlive(true, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("SetKeepAlive on a closed connection = %v; want bad file descriptor", err)
	}
}
