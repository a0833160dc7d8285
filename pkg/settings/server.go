package settings

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// ServerFile is read where no other file is named. It may be absent. The files
// *.toml in the directory ServerFile.d are read after it.
const ServerFile = "/etc/rexecd.toml"

// mostSessions is more than a host has processes for.
const mostSessions = 100_000

// Server is the settings of rexecd.toml(5).
type Server struct {
	Grace               time.Duration // from the start to the command
	RefusalDelay        time.Duration // how long a refused login takes
	PermitRoot          bool
	PermitEmptyPassword bool
	FoldUser            bool   // a name that nobody has is tried in lower case
	DomainUser          string // and in this form, where %u stands for it; empty: not
	Sessions            int    // at once; 0: any number
	SessionsPerUser     int
	Exit                string         // a program that is asked about each command; empty: none
	ExitUser            string         // as whom it runs
	Trace               []netip.Prefix // peers whose every step goes to the log
	LogCommand          bool
	LoginShell          bool
	Stderr              Stderr
	Proxy               Proxy
	KeepAlive           KeepAlive
	OnDisconnect        OnDisconnect
	CloseOnExit         bool
	KeepCapabilities    uint64 // bit n for capability n, or AllCapabilities
	TLS                 TLS
	Guest               Guest
	Rsh                 Rsh
	Penalties           Penalties
	Rules               []Rule // in order
	Tests               []Test // of the rules
}

// Stderr rules the connections for standard error.
type Stderr struct {
	Allow   bool
	MinPort int  // the lowest that the client may name
	OwnHost bool // connect to this host's own addresses, whoever listens there
}

// Proxy rules what comes from balancers that send a PROXY header.
type Proxy struct {
	From   []netip.Prefix // where each connection has one
	Stderr ProxyStderr
}

// ProxyStderr is what becomes of a stderr connection to a client behind a proxy.
type ProxyStderr string

// The values of ProxyStderr.
const (
	ProxyStderrClient ProxyStderr = "client" // it is made to the client itself
	ProxyStderrNo     ProxyStderr = "no"
)

// KeepAlive rules TCP keepalive.
type KeepAlive struct {
	Enabled bool
	Idle    time.Duration // before the first probe; 0: the kernel's own
}

// Rsh holds the table [rsh], of in.rshd.
type Rsh struct {
	Trust bool // host-based logins
}

func (r *Rsh) keys() table { return table{{name: "trust", value: boolValue{&r.Trust}}} }

// OnDisconnect is what becomes of a command whose client has gone.
type OnDisconnect string

// The values of OnDisconnect.
const (
	Continue OnDisconnect = "continue"
	Hangup   OnDisconnect = "hangup"
)

// DefaultServer returns the settings of an empty file.
func DefaultServer() *Server {
	return &Server{
		Grace:            time.Minute,
		RefusalDelay:     2 * time.Second,
		Stderr:           Stderr{Allow: true, MinPort: 1024},
		Proxy:            Proxy{Stderr: ProxyStderrClient},
		KeepAlive:        KeepAlive{Enabled: true, Idle: 20 * time.Second},
		OnDisconnect:     Continue,
		KeepCapabilities: AllCapabilities,
		ExitUser:         "nobody",
		TLS:              defaultTLS(),
		Guest:            defaultGuest(),
		Penalties:        defaultPenalties(),
	}
}

