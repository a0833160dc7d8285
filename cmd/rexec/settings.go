package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// settingsFile is the administrator's word for all users of the machine. No
// variable and no option leads past it.
const settingsFile = "/etc/rexec.toml"

// settings are described in rexec.toml(5).
type settings struct {
	Netrc               bool   `toml:"netrc"`
	CommandLinePassword bool   `toml:"command_line_password"`
	OS2Variables        bool   `toml:"os2_variables"`
	ConnectTimeout      string `toml:"connect_timeout"`
	Timeout             string `toml:"timeout"`
	Stderr              string `toml:"stderr"`
	StderrPorts         string `toml:"stderr_ports"`
	StderrTimeout       string `toml:"stderr_timeout"`

	file string
	meta toml.MetaData
	text string
}

// loadSettings reads the file. One that is missing leaves the defaults; one
// that is wrong stops rexec, because what it was to forbid is not known.
func loadSettings(path string) (*settings, error) {
	s := &settings{Netrc: true, CommandLinePassword: true, file: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.text = string(text)
	s.meta, err = toml.Decode(s.text, s)
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return nil, fmt.Errorf("%s:%d: %s", path, parse.Position.Line, parse.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, key := range s.meta.Undecoded() {
		return nil, fmt.Errorf("%s:%d: no such setting: %s (there are netrc, command_line_password, os2_variables, connect_timeout, timeout, stderr, stderr_ports, stderr_timeout)", path, s.line(key[0]), key)
	}
	return s, s.check()
}

// check finds values that would fail when they are needed.
func (s *settings) check() error { return s.apply(&options{}) }

// apply completes options that were not given.
func (s *settings) apply(o *options) error {
	if err := s.applyTime("connect_timeout", s.ConnectTimeout, &o.connectTimeout); err != nil {
		return err
	}
	if err := s.applyTime("timeout", s.Timeout, &o.timeout); err != nil {
		return err
	}
	if err := s.applyTime("stderr_timeout", s.StderrTimeout, &o.stderrTimeout); err != nil {
		return err
	}
	if s.meta.IsDefined("stderr") && !o.hasStderr {
		if err := o.setStderr(s.Stderr); err != nil {
			return s.wrong("stderr", err)
		}
	}
	if s.meta.IsDefined("stderr_ports") && o.stderrPorts.First == 0 {
		ports, err := parsePorts(s.StderrPorts)
		if err != nil {
			return s.wrong("stderr_ports", err)
		}
		o.stderrPorts = ports
	}
	return nil
}

func (s *settings) applyTime(key, value string, to *time.Duration) error {
	if !s.meta.IsDefined(key) {
		return nil
	}
	d, err := parseTime(value)
	if err != nil {
		return s.wrong(key, err)
	}
	if *to == 0 {
		*to = d
	}
	return nil
}

func (s *settings) wrong(key string, err error) error {
	return fmt.Errorf("%s:%d: %s: %w", s.file, s.line(key), key, err)
}

// line finds the line of a top-level key, or of the table of that name.
func (s *settings) line(key string) int {
	number := 0
	for line := range strings.Lines(s.text) {
		number++
		line = strings.TrimLeft(line, " \t[\"'")
		rest, found := strings.CutPrefix(line, key)
		if found && (rest == "" || !isNameByte(rest[0])) {
			return number
		}
	}
	return 1
}

func isNameByte(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
