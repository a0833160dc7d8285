package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds what must happen, for a busy machine.
const patience = 30 * time.Second

// A lockedBuffer can be read while a process writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lockedBuffer) waitFor(t *testing.T, text string) {
	t.Helper()
	b.waitForTimes(t, text, 1)
}

func (b *lockedBuffer) waitForTimes(t *testing.T, text string, times int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for ; strings.Count(b.String(), text) < times; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited for %q, got %q", text, b.String())
		}
	}
}
