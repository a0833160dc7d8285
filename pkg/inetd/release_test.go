package inetd

import (
	"bytes"
	"fmt"
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
	release(Release{Shutdown: true}, c)
	if b, err := io.ReadAll(client); string(b) != "last words" || err != nil {
		t.Errorf("the peer read %q, %v; want the last words and the end", b, err)
	}
	if n, err := unix.Read(other, make([]byte, 1)); n != 0 || err != nil {
		t.Errorf("the other holder read %d, %v; want the end", n, err)
	}
	if c.Fd() != -1 {
		t.Error("the connection is still open")
	}
	release(Release{Shutdown: true}, c) // again: nothing
	release(Release{}, c)
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
	release(Release{}, c)
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

func release(r Release, c *Conn) {
	r.Begin(c)
	r.Finish()
}

// fill writes until the kernel takes no more, and returns how much that was.
func fill(c *Conn) (n int) {
	for block := bytes.Repeat([]byte("output! "), 8<<10); ; {
		m, err := unix.SendmsgN(c.fd, block, nil, nil, unix.MSG_DONTWAIT)
		if err != nil {
			return n
		}
		n += m
	}
}

// The peer begins to read late, sends while it reads, and in one case before.
func TestReleaseLosesNoOutputWhateverThePeerSends(t *testing.T) {
	for _, shutdown := range []bool{false, true} {
		for _, first := range []string{"", "unread: a close resets the connection"} {
			t.Run(fmt.Sprintf("shutdown %v, %q", shutdown, first), func(t *testing.T) {
				t.Parallel()
				c, client := pair(t)
				if first != "" {
					client.Write([]byte(first))
					waitReadable(t, c)
				}
				want := fill(c)
				released := make(chan bool)
				go func() { release(Release{Shutdown: shutdown}, c); close(released) }()
				got, buf := 0, make([]byte, 10000)
				for i := 0; ; i++ {
					if i < 100 { // input that trickles in, from before the first read on
						client.Write([]byte("x"))
						time.Sleep(3 * time.Millisecond)
					}
					n, err := client.Read(buf)
					if got += n; err != nil {
						break
					}
				}
				if got != want {
					t.Errorf("the peer got %d of %d bytes", got, want)
				}
				client.Close()
				<-released
			})
		}
	}
}

func TestReleaseGivesUpOnAPeerThatDoesNotRead(t *testing.T) {
	c, client := pair(t)
	client.Write([]byte("unread"))
	waitReadable(t, c)
	fill(c)
	const stall = 300 * time.Millisecond
	began := time.Now()
	release(Release{stall: stall}, c)
	if took := time.Since(began); took < stall || took > patience {
		t.Errorf("Release took %v; want about %v", took, stall)
	}
	// And does not wait at all where nothing is lost.
	c, _ = pair(t)
	c.Write([]byte("x"))
	began = time.Now()
	release(Release{}, c)
	if took := time.Since(began); took > releaseTime {
		t.Errorf("Release took %v with everything acknowledged", took)
	}
}

// Each time that the peer reads something, the time starts anew.
func TestReleaseWaitsForASlowReader(t *testing.T) {
	c, client := pair(t)
	want := fill(c)
	const stall = 400 * time.Millisecond
	released := make(chan bool)
	go func() { release(Release{stall: stall}, c); close(released) }()
	began, got := time.Now(), 0
	for buf := make([]byte, want/8); ; {
		time.Sleep(stall / 4)
		client.Write([]byte("x"))
		n, err := io.ReadFull(client, buf)
		if got += n; err != nil {
			break
		}
	}
	if took := time.Since(began); got != want || took < stall {
		t.Errorf("the peer got %d of %d bytes in %v", got, want, took)
	}
	<-released
}

// Programs read the output to its end, and the errors then.
func TestReleaseEndsEachConnectionForItself(t *testing.T) {
	c, client := pair(t)
	errs, clientErrs := pair(t)
	want := fill(errs)
	r := Release{}
	released := make(chan bool)
	go func() { r.Begin(c, errs); r.Finish(); close(released) }()
	client.SetReadDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(client); len(b) != 0 || err != nil {
		t.Errorf("the peer read %d bytes, %v; want the end, whatever the other connection does", len(b), err)
	}
	clientErrs.SetReadDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(clientErrs); len(b) != want || err != nil {
		t.Errorf("the peer read %d bytes, %v; want %d", len(b), err, want)
	}
	<-released
}

func TestReleaseDoesNotWaitForAPeerThatIsLost(t *testing.T) {
	c, client := pair(t)
	other, err := unix.Dup(c.Fd())
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(other)
	fill(c)
	client.SetLinger(0)
	client.Close()
	waitReadable(t, c)
	if n, _ := unix.IoctlGetInt(c.fd, unix.TIOCOUTQ); n == 0 {
		t.Error("nothing is queued: this shows nothing")
	}
	unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_ERROR) // as the command's write has
	began := time.Now()
	release(Release{}, c)
	if took := time.Since(began); took > releaseTime {
		t.Errorf("Release took %v", took)
	}
}

func TestReleaseIsShortOnceTheProcessIsToldToStop(t *testing.T) {
	for _, shutdown := range []bool{false, true} {
		for _, stopped := range []bool{false, true} {
			t.Run(fmt.Sprintf("shutdown %v, before %v", shutdown, stopped), func(t *testing.T) {
				t.Parallel()
				c, client := pair(t)
				defer client.Close()
				fill(c)
				var p [2]int
				if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
					t.Fatal(err)
				}
				defer unix.Close(p[0])
				defer unix.Close(p[1])
				if !stopped {
					time.AfterFunc(100*time.Millisecond, func() { unix.Write(p[1], []byte{15}) })
				}
				began := time.Now()
				release(Release{Shutdown: shutdown, Stop: p[0], Stopped: stopped}, c)
				if took := time.Since(began); took < releaseTime || took > patience {
					t.Errorf("Release took %v; want about %v", took, releaseTime)
				}
			})
		}
	}
}

// SO_LINGER is the command's to set as well, and close would wait for a peer that
// reads nothing as long as that says.
func TestACloseDoesNotWaitForThePeerBecauseTheCommandSaidSo(t *testing.T) {
	for _, c := range []struct {
		name  string
		close func(*Conn)
	}{
		{"Release", func(c *Conn) { release(Release{stall: 1}, c) }},
		{"Release with shutdown", func(c *Conn) { release(Release{Shutdown: true, stall: 1}, c) }},
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
