package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A progress shows on a terminal how far a long reading is, and makes Ctrl-C end
// the reading and not the program.
type progress struct {
	size    int64 // of all files; 0: not known
	bytes   atomic.Int64
	until   time.Time // of the journal
	first   atomic.Int64
	latest  atomic.Int64
	stopped atomic.Bool

	mu    sync.Mutex
	stop  func() // ends a child
	ended chan struct{}
	gone  sync.WaitGroup
	once  sync.Once
}

// startProgress watches the reading of files, or of the journal.
func startProgress(now time.Time, files []string) *progress {
	p := &progress{until: now, ended: make(chan struct{})}
	for _, name := range files {
		if st, err := os.Stat(name); err == nil && st.Mode().IsRegular() {
			p.size += st.Size()
		}
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	p.gone.Add(1)
	go p.watch(interrupts)
	return p
}

// watch draws the bar and waits for Ctrl-C; a second one ends the program.
func (p *progress) watch(interrupts chan os.Signal) {
	defer p.gone.Done()
	defer signal.Stop(interrupts)
	const first, often = time.Second, 200 * time.Millisecond // a short reading needs no bar
	terminal := columnsOf(os.Stderr)
	next := time.NewTimer(first)
	defer next.Stop()
	shown := false
	defer func() {
		if shown {
			fmt.Fprint(os.Stderr, "\r\x1b[K")
		}
	}()
	for {
		select {
		case <-p.ended:
			return
		case <-interrupts:
			signal.Stop(interrupts)
			p.stopped.Store(true)
			p.mu.Lock()
			if p.stop != nil {
				p.stop()
			}
			p.mu.Unlock()
		case <-next.C:
			if terminal > 0 {
				fmt.Fprint(os.Stderr, "\r"+bar(p.fraction(), min(terminal-1, 60))+"\x1b[K")
				shown = true
			}
			next.Reset(often)
		}
	}
}

// end takes the bar away.
func (p *progress) end() {
	p.once.Do(func() { close(p.ended) })
	p.gone.Wait()
}

// onStop says what ends the reading, besides that files end.
func (p *progress) onStop(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stop = f
	if f != nil && p.stopped.Load() {
		f()
	}
}

// count follows the reading of a file.
func (p *progress) count(f io.Reader) io.Reader { return &counted{f, &p.bytes, &p.stopped} }

// time follows the reading of the journal, whose size is not known, by the time of
// its records.
func (p *progress) time(at time.Time) {
	if p.first.Load() == 0 {
		p.first.Store(at.Unix())
	}
	p.latest.Store(at.Unix())
}

// fraction is how much has been read, negative where that is not known.
func (p *progress) fraction() float64 {
	first := p.first.Load()
	switch {
	case p.size > 0:
		return min(float64(p.bytes.Load())/float64(p.size), 1)
	case first > 0 && p.until.Unix() > first:
		return max(0, min(float64(p.latest.Load()-first)/float64(p.until.Unix()-first), 1))
	}
	return -1
}

// bar draws a fraction, "[#####.....]  50%", in a number of columns.
func bar(fraction float64, columns int) string {
	room := columns - len("[] 100%")
	if fraction < 0 || room < 5 {
		return "reading"
	}
	full := int(fraction * float64(room))
	return fmt.Sprintf("[%s%s] %3.0f%%", strings.Repeat("#", full), strings.Repeat(".", room-full), fraction*100)
}
