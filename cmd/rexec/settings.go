package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// settingsFile is the administrator's word for all users of the machine. No
// environment variable and no option leads past it; only tests have another.
var settingsFile = "/etc/rexec.toml"

// settings are described in rexec.toml(5).
type settings struct {
	netrc               bool
	commandLinePassword bool
	os2Variables        bool
	defaults            options // of what the command line can say

	file, text string
}

// loadSettings reads the file. One that is missing leaves the defaults; one
// that is wrong stops rexec, because what it was to forbid is not known.
func loadSettings(path string) (*settings, error) {
	s := &settings{netrc: true, commandLinePassword: true, file: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.text = string(text)
	values := map[string]any{}
	meta, err := toml.Decode(s.text, &values)
	if parse, ok := errors.AsType[toml.ParseError](err); ok {
		return nil, fmt.Errorf("%s:%d: %s", path, parse.Position.Line, parse.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, key := range meta.Keys() {
		if err := s.set(key.String(), values[key[0]]); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, s.line(key[0]), err)
		}
	}
	return s, nil
}

// set takes one setting.
func (s *settings) set(key string, value any) error {
	switches := map[string]*bool{
		"netrc": &s.netrc, "command_line_password": &s.commandLinePassword, "os2_variables": &s.os2Variables,
	}
	times := map[string]*time.Duration{
		"connect_timeout": &s.defaults.connectTimeout, "timeout": &s.defaults.timeout, "stderr_timeout": &s.defaults.stderrTimeout,
	}
	texts := map[string]func(string) error{
		"stderr": s.defaults.setStderr,
		"stderr_ports": func(text string) (err error) {
			s.defaults.stderrPorts, err = parsePorts(text)
			return err
		},
	}
	var err error
	switch {
	case switches[key] != nil:
		on, ok := value.(bool)
		if !ok {
			return fmt.Errorf("%s: %v is neither true nor false", key, value)
		}
		*switches[key] = on
	case times[key] != nil:
		*times[key], err = parseTime(fmt.Sprint(value))
	case texts[key] != nil:
		err = texts[key](fmt.Sprint(value))
	default:
		return fmt.Errorf("no such setting: %s (there are netrc, command_line_password, os2_variables, connect_timeout, timeout, stderr, stderr_ports, stderr_timeout)", key)
	}
	return named(err, key)
}

// complete fills in what the command line did not say.
func (s *settings) complete(o *options) {
	o.connectTimeout = cmp.Or(o.connectTimeout, s.defaults.connectTimeout)
	o.timeout = cmp.Or(o.timeout, s.defaults.timeout)
	o.stderrTimeout = s.defaults.stderrTimeout
	o.stderrPorts = cmp.Or(o.stderrPorts, s.defaults.stderrPorts)
	if !o.hasStderr {
		o.stderr = s.defaults.stderr
	}
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
