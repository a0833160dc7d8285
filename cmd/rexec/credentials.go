package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"

	"rexecd/pkg/settings"
)

// credentials are who to be on the host.
type credentials struct {
	user, password string
	hasUser        bool
	hasPassword    bool // it may be empty

	userFrom, passwordFrom string // for the trace
}

func (c *credentials) complete() bool { return c.hasUser && c.hasPassword }

// add takes what is still missing from a source that has it. A password is
// taken only together with the name it belongs to, or if it has none.
func (c *credentials) add(source credentials, name string) {
	if !c.hasUser && source.hasUser {
		c.user, c.hasUser, c.userFrom = source.user, true, name
	}
	sameUser := !source.hasUser || source.user == c.user
	if !c.hasPassword && source.hasPassword && sameUser {
		c.password, c.hasPassword, c.passwordFrom = source.password, true, name
	}
}

// findCredentials asks the sources in order: the command line, the
// environment, .netrc, the person at the terminal.
func findCredentials(o *options, set *settings.Client) (credentials, error) {
	var who credentials
	given, err := fromCommandLine(o, set)
	if err != nil {
		return who, err
	}
	who.add(given, "the command line")
	if !o.promptOnly {
		who.add(fromEnvironment(set, os.LookupEnv), "the environment")
		if !who.complete() && set.Netrc {
			entry, err := fromNetrc(o.host, who)
			if err != nil {
				return who, err
			}
			who.add(entry, ".netrc")
		}
	}
	if !who.hasPassword {
		return fromTerminal(o, who)
	}
	if !who.hasUser {
		who.add(credentials{user: localUser(), hasUser: true}, "the local user")
	}
	return who, nil
}

func fromCommandLine(o *options, set *settings.Client) (credentials, error) {
	given := credentials{user: o.user, hasUser: o.hasUser, password: o.password, hasPassword: o.hasPassword}
	switch {
	case o.hasPassword && !set.CommandLinePassword:
		return given, fmt.Errorf("-p: %s does not allow passwords on the command line", o.settingsFile)
	case o.passwordStdin:
		line, err := readLine(os.Stdin)
		if err != nil {
			return given, fmt.Errorf("read password from standard input: %w", err)
		}
		given.password, given.hasPassword = line, true
	case o.passwordFile != "":
		line, err := passwordFrom(o.passwordFile)
		if err != nil {
			return given, err
		}
		given.password, given.hasPassword = line, true
	}
	return given, nil
}

func passwordFrom(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := checkPrivate(f, path); err != nil {
		return "", err
	}
	line, err := readLine(f)
	if err != nil {
		return "", fmt.Errorf("read password from %s: %w", path, err)
	}
	return line, nil
}

// fromEnvironment knows REXEC_USER and REXEC_PASS, and if the settings ask for
// it OS/2's USERID and PASSWORD.
func fromEnvironment(set *settings.Client, lookup func(string) (string, bool)) credentials {
	variables := func(user, password string) credentials {
		var c credentials
		c.user, _ = lookup(user)
		c.hasUser = c.user != ""
		c.password, c.hasPassword = lookup(password) // which may be empty
		return c
	}
	found := variables("REXEC_USER", "REXEC_PASS")
	if set.OS2Variables {
		found.add(variables("USERID", "PASSWORD"), "")
	}
	return found
}

// otherSources are where a password may come from besides the terminal: with -n,
// from the command line alone.
func (o *options) otherSources() string {
	if o.promptOnly {
		return "--password-file, or leave out -n, which ignores REXEC_PASS and .netrc"
	}
	return "REXEC_PASS, .netrc or --password-file"
}

// fromTerminal asks for the password, and for the name if none is known.
func fromTerminal(o *options, who credentials) (credentials, error) {
	name := who.user
	if !who.hasUser {
		name = localUser()
	}
	if o.batch {
		return who, fmt.Errorf("no password for %s at %s, and -B forbids asking: use %s", name, o.host, o.otherSources())
	}
	tty, err := openTerminal()
	if err != nil {
		return who, fmt.Errorf("no password for %s at %s, and no terminal to ask on: use %s", name, o.host, o.otherSources())
	}
	defer tty.close()
	if !who.hasUser {
		answer, err := tty.ask(fmt.Sprintf("Name (%s:%s): ", o.host, name))
		if err != nil {
			return who, err
		}
		if answer != "" {
			name = answer
		}
	}
	password, err := tty.askSecret(fmt.Sprintf("Password (%s:%s): ", o.host, name))
	if err != nil {
		return who, err
	}
	who.add(credentials{user: name, hasUser: true, password: password, hasPassword: true}, "the terminal")
	return who, nil
}

// localUser is the name of whoever runs rexec.
func localUser() string {
	if me, err := user.Current(); err == nil {
		_, name, found := strings.Cut(me.Username, `\`) // Windows: DOMAIN\name
		if found {
			return name
		}
		return me.Username
	}
	return os.Getenv("USER")
}

var errEmpty = errors.New("it is empty")

// readLine reads one line and not a byte of the next, which may be the
// command's input.
func readLine(r io.Reader) (string, error) {
	var line []byte
	var b [1]byte
	for {
		n, err := r.Read(b[:])
		if n == 1 {
			if b[0] == '\n' {
				break
			}
			line = append(line, b[0])
		}
		if err == io.EOF && len(line) > 0 {
			break
		}
		if err == io.EOF {
			return "", errEmpty
		}
		if err != nil {
			return "", err
		}
		if len(line) > 4096 {
			return "", errors.New("its first line is too long for a password")
		}
	}
	return strings.TrimSuffix(string(line), "\r"), nil
}
