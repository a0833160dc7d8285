package rexecd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func rootToo(c *Config) { c.PermitRoot = true }

func TestRefusalsAreSaidOnceAndLoggedOnce(t *testing.T) {
	user := me(t)
	deny := "auth required pam_deny.so\naccount required pam_permit.so\n"
	debug := func(options string) string {
		return "auth required pam_permit.so\naccount required pam_debug.so " + options + "\nsession required pam_debug.so " + options + "\n"
	}
	dir := t.TempDir()
	notice := filepath.Join(dir, "notice")
	if err := os.WriteFile(notice, []byte("\nClosed until noon.\nsecond line\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	closed := regexp.MustCompile(`:\d+$`).ReplaceAllString(closedPort(t), "")
	for _, tt := range []struct {
		name, stack, sent string
		set               func(*Config)
		root              bool // opens a session
		want              string
		log               string // regular expression of the one line
	}{
		{name: "a wrong password", stack: deny, sent: "\x00" + user + "\x00secret\x00id\x00", set: rootToo,
			want: "\x01Login incorrect.\n", log: `^Failed password for ` + user + ` FROM: pam_authenticate: .*`},
		{name: "an unknown user", stack: deny, sent: "\x00nosuch\x00secret\x00id\x00",
			want: "\x01Login incorrect.\n", log: `^Failed password for invalid user nosuch FROM: pam_authenticate: .*`},
		{name: "an unknown user whom PAM lets in", stack: permit, sent: "\x00nosuch\x00secret\x00id\x00",
			want: "\x01Login incorrect.\n", log: `^Refused nosuch FROM: no such user; answered as a failed login$`},
		{name: "root", stack: permit, sent: "\x00root\x00secret\x00id\x00",
			want: "\x01Login incorrect.\n", log: `^Failed password for root FROM: root is not permitted$`},
		{name: "an empty password", stack: permit, sent: "\x00" + user + "\x00\x00id\x00", set: rootToo,
			want: "\x01Login incorrect.\n", log: `FROM: empty passwords are not permitted$`},
		{name: "an empty name", stack: permit, sent: "\x00\x00secret\x00id\x00",
			want: "\x01Login incorrect.\n", log: `^Failed password for invalid user "" FROM: no account can have this name$`},
		{name: "a name like an option", stack: permit, sent: "\x00-rroot\x00secret\x00id\x00",
			want: "\x01Login incorrect.\n", log: `^Failed password for invalid user "-rroot" FROM: no account can have this name$`},
		{name: "a name like a log line", stack: permit, sent: "\x00a\nAccepted password for root\x00secret\x00id\x00",
			want: "\x01Login incorrect.\n", log: `^Failed password for invalid user "a\\nAccepted password for root" FROM: no account can have this name$`},
		{name: "a closed account", stack: "auth required pam_permit.so\naccount required pam_deny.so\n", sent: "\x00" + user + "\x00secret\x00id\x00", set: rootToo,
			want: "\x01Login incorrect.\n", log: `^Refused ` + user + ` FROM: pam_acct_mgmt: .*; answered as a failed login$`},
		{name: "an expired account", stack: debug("acct=acct_expired"), sent: "\x00" + user + "\x00secret\x00id\x00", set: rootToo,
			want: "\x01Account expired.\n", log: `^Refused ` + user + ` FROM: pam_acct_mgmt: .*`},
		{name: "an expired password", stack: debug("acct=new_authtok_reqd"), sent: "\x00" + user + "\x00secret\x00id\x00", set: rootToo,
			want: "\x01Password expired.\n", log: `^Refused ` + user + ` FROM: pam_acct_mgmt: .*`},
		{name: "a notice", stack: "auth required pam_permit.so\naccount optional pam_echo.so file=" + notice + "\naccount required pam_deny.so\n", sent: "\x00" + user + "\x00secret\x00id\x00", set: rootToo,
			want: "\x01Closed until noon.\n", log: `^Refused ` + user + ` FROM: pam_acct_mgmt: .*Closed until noon.*`},
		{name: "no session", root: true, stack: "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_deny.so\n", sent: "\x00" + user + "\x00secret\x00id\x00", set: rootToo,
			want: "\x01Try again.\n", log: `^Refused ` + user + ` FROM: pam_open_session: .*`},
		{name: "no session, and a module says so", root: true, stack: debug("open_session=session_err"), sent: "\x00" + user + "\x00secret\x00id\x00", set: rootToo,
			want: "\x01open_session=session_err\n", log: `^Refused ` + user + ` FROM: pam_open_session: .*`},
		{name: "no credentials", root: true, stack: "auth required pam_permit.so\nauth required pam_debug.so cred=cred_err\naccount required pam_permit.so\nsession required pam_permit.so\n",
			sent: "\x00" + user + "\x00secret\x00id\x00", set: rootToo, want: "\x01cred=cred_err\n", log: `^Refused ` + user + ` FROM: pam_setcred: .*`},
		{name: "no PAM", stack: permit, sent: "\x00" + user + "\x00secret\x00id\x00",
			set:  func(c *Config) { c.PAM.ConfDir = filepath.Join(dir, "absent") },
			want: "\x01Try again.\n", log: `^Internal error FROM: pam_start: .*`},
		{name: "a PROXY header", stack: permit, sent: "PROXY TCP4 192.0.2.7 192.0.2.1 40112 512\r\n0\x00",
			want: "\x01stderr port is not a number from 0 to 65535\n", log: `^Protocol error FROM: PROXY protocol header, which is not expected here$`},
		{name: "a port that is not a number", stack: permit, sent: "Give me a shell\r\n",
			want: "\x01stderr port is not a number from 0 to 65535\n", log: `^Protocol error FROM: stderr port is not a number from 0 to 65535: "G"$`},
		{name: "a low port", stack: permit, sent: "25\x00", want: "\x01stderr port 25 is not permitted\n", log: `^Protocol error FROM: stderr port 25 is below stderr_min_port 1024$`},
		{name: "a port where none is permitted", stack: permit, sent: "2000\x00", set: func(c *Config) { c.Stderr.Allow = false },
			want: "\x01stderr connections are not permitted here\n", log: `^Protocol error FROM: stderr port 2000 asked for; the setting stderr is no$`},
		{name: "a port that nobody listens on", stack: permit, sent: closed + "\x00",
			want: "\x01cannot connect to stderr port " + closed + ": Connection refused\n", log: `^Protocol error FROM: stderr port ` + closed + `: connect: connection refused$`},
		{name: "a long name", stack: permit, sent: "\x00" + strings.Repeat("u", 257), want: "\x01username too long\n", log: `^Protocol error FROM: username too long$`},
		{name: "a long password", stack: permit, sent: "\x00u\x00" + strings.Repeat("p", 512), want: "\x01password too long\n", log: `^Protocol error FROM: password too long$`},
		{name: "a long command", stack: permit, sent: "\x00u\x00p\x00" + strings.Repeat("c", 131072), want: "\x01command too long\n", log: `^Protocol error FROM: command too long$`},
		{name: "nothing at all", stack: permit, sent: "", want: "", log: `^Protocol error FROM: read stderr port: connection closed after 0 bytes of it: unexpected EOF$`},
		{name: "a request cut short", stack: permit, sent: "\x00u\x00secr", want: "", log: `^Protocol error FROM: read password: connection closed after 4 bytes of it: unexpected EOF$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root {
				needRoot(t)
			}
			r := begin(t, tt.set, tt.stack)
			r.Write([]byte(tt.sent))
			r.CloseWrite()
			if got := all(r); got != tt.want {
				t.Errorf("the peer got %q; want %q", got, tt.want)
			}
			if status := r.status(t); status != 0 {
				t.Errorf("exit status %d; want 0", status)
			}
			if lines := r.lines(t); len(lines) != 1 || !regexp.MustCompile(tt.log).MatchString(lines[0]) {
				t.Errorf("log:\n%s\nwant one line, %s", strings.Join(lines, "\n"), tt.log)
			}
			if text, _ := os.ReadFile(r.log); strings.Contains(string(text), "secret") {
				t.Errorf("the password is in the log")
			}
		})
	}
}

// closedPort is a port of loopback that is bound and not listening, as "port:fd".
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	return port + ":0"
}

func TestSessionFromTheFirstByteToTheLast(t *testing.T) {
	for _, separate := range []bool{false, true} {
		t.Run(fmt.Sprintf("separate stderr %v", separate), func(t *testing.T) {
			r := begin(t, func(c *Config) { c.PermitRoot, c.LogCommand = true, separate }, permit)
			port, stderr := "", ""
			if separate {
				l, err := net.Listen("tcp4", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				_, port, _ = net.SplitHostPort(l.Addr().String())
				// The server connects before it is told the user's name.
				r.Write([]byte(port + "\x00"))
				l.(*net.TCPListener).SetDeadline(time.Now().Add(wait))
				c, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				done := make(chan string)
				go func() { done <- all(c) }()
				r.Write([]byte(me(t) + "\x00x\x00cat; echo err >&2; exit 3\x00input"))
				r.CloseWrite()
				stderr = "err\n"
				if got := all(r); got != "\x00input" {
					t.Errorf("the primary got %q", got)
				}
				if got := <-done; got != stderr {
					t.Errorf("the stderr connection got %q", got)
				}
			} else {
				r.Write([]byte("\x00" + me(t) + "\x00x\x00cat; echo err >&2; exit 3\x00input"))
				r.CloseWrite()
				if got := all(r); got != "\x00inputerr\n" {
					t.Errorf("the primary got %q", got)
				}
			}
			if status := r.status(t); status != 0 {
				t.Errorf("exit status %d; want 0", status)
			}
			lines := r.lines(t)
			command := ""
			if separate {
				command = `: command "cat; echo err >&2; exit 3"`
			}
			if len(lines) != 2 || lines[0] != "Accepted password for "+me(t)+" FROM"+command ||
				!regexp.MustCompile(`^Session closed for `+me(t)+` FROM: exit status 3 after \d+\.\ds, cpu \d+\.\ds, \d+ MB$`).MatchString(lines[1]) {
				t.Errorf("log:\n%s", strings.Join(lines, "\n"))
			}
		})
	}
}

func TestSignalBytesReachTheCommand(t *testing.T) {
	r := begin(t, rootToo, permit)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	r.ask(port, me(t), "x", "echo ready; exec sleep 1000")
	l.(*net.TCPListener).SetDeadline(time.Now().Add(wait))
	stderr, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	buf := make([]byte, 7)
	for n := 0; n < len(buf); {
		got, err := r.Read(buf[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += got
	}
	stderr.Write([]byte{0, 200, 15})
	if got := all(r); got != "" {
		t.Errorf("the primary got %q", got)
	}
	r.status(t)
	if lines := r.lines(t); len(lines) != 2 || !strings.Contains(lines[1], "killed by signal 15 (TERM)") {
		t.Errorf("log:\n%s", strings.Join(lines, "\n"))
	}
}

func TestGraceTimeEndsWhatHangs(t *testing.T) {
	script := filepath.Join(t.TempDir(), "hang")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n[ \"$PAM_TYPE\" != \"$1\" ] || exec sleep 20\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	hang := func(in string) string {
		line := " required pam_exec.so quiet " + script + " " + in + "\n"
		return "auth" + line + "auth required pam_permit.so\naccount" + line + "session" + line
	}
	for _, tt := range []struct {
		name, stack, sent string
		root              bool
		status            int
		want              string
		log               string
	}{
		{"a peer that says nothing", permit, "", false, 0, "", `^Protocol error FROM: grace time of 3s over: read stderr port: .*`},
		{"a peer that stops in the middle", permit, "\x00u\x00pass", false, 0, "", `^Protocol error FROM: grace time of 3s over: read password: .*`},
		{"a module of auth", hang("auth"), "request", false, 1, "", `^Protocol error FROM: grace time of 3s over in pam_authenticate$`},
		{"a module of account", hang("account"), "request", false, 1, "", `^Protocol error FROM: grace time of 3s over in pam_acct_mgmt$`},
		{"a module of session", hang("open_session"), "request", true, 1, "", `^Protocol error FROM: grace time of 3s over in pam_open_session$`},
		{"a module that closes", hang("close_session"), "request", true, 1, "\x00done\n", `Internal error FROM: pam_close_session has not returned within 3s$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.root {
				needRoot(t)
			}
			r := begin(t, func(c *Config) { c.PermitRoot, c.Grace = true, 3*time.Second }, tt.stack)
			if tt.sent == "request" {
				tt.sent = "\x00" + me(t) + "\x00x\x00echo done\x00"
			}
			r.Write([]byte(tt.sent))
			if got := all(r); got != tt.want {
				t.Errorf("the peer got %q; want %q", got, tt.want)
			}
			if status := r.status(t); status != tt.status {
				t.Errorf("exit status %d; want %d", status, tt.status)
			}
			if lines := r.lines(t); len(lines) == 0 || !regexp.MustCompile(tt.log).MatchString(lines[len(lines)-1]) {
				t.Errorf("log:\n%s\nwant, at its end, %s", strings.Join(lines, "\n"), tt.log)
			}
		})
	}
}

func TestCommandsEndCanCloseTheConnection(t *testing.T) {
	for _, tt := range []struct {
		onExit        OnExit
		command, want string
	}{
		{Leave, "(sleep 0.5; echo late) & echo first", "\x00first\nlate\n"},
		{Shutdown, "(sleep 15; echo late) & echo first", "\x00first\n"},
	} {
		r := begin(t, func(c *Config) { c.PermitRoot, c.OnExit = true, tt.onExit }, permit)
		r.ask("", me(t), "x", tt.command)
		if got := all(r); got != tt.want {
			t.Errorf("on exit %v: the peer got %q; want %q", tt.onExit, got, tt.want)
		}
		r.status(t)
	}
}

func TestLossOfThePeerHangsUpWhereItIsSetSo(t *testing.T) {
	r := begin(t, func(c *Config) { c.PermitRoot, c.OnDisconnect = true, Hangup }, permit)
	r.ask("", me(t), "x", "echo ready; exec sleep 1000")
	buf := make([]byte, 7)
	for n := 0; n < len(buf); {
		got, err := r.Read(buf[n:])
		if err != nil {
			t.Fatal(err)
		}
		n += got
	}
	r.SetLinger(0)
	r.Close()
	r.status(t)
	if text, _ := os.ReadFile(r.log); !strings.Contains(string(text), "killed by signal 1 (HUP)") {
		t.Errorf("log:\n%s", text)
	}
}
