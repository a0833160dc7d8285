package policy

import (
	"net/netip"
	"strconv"
	"strings"

	"rexecd/pkg/policy/regex"
)

// compiled is a rule made ready. A rule without it cannot be asked: that panics,
// and lets nobody in.
type compiled struct {
	users    []pattern
	from, to []network

	certificates []pattern
	command      *regex.Program
	run          []string // its words
}

// Compile makes rules ready for Decide, in place. Its error is an *Error.
func Compile(list []Rule) (Rules, error) {
	names := map[string]int{}
	for i := range list {
		r := &list[i]
		if r.Name == "" {
			r.Name = strconv.Itoa(i + 1)
		}
		key, reason := r.compile()
		if first, taken := names[r.Name]; reason == "" && taken {
			key, reason = "name", "is that of rule "+strconv.Itoa(first+1)
		}
		if reason != "" {
			return nil, &Error{i, key, reason}
		}
		names[r.Name] = i
	}
	return list, nil
}

// compile returns the setting that is wrong and how, or two empty strings.
func (r *Rule) compile() (key, reason string) {
	r.compiled = &compiled{}
	if !validName(r.Name) {
		return "name", `must be letters, digits, ".", "_" and "-", at most 64 of them, and not "deny"`
	}
	for _, s := range r.Service {
		if s != "rexec" && s != "rsh" {
			return "service", `must be a list of "rexec" and "rsh"`
		}
	}
	for _, text := range r.User {
		p, ok := newPattern(text)
		if !ok {
			return "user", "has " + strconv.QuoteToASCII(text) +
				`: must be names with * and ?, or @group, each with ! to exclude it, and no space around it`
		}
		r.compiled.users = append(r.compiled.users, p)
	}
	for _, text := range r.Certificate {
		p, ok := newPattern(text)
		if !ok || p.group {
			return "certificate", "has " + strconv.QuoteToASCII(text) + `: must be names with * and ?, each with ! to exclude it`
		}
		r.compiled.certificates = append(r.compiled.certificates, p)
	}
	if key, reason = r.compileNetworks(); reason != "" {
		return key, reason
	}
	if reason = r.compileCommand(); reason != "" {
		return "command", reason
	}
	return r.Session.check(r)
}

func (r *Rule) compileNetworks() (key, reason string) {
	for _, side := range []struct {
		key  string
		text []string
		list *[]network
	}{{"from", r.From, &r.compiled.from}, {"to", r.To, &r.compiled.to}} {
		for _, text := range side.text {
			n, reason := newNetwork(text)
			if reason != "" {
				return side.key, "has " + strconv.QuoteToASCII(text) + ": " + reason
			}
			*side.list = append(*side.list, n)
		}
	}
	return "", ""
}

// compileCommand makes the pattern ready. "." is any byte: a newline must not take
// a command past a rule that denies.
func (r *Rule) compileCommand() (reason string) {
	if r.Command == nil {
		return ""
	}
	if strings.ContainsFunc(*r.Command, func(c rune) bool { return c >= 0x80 }) {
		return `is matched byte by byte: write what is not ASCII as its bytes, as in \xc3\xa9`
	}
	var err error
	if r.compiled.command, err = regex.Compile(*r.Command); err != nil {
		return "is no regular expression (RE2): " + err.Error()
	}
	if !r.Deny && !r.NoShell && r.Run == "" {
		return "is no boundary for what a shell reads: ;, | or $( in an argument start other commands. " +
			"Add shell = false, which executes the words as they are, or run"
	}
	return ""
}

// check returns the setting of a session that is wrong and how.
func (s *Session) check(r *Rule) (key, reason string) {
	if r.Deny {
		for _, k := range []struct {
			key   string
			given bool
		}{
			{"run", s.Run != ""}, {"shell", s.NoShell}, {"environment", s.Environment != nil}, {"input", s.NoInput},
			{"time_limit", s.TimeLimit != 0}, {"sessions", s.Sessions != 0}, {"exit", s.Exit != nil},
			{"login_shell", s.LoginShell != nil},
			{"on_disconnect", s.Hangup != nil}, {"close_on_exit", s.CloseOnExit != nil},
		} {
			if k.given {
				return k.key, `has no meaning with action = "deny"`
			}
		}
		return "", ""
	}
	if strings.IndexByte(s.Run, 0) >= 0 {
		return "run", "has a NUL"
	}
	if s.Run != "" && s.NoShell {
		words, err := Split(s.Run)
		if err != nil {
			return "run", "cannot be executed without a shell: " + err.Error()
		}
		r.compiled.run = words
	}
	if s.LoginShell != nil && *s.LoginShell && (s.Run != "" || s.NoShell) {
		return "login_shell", "would have the user's profile run before the command that this rule prescribes"
	}
	for name, value := range s.Environment {
		if !settable(name) || strings.IndexByte(value, 0) >= 0 {
			return "environment", "has " + strconv.QuoteToASCII(name) + ": a rule cannot set who the user is, REXEC_ variables, " +
				"or what has other code run before the command (LD_..., ENV, BASH_ENV, IFS)"
		}
	}
	return "", ""
}

// settable reports whether a rule may set a variable.
func settable(name string) bool {
	switch name {
	case "", "HOME", "SHELL", "USER", "LOGNAME", "IFS", "ENV", "BASH_ENV", "SHELLOPTS", "BASHOPTS", "PS4":
		return false
	}
	word := strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
	return word && (name[0] < '0' || name[0] > '9') && !strings.HasPrefix(name, "LD_") && !strings.HasPrefix(name, "REXEC_")
}

func validName(name string) bool {
	return name != "deny" && len(name) <= 64 &&
		strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// newNetwork reads an address or a network. Peers are IPv4 where they are, so
// that an IPv4 address in IPv6 notation would match nobody; a network with bits
// after its prefix is one that somebody mistyped.
func newNetwork(text string) (n network, reason string) {
	text, n.exclude = strings.CutPrefix(text, "!")
	p, err := netip.ParsePrefix(text)
	if err != nil {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return n, `must be an address or a network, as in "192.0.2.7" or "2001:db8::/32", with ! to exclude it`
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	switch {
	case p != p.Masked():
		return n, "has bits after its prefix: the network is " + p.Masked().String()
	case p.Addr().Is4In6():
		return n, "write IPv4 addresses as such"
	}
	n.Prefix = p
	return n, ""
}
