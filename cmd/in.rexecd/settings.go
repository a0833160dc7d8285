package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"golang.org/x/sys/unix"

	"rexecd/pkg/rexecd"
)

// defaultConfig may be absent: then every setting has its default.
const defaultConfig = "/etc/rexecd.toml"

// service is the PAM service name: /etc/pam.d/rexec, as everywhere.
const service = "rexec"

// A setting is one key of rexecd.toml(5).
type setting struct {
	key     string
	allowed string // for the error
	set     func(s *rexecd.Config, value any) bool
}

var settings = []setting{
	{"grace", "a number of seconds from 1 to 3600", number(1, 3600, func(s *rexecd.Config, n int) { s.Grace = time.Duration(n) * time.Second })},
	{"permit_root", "true or false", boolean(func(s *rexecd.Config) *bool { return &s.PermitRoot })},
	{"permit_empty_password", "true or false", boolean(func(s *rexecd.Config) *bool { return &s.PermitEmptyPassword })},
	{"log_command", "true or false", boolean(func(s *rexecd.Config) *bool { return &s.LogCommand })},
	{"login_shell", "true or false", boolean(func(s *rexecd.Config) *bool { return &s.LoginShell })},
	{"stderr_min_port", "a port number from 1 to 65535", number(1, 65535, func(s *rexecd.Config, n int) { s.Stderr.MinPort = n })},
	{"stderr", `"yes" or "no"`, choice("yes", "no", func(s *rexecd.Config, yes bool) { s.Stderr.Allow = yes })},
	{"keepalive", "true or false", func(s *rexecd.Config, v any) bool {
		on, ok := v.(bool)
		s.KeepAlive.On = on
		return ok
	}},
	{"on_disconnect", `"continue" or "hangup"`, choice("continue", "hangup", func(s *rexecd.Config, yes bool) {
		s.OnDisconnect = rexecd.Hangup
		if yes {
			s.OnDisconnect = rexecd.Continue
		}
	})},
	{"close_on_exit", "true or false", func(s *rexecd.Config, v any) bool {
		shutdown, ok := v.(bool)
		s.OnExit = rexecd.Leave
		if shutdown {
			s.OnExit = rexecd.Shutdown
		}
		return ok
	}},
	{"keep_capabilities", `"all" or a list of capabilities, which are ` + strings.Join(capabilityNames[:], ", "), keepCapabilities},
}

func boolean(field func(*rexecd.Config) *bool) func(*rexecd.Config, any) bool {
	return func(s *rexecd.Config, v any) (ok bool) {
		*field(s), ok = v.(bool)
		return ok
	}
}

func number(least, most int64, set func(*rexecd.Config, int)) func(*rexecd.Config, any) bool {
	return func(s *rexecd.Config, v any) bool {
		n, ok := v.(int64)
		if ok = ok && least <= n && n <= most; ok {
			set(s, int(n))
		}
		return ok
	}
}

// choice is a setting of two words, the first the default.
func choice(first, second string, set func(c *rexecd.Config, first bool)) func(*rexecd.Config, any) bool {
	return func(c *rexecd.Config, v any) bool {
		set(c, v == first)
		return v == first || v == second
	}
}

// server makes a server of the settings file and the flags, which have the last word.
func (o options) server() (rexecd.Config, error) {
	s := rexecd.DefaultConfig()
	file := o.config
	if file == "" {
		file = defaultConfig
	}
	text, err := readSettings(file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.config == "":
	case err != nil:
		return s, err
	default:
		if err := apply(&s, string(text)); err != nil {
			return s, fmt.Errorf("%s:%w", file, err)
		}
	}
	if os.Geteuid() != 0 {
		s.Penalties = nil // there is nobody but the invoking user to guess, and /run is root's
	}
	if o.closeOnExit {
		s.OnExit = rexecd.Shutdown
	}
	if o.noKeepAlive {
		s.KeepAlive.On = false
	}
	return s, nil
}

// apply applies the text of a settings file. Its errors begin with the line.
func apply(s *rexecd.Config, text string) error {
	if !setsAnything(text) { // as shipped
		return nil
	}
	values := map[string]any{}
	if _, err := toml.Decode(text, &values); err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return fmt.Errorf("%d: %s", syntax.Position.Line, syntax.Message)
		}
		return fmt.Errorf("1: %w", err)
	}
	if err := applyPenalties(s, values, text); err != nil {
		return err
	}
	for _, known := range settings {
		value, ok := values[known.key]
		if ok && !known.set(s, value) {
			return fmt.Errorf("%d: %s = %s: must be %s", lineOf(text, known.key), known.key, known.wrong(value), known.allowed)
		}
		delete(values, known.key)
	}
	var unknown []string
	for key := range values {
		unknown = append(unknown, key)
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.SortFunc(unknown, func(a, b string) int { return lineOf(text, a) - lineOf(text, b) })
	var keys []string
	for _, known := range settings {
		keys = append(keys, known.key)
	}
	keys = append(keys, "[penalties]")
	return fmt.Errorf("%d: unknown setting %q: the settings are %s", lineOf(text, unknown[0]), unknown[0], strings.Join(keys, ", "))
}

// lineOf is the line that sets a key, or opens the table of that name; the decoder does not tell.
func lineOf(text, key string) int {
	n := 0
	for line := range strings.Lines(text) {
		n++
		name, _, _ := strings.Cut(strings.TrimLeft(line, " \t["), "=")
		name, _, _ = strings.Cut(name, "]")
		name, _, _ = strings.Cut(name, ".")
		if strings.Trim(name, " \t\r\n'\"") == key {
			return n
		}
	}
	return 1
}

// wrong is a refused value as it would stand in the file; of a list, the element that is refused.
func (known setting) wrong(v any) string {
	list, _ := v.([]any)
	for _, v := range list {
		if !known.set(&rexecd.Config{}, []any{v}) {
			return "[" + written(v) + "]"
		}
	}
	return written(v)
}

// written is a value as it would stand in the file.
func written(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case map[string]any:
		return "a table"
	}
	return fmt.Sprint(v)
}

// readSettings reads the file with plain system calls: os.ReadFile would set up
// Go's poller for it, eight system calls in every process.
func readSettings(file string) ([]byte, error) {
	fd, err := unix.Open(file, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: file, Err: err}
	}
	defer unix.Close(fd)
	var text []byte
	for buf := make([]byte, 4096); ; {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: file, Err: err}
		case n == 0:
			return text, nil
		default:
			text = append(text, buf[:n]...)
		}
	}
}

// setsAnything tells whether a settings file has a line that is not a comment.
func setsAnything(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			return true
		}
	}
	return false
}
