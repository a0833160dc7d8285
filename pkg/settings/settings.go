// Package settings reads the files of rexecd.toml(5) and rexec.toml(5): one
// grammar and one form of error for both. It needs no PAM and no cgo, so that
// the server, its administration and the client share it.
//
// A file decodes into a struct that has the defaults beforehand. Each struct
// has one method, keys, that binds the names in the file to its fields; a new
// setting is a field, its default, and a line there.
//
// The parser is go-toml's, without its decoder: that one brings encoding/json
// and reflection into a process that is started for every connection, and
// matches keys without regard to case.
package settings

import (
	"bytes"
	"fmt"
	"strconv"
)

// An Origin is the place in a file where a setting was given. The zero Origin
// stands for a default.
type Origin struct {
	File         string
	Line, Column int
}

func (o Origin) String() string {
	if o.File == "" {
		return "default"
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// Sources are where the values of a struct came from.
type Sources struct {
	Files   []string // those that were read, in order
	dir     string   // of the drop-in files, if there is one
	origins map[string]Origin
}

// Place returns where a key of the list's element was given, counted from 0, or
// where the element begins.
func (s Sources) Place(list string, element int, key string) Origin {
	path := list + "[" + strconv.Itoa(element+1) + "]"
	if o, ok := s.origins[path+"."+key]; ok {
		return o
	}
	return s.origins[path]
}

// read reads one file into a table, which is not made for a file of comments alone,
// as shipped: every connection's process would pay for it. It returns an
// fs.ErrNotExist for a file that is not there.
func (s *Sources) read(file string, keys func() table) error {
	text, err := readFile(file)
	if err != nil {
		return err
	}
	s.Files = append(s.Files, file)
	if !setsAnything(text) {
		return nil
	}
	return s.decode(file, text, keys())
}

// decode applies the text of a file to a table.
func (s *Sources) decode(file string, text []byte, t table) error {
	if s.origins == nil {
		s.origins = map[string]Origin{}
	}
	text = trimMark(text)
	text = text[:len(text):len(text)] // the parser finds positions by capacity
	d := decoder{file: file, text: text, root: t, origins: s.origins, seen: map[string]definition{}}
	return d.decode()
}

// trimMark takes away what Windows' editors begin a file with.
func trimMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }

// setsAnything reports whether a text has a line that is not a comment.
func setsAnything(text []byte) bool {
	for line := range bytes.Lines(trimMark(text)) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return true
		}
	}
	return false
}