// keys binds the names in the file to the fields.
func (s *Server) keys() table {
	return table{
		{name: "grace", value: timeValue{&s.Grace, time.Second, time.Hour}},
		{name: "refusal_delay", value: timeValue{&s.RefusalDelay, 500 * time.Millisecond, time.Minute}},
		{name: "permit_root", value: boolValue{&s.PermitRoot}},
		{name: "permit_empty_password", value: boolValue{&s.PermitEmptyPassword}},
		{name: "fold_user", value: boolValue{&s.FoldUser}},
		{name: "domain_user", value: domainValue{&s.DomainUser}},
		{name: "sessions", value: numberValue{&s.Sessions, "a number of sessions", 0, mostSessions}},
		{name: "sessions_per_user", value: numberValue{&s.SessionsPerUser, "a number of sessions", 0, mostSessions}},
		{name: "exit", value: programValue{&s.Exit}},
		{name: "exit_user", value: userValue{&s.ExitUser}},
		{name: "trace", value: networksValue{&s.Trace}},
		{name: "log_command", value: boolValue{&s.LogCommand}},
		{name: "login_shell", value: boolValue{&s.LoginShell}},
		{name: "stderr", value: yesNoValue{&s.Stderr.Allow}},
		{name: "stderr_min_port", value: numberValue{&s.Stderr.MinPort, "a port number", 1, 65535}},
		{name: "stderr_own_host", value: boolValue{&s.Stderr.OwnHost}},
		{name: "proxy_from", value: networksValue{&s.Proxy.From}},
		{name: "proxy_stderr", value: choice(&s.Proxy.Stderr, ProxyStderrClient, ProxyStderrNo)},
		{name: "keepalive", value: keepAliveValue{&s.KeepAlive}},
		{name: "on_disconnect", value: choice(&s.OnDisconnect, Continue, Hangup)},
		{name: "close_on_exit", value: boolValue{&s.CloseOnExit}},
		{name: "keep_capabilities", value: capabilitiesValue{&s.KeepCapabilities}},
		{name: "tls", table: s.TLS.keys()},
		{name: "guest", table: s.Guest.keys()},
		{name: "penalties", table: s.Penalties.keys()},
		{name: "rsh", table: s.Rsh.keys()},
		{name: "rule", list: tablesOf[Rule]{&s.Rules, (*Rule).keys}},
		{name: "test", list: tablesOf[Test]{&s.Tests, (*Test).keys}},
	}
}

// ReadServer returns the settings in force: those of the named file alone, or
// with "" those of ServerFile and its drop-in files. Its errors name the file,
// and what is wrong in one as file:line:column.
func ReadServer(file string) (*Server, Sources, error) {
	if file != "" {
		return readServer(file, "")
	}
	return readServer(ServerFile, ServerFile+".d")
}

// readServer reads a file, and the drop-in files of a directory; without a
// directory the file must exist.
func readServer(file, dir string) (*Server, Sources, error) {
	s, from := DefaultServer(), Sources{}
	if err := from.read(file, s.keys); err != nil && (dir == "" || !errors.Is(err, fs.ErrNotExist)) {
		return nil, from, err
	}
	if dir != "" {
		if err := from.readDropIns(dir, s.keys); err != nil {
			return nil, from, err
		}
	}
	for _, check := range []func(Sources) error{s.Guest.check, s.Penalties.check} {
		if err := check(from); err != nil {
			return nil, from, err
		}
	}
	return s, from, nil
}

// readDropIns reads the files *.toml of a directory, which may be absent, in
// the order of their names.
func (s *Sources) readDropIns(dir string, keys func() table) error {
	names, err := readDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	s.dir = dir
	for _, name := range names {
		if !strings.HasSuffix(name, ".toml") || name[0] == '.' {
			continue
		}
		if err := s.read(dir+"/"+name, keys); err != nil {
			return err
		}
	}
	return nil
}

// Effective lists every setting with its value and where that is from.
func (s *Server) Effective(from Sources) []Setting { return from.effective(s.keys(), "") }

// A yesNoValue is a switch that is written in words.
type yesNoValue struct{ field *bool }

func (v yesNoValue) set(n *unstable.Node) *unstable.Node {
	word := string(n.Data)
	if n.Kind != unstable.String || word != "yes" && word != "no" {
		return n
	}
	*v.field = word == "yes"
	return nil
}

func (yesNoValue) allowed() string { return `"yes" or "no"` }

func (v yesNoValue) String() string {
	if *v.field {
		return `"yes"`
	}
	return `"no"`
}

// A keepAliveValue is a switch, or the time before the first probe.
type keepAliveValue struct{ field *KeepAlive }

func (v keepAliveValue) set(n *unstable.Node) *unstable.Node {
	if n.Kind == unstable.Bool {
		*v.field = KeepAlive{Enabled: isTrue(n)}
		return nil
	}
	k := KeepAlive{Enabled: true}
	if wrong := v.idle(&k).set(n); wrong != nil || k.Idle%time.Second != 0 {
		return n
	}
	*v.field = k
	return nil
}

// idle binds the time. The kernel takes whole seconds.
func (keepAliveValue) idle(k *KeepAlive) timeValue {
	return timeValue{&k.Idle, time.Second, 2 * time.Hour}
}

func (v keepAliveValue) allowed() string {
	return "true, false or " + v.idle(v.field).allowed() + ", in whole seconds"
}

func (v keepAliveValue) String() string {
	if v.field.Idle > 0 {
		return v.idle(v.field).String()
	}
	return boolValue{&v.field.Enabled}.String()
}
