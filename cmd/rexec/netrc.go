package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// The parser is our own. The library at hand, git-lfs/go-netrc, knows neither
// "passwd" nor quotes nor escapes, cannot distinguish an empty password from none,
// and takes a password that begins with # for a comment; all of these are in
// the files that BSD's and AIX' rexec read.

// A netrcEntry is what follows one "machine" or "default".
type netrcEntry struct {
	machine string
	isAny   bool // default
	credentials
}

// fromNetrc finds the entry for a host, and for the user if one is known.
func fromNetrc(host string, who credentials) (credentials, error) {
	path := os.Getenv("NETRC")
	explicit := path != ""
	if !explicit {
		home, err := os.UserHomeDir()
		if err != nil {
			return credentials{}, nil
		}
		name := ".netrc"
		if runtime.GOOS == "windows" {
			name = "_netrc"
		}
		path = filepath.Join(home, name)
	}
	f, err := os.Open(path)
	if err != nil {
		if !explicit && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) { // HOME=/dev/null
			return credentials{}, nil
		}
		return credentials{}, err
	}
	defer f.Close()
	if err := checkPrivate(f, path); err != nil {
		return credentials{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return credentials{}, fmt.Errorf("read %s: %w", path, err)
	}
	entries, err := parseNetrc(string(text))
	if err != nil {
		return credentials{}, fmt.Errorf("%s:%w", path, err)
	}
	return lookupNetrc(entries, host, who), nil
}

// lookupNetrc takes the first entry that fits; an entry without login fits
// every user.
func lookupNetrc(entries []netrcEntry, host string, who credentials) credentials {
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	for _, entry := range entries {
		if !entry.isAny && !strings.EqualFold(entry.machine, host) {
			continue
		}
		if who.hasUser && entry.hasUser && entry.user != who.user {
			continue
		}
		return entry.credentials
	}
	return credentials{}
}

// parseNetrc reads the grammar of ftp(1)'s ruserpass: words, between which is
// white space; a word may be in double quotes, and a backslash makes the next
// character an ordinary one. # where a keyword is due begins a comment. An
// unknown keyword is passed over, as everywhere. Errors begin with the line
// number and never contain words of the file.
func parseNetrc(text string) ([]netrcEntry, error) {
	var entries []netrcEntry
	var entry *netrcEntry // nil before the first machine
	words := netrcWords{rest: text, line: 1}
	for {
		keyword, ok, err := words.keyword()
		if err != nil || !ok {
			return entries, err
		}
		switch keyword {
		case "machine":
			name, err := words.value(keyword)
			if err != nil {
				return nil, err
			}
			entries = append(entries, netrcEntry{machine: name})
			entry = &entries[len(entries)-1]
		case "default":
			entries = append(entries, netrcEntry{isAny: true})
			entry = &entries[len(entries)-1]
		case "login", "password", "passwd", "account":
			value, err := words.value(keyword)
			if err != nil {
				return nil, err
			}
			if entry == nil {
				return nil, fmt.Errorf("%d: %s before any machine or default", words.line, keyword)
			}
			switch keyword {
			case "login":
				entry.user, entry.hasUser = value, true
			case "password", "passwd":
				entry.password, entry.hasPassword = value, true
			}
		case "macdef":
			if _, err := words.value(keyword); err != nil {
				return nil, err
			}
			words.skipMacro()
		}
	}
}

// netrcWords takes words off the front of rest.
type netrcWords struct {
	rest string
	line int
}

func isNetrcSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'
}

func (w *netrcWords) skipSpace() {
	for w.rest != "" && isNetrcSpace(w.rest[0]) {
		w.advance()
	}
}

func (w *netrcWords) advance() byte {
	c := w.rest[0]
	if c == '\n' {
		w.line++
	}
	w.rest = w.rest[1:]
	return c
}

// keyword is the next word where a keyword is due; not ok at the end.
func (w *netrcWords) keyword() (word string, ok bool, err error) {
	for {
		w.skipSpace()
		if w.rest == "" {
			return "", false, nil
		}
		if w.rest[0] != '#' {
			word, err := w.word()
			return word, err == nil, err
		}
		for w.rest != "" && w.rest[0] != '\n' {
			w.advance()
		}
	}
}

func (w *netrcWords) value(keyword string) (string, error) {
	w.skipSpace()
	if w.rest == "" {
		return "", fmt.Errorf("%d: %s needs a value", w.line, keyword)
	}
	return w.word()
}

// word reads a word that begins here.
func (w *netrcWords) word() (string, error) {
	var word strings.Builder
	begun := w.line
	quoted := w.rest[0] == '"'
	if quoted {
		w.advance()
	}
	for w.rest != "" {
		c := w.rest[0]
		switch {
		case quoted && c == '"':
			w.advance()
			return word.String(), nil
		case !quoted && isNetrcSpace(c):
			return word.String(), nil
		case c == '\\' && len(w.rest) > 1:
			w.advance()
		}
		word.WriteByte(w.advance())
	}
	if quoted {
		return "", fmt.Errorf("%d: a quoted word does not end", begun)
	}
	return word.String(), nil
}

// skipMacro passes over the rest of the name's line and a macro's body, which
// ends with an empty line.
func (w *netrcWords) skipMacro() {
	for lines := 0; w.rest != ""; lines++ {
		line, _, _ := strings.Cut(w.rest, "\n")
		for range min(len(line)+1, len(w.rest)) {
			w.advance()
		}
		if lines > 0 && strings.TrimSuffix(line, "\r") == "" {
			return
		}
	}
}
