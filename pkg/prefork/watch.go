package prefork

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lookEvery is how often the files are looked at that a zygote was made of, at most.
const lookEvery = 100 * time.Millisecond

// look notes how the files are that a zygote is made of.
func (s *Supervisor) look() { s.seen, s.nextLook = s.state(), time.Now().Add(lookEvery) }

// loaded notes what a zygote has mapped. It may have the old one of what has changed
// since it began, which remains a change.
func (s *Supervisor) loaded(mapped []string) {
	same := s.state() == s.seen
	s.mapped = mapped
	s.look()
	if !same {
		s.seen = ""
	}
}

// changed reports whether they are others than they were.
func (s *Supervisor) changed() bool {
	if time.Now().Before(s.nextLook) {
		return false
	}
	was := s.seen
	s.look()
	return s.seen != was
}

// state is what a change of any of the files changes: that of a directory is that of
// all files in it.
func (s *Supervisor) state() string {
	var b strings.Builder
	for _, list := range [][]string{{s.Path}, s.Watch, s.mapped} {
		for _, path := range list {
			st := note(&b, path)
			if st.Mode&unix.S_IFMT != unix.S_IFDIR {
				continue
			}
			entries, _ := os.ReadDir(path) // what cannot be read is empty
			for _, e := range entries {
				note(&b, filepath.Join(path, e.Name()))
			}
		}
	}
	return b.String()
}

// note adds what is to be compared of a file. Nobody sets the time of its last change
// back, as an installation that keeps files' dates does with that of its contents.
func note(b *strings.Builder, path string) (st unix.Stat_t) {
	if unix.Stat(path, &st) != nil {
		st = unix.Stat_t{}
	}
	var seen [40]byte
	for i, v := range []int64{int64(st.Dev), int64(st.Ino), int64(st.Ctim.Sec), int64(st.Ctim.Nsec), st.Size} {
		binary.NativeEndian.PutUint64(seen[8*i:], uint64(v))
	}
	b.Write(seen[:])
	return st
}
