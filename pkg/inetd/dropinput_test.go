package inetd

import (
	"io"
	"testing"
)

// Some clients send all of their input before they read a byte.
func TestInputThatNobodyReadsDoesNotResetTheConnection(t *testing.T) {
	c, client := pair(t)
	sent := make(chan error)
	go func() {
		_, err := client.Write(make([]byte, 16<<20))
		client.CloseWrite()
		sent <- err
	}()
	waitReadable(t, c)
	c.Write([]byte("last words"))
	release(Release{DropInput: true}, c)
	if err := <-sent; err != nil {
		t.Errorf("the peer could not send its input: %v", err)
	}
	if b, err := io.ReadAll(client); string(b) != "last words" || err != nil {
		t.Errorf("the peer read %q, %v; want the last words and the end", b, err)
	}
	if c.Fd() != -1 {
		t.Error("the connection is still open")
	}
}
