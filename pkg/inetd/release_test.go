package inetd

import (
	"bytes"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReleaseWithShutdownEndsTheConnectionForEverybodyWhoHoldsIt(t *testing.T) {
	c, client := pair(t)
	other, err := unix.Dup(c.Fd())
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	client.Write([]byte("unread"))
	waitReadable(t, c)
	c.Write([]byte("last words"))
	c.Release(true)
	if b, err := io.ReadAll(client); string(b) != "last words" || err != nil {
		t.Errorf("the peer read %q, %v; want the last words and the end", b, err)
	}
	if n, err := unix.Read(other, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("the other holder read %d, %v; want the end", n, err)
	}
	if c.Fd() != -1 {
		t.Error("the connection is still open")
	}
	c.Release(true) // again: nothing
	c.Release(false)
}

// A background child may be reading it.
func TestReleaseWithoutShutdownTakesNothingFromAnotherHolder(t *testing.T) {
	c, client := pair(t)
	other, err := unix.Dup(c.Fd())
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	client.Write([]byte("input"))
	waitReadable(t, c)
	c.Release(false)
	buf := make([]byte, 10)
	if n, err := unix.Read(other, buf); string(buf[:max(n, 0)]) != "input" || err != nil {
		t.Errorf("the other holder read %q, %v; want what the peer had sent", buf[:max(n, 0)], err)
	}
	if _, err := unix.Write(other, []byte("output")); err != nil {
		t.Fatal(err)
	}
	unix.Close(other)
	if b, err := io.ReadAll(client); string(b) != "output" || err != nil {
		t.Errorf("the peer read %q, %v; want the other holder's output", b, err)
	}
}

func TestReleaseGivesOutputTheTimeToArrive(t *testing.T) {
	c, client := pair(t)
	client.Write([]byte("unread: the close resets the connection"))
	waitReadable(t, c)
	var text []byte
	for block := bytes.Repeat([]byte("output! "), 8<<10); ; {
		n, err := unix.SendmsgN(c.fd, block, nil, nil, unix.MSG_DONTWAIT)
		if err != nil {
			break
		}
		text = append(text, block[:n]...)
	}
	got := make(chan int)
	go func() {
		b, _ := io.ReadAll(client)
		got <- len(b)
	}()
	c.Release(false)
	if n := <-got; n != len(text) {
		t.Errorf("the peer got %d of %d bytes", n, len(text))
	}
}

func TestReleaseDoesNotWaitForAPeerThatDoesNotRead(t *testing.T) {
	c, client := pair(t)
	client.Write([]byte("unread"))
	waitReadable(t, c)
	for block := make([]byte, 64<<10); ; {
		if _, err := unix.SendmsgN(c.fd, block, nil, nil, unix.MSG_DONTWAIT); err != nil {
			break
		}
	}
	began := time.Now()
	c.Release(false)
	if took := time.Since(began); took < releaseTime-100*time.Millisecond || took > patience {
		t.Errorf("Release took %v; want about %v", took, releaseTime)
	}
	// And not at all where nothing is lost.
	c, _ = pair(t)
	c.Write([]byte("x"))
	began = time.Now()
	c.Release(false)
	if took := time.Since(began); took > releaseTime {
		t.Errorf("Release took %v with nothing unread", took)
	}
}

// SO_LINGER is the command's to set as well, and close would wait for a peer that reads nothing as long as that says.
func TestACloseDoesNotWaitForThePeerBecauseTheCommandSaidSo(t *testing.T) {
	for _, c := range []struct {
		name  string
		close func(*Conn)
	}{
		{"Release", func(c *Conn) { c.Release(false) }},
		{"Release with shutdown", func(c *Conn) { c.Release(true) }},
		{"set again behind its back", func(c *Conn) { c.interrupted(c.Close) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conn, client := pair(t)
			defer client.Close()
			for full := make([]byte, 1<<20); ; {
				if _, err := unix.SendmsgN(conn.Fd(), full, nil, nil, unix.MSG_DONTWAIT); err != nil {
					break
				}
			}
			days := unix.Linger{Onoff: 1, Linger: 1000000}
			if err := unix.SetsockoptLinger(conn.Fd(), unix.SOL_SOCKET, unix.SO_LINGER, &days); err != nil {
				t.Fatal(err)
			}
			closed := make(chan bool)
			go func() { c.close(conn); close(closed) }()
			select {
			case <-closed:
			case <-time.After(time.Minute):
				t.Error("it waits for the peer")
			}
		})
	}
}
