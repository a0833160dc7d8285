package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// superviseInForeground is -debug: it listens, and starts this program once for
// each connection just as a super-server would, with the connection as
// descriptors 0 and 1. It parses nothing and serves nothing itself.
func superviseInForeground(o options) error {
	addr := o.listen
	if addr == "" {
		addr = "127.0.0.1:512"
		if os.Geteuid() != 0 {
			addr = "127.0.0.1:5120"
		}
	}
	if _, err := o.server(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		hint := ""
		switch {
		case errors.Is(err, syscall.EACCES):
			hint = ": ports under 1024 need the capability cap_net_bind_service; choose another with -listen"
		case errors.Is(err, syscall.EADDRINUSE):
			hint = ": something listens there already (in.rexecd -check says what)"
		}
		return fmt.Errorf("listen on %s: %w%s", addr, err, hint)
	}
	defer l.Close()
	fmt.Fprintf(os.Stderr, "in.rexecd %s: listening on %v; Ctrl-C ends it\n", version, l.Addr())
	for _, line := range missingCapabilities() {
		fmt.Fprintln(os.Stderr, "in.rexecd:", line)
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return fmt.Errorf("accept on %s: %w", addr, err)
		}
		if err := startHandler(conn.(*net.TCPConn), os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, "in.rexecd:", err)
		}
		conn.Close()
	}
}

// startHandler starts the process for one connection. Should the system have no
// room for it, the peer is left to see its connection end.
func startHandler(conn *net.TCPConn, stderr *os.File) error {
	f, err := conn.File()
	if err != nil {
		return fmt.Errorf("take descriptor of connection: %w", err)
	}
	defer f.Close()
	p, err := os.StartProcess("/proc/self/exe", handlerArgs(os.Args), &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{f, f, stderr},
	})
	if err != nil {
		return fmt.Errorf("start process for connection from %v: %w", conn.RemoteAddr(), err)
	}
	go p.Wait()
	return nil
}

// handlerArgs are this process's arguments without -listen.
func handlerArgs(args []string) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		name := strings.TrimPrefix(strings.TrimPrefix(args[i], "-"), "-")
		switch {
		case i > 0 && name == "listen":
			i++
		case i > 0 && strings.HasPrefix(name, "listen="):
		default:
			kept = append(kept, args[i])
		}
	}
	return kept
}

// A capability is one that the server uses, and what fails without it.
type capability struct {
	bit     uint
	name    string
	without string
}

var capabilities = []capability{
	{6, "cap_setgid", "nobody but the user who started it can be served"},
	{7, "cap_setuid", "nobody but the user who started it can be served"},
	{2, "cap_dac_read_search", "pam_unix cannot read /etc/shadow by itself"},
	{24, "cap_sys_resource", "pam_limits cannot raise limits"},
	{29, "cap_audit_write", "PAM cannot write audit records"},
	{30, "cap_audit_control", "pam_loginuid cannot set the login uid"},
	{5, "cap_kill", "a command is not told when this server is stopped"},
}

// missingCapabilities says which capabilities this process lacks, and what follows.
func missingCapabilities() []string {
	effective, err := effectiveCapabilities()
	if err != nil {
		return []string{err.Error()}
	}
	var missing []string
	for _, c := range capabilities {
		if effective&(1<<c.bit) == 0 {
			missing = append(missing, fmt.Sprintf("capability %s is missing: %s", c.name, c.without))
		}
	}
	if os.Geteuid() != 0 {
		missing = append(missing, fmt.Sprintf("without root, only the invoking user (uid %d) is served, with no PAM session; start it as root to serve everybody", os.Geteuid()))
	}
	return missing
}

func effectiveCapabilities() (uint64, error) {
	text, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		var set uint64
		if n, _ := fmt.Sscanf(line, "CapEff:\t%x", &set); n == 1 {
			return set, nil
		}
	}
	return 0, fmt.Errorf("read capabilities: %w", io.ErrUnexpectedEOF)
}
