package rexecd

import (
	"fmt"
	"net/netip"
	"strings"

	"rexecd/pkg/passwd"
	"rexecd/pkg/policy"
	"rexecd/pkg/session"
)

// Explain returns what the rules would make of a request after its login, rule by
// rule, and what would be executed. It asks what a connection's server asks, and
// opens no PAM session: what PAM adds to the environment is not in it.
func (s *Server) Explain(
	user string, from, to netip.Addr, certificate, command string,
) (text string, allowed bool, err error) {
	var e explanation
	account, guest, err := e.login(s, user, from.Unmap())
	if err != nil || account == nil {
		return e.String(), false, err
	}
	q, err := s.question(command, account, from.Unmap(), to.Unmap())
	if err != nil {
		return e.String(), false, err
	}
	q.Certificate = certificate
	r := s.rule(q, account)
	r.NoInput = r.NoInput || guest
	barred := account.UID == 0 && !s.Config.PermitRoot
	if barred {
		e.line("login", "refused, as root is not permitted; otherwise:")
	}
	for i, c := range r.Skipped {
		rule := &s.Config.Rules[i]
		e.line("rule %q (%s)", "does not match: "+mismatch(rule, c, q), rule.Name, rule.Place)
	}
	switch {
	case r.Rule != nil && r.Allowed:
		e.line("%v", "matches: allows", r.Decision)
	case r.Rule != nil && r.Why != nil:
		e.line("rule %q (%s)", "matches: denies, as there is "+r.Why.Error(), r.Rule.Name, r.Rule.Place)
	case r.Rule != nil:
		e.line("%v", "matches: denies", r.Decision)
	case r.Allowed:
		e.line("rules", "none: everything is allowed")
	default:
		e.line("rules", "none matches: denied")
	}
	if r.Allowed {
		client := q.From.String() + " PORT 512"
		e.session(s, r, account, r.program(account, client, nil))
	}
	return e.String(), r.Allowed && !barred, nil
}

// mismatch says why a rule's criterion is not met.
func mismatch(rule *policy.Rule, c policy.Criterion, q *policy.Request) string {
	switch c {
	case policy.Service:
		return fmt.Sprintf("service is %s, not in %q", q.Service, rule.Service)
	case policy.User:
		return fmt.Sprintf("user %q, of the rules' groups in %q, is not in %q", q.User, q.Groups, rule.User)
	case policy.From:
		return fmt.Sprintf("from %v is not in %q", q.From, rule.From)
	case policy.To:
		if !q.To.IsValid() {
			return "to is not given"
		}
		return fmt.Sprintf("to %v is not in %q", q.To, rule.To)
	case policy.Certificate:
		if q.Certificate == "" {
			return fmt.Sprintf("there is no certificate; its name must be in %q", rule.Certificate)
		}
		return fmt.Sprintf("certificate %q is not in %q", q.Certificate, rule.Certificate)
	}
	return fmt.Sprintf("command does not match %q", *rule.Command)
}

// An explanation is lines of "what: how".
type explanation struct{ strings.Builder }

func (e *explanation) line(what, how string, args ...any) {
	fmt.Fprintf(e, what+": ", args...)
	e.WriteString(how + "\n")
}

// session says what is executed, as whom, and within which limits.
func (e *explanation) session(s *Server, r *ruling, account *passwd.Entry, c *session.Command) {
	e.line("user", fmt.Sprintf("%q, uid %d, gid %d", account.Name, c.UID, c.GID))
	e.line("directory", fmt.Sprintf("%q", c.Home))
	e.line("path", fmt.Sprintf("%q", append([]string{c.Shell}, c.Others...)))
	e.line("argv", fmt.Sprintf("%q", c.Argv))
	e.line("environment", fmt.Sprintf("%q", c.Env))
	on := map[bool]string{false: "no", true: "yes"}
	input, limit, sessions := "the client's", "none", "any number"
	if r.NoInput {
		input = "none"
	}
	if r.TimeLimit > 0 {
		limit = r.TimeLimit.String()
	}
	if r.Session.Sessions > 0 {
		sessions = fmt.Sprint(r.Session.Sessions)
	}
	e.line("input", input)
	e.line("time limit", limit)
	e.line("sessions", sessions)
	if exit := s.exitFor(r); exit.Program != "" {
		e.line("exit program", fmt.Sprintf("%q, which may refuse or replace this", exit.Program))
	}
	e.line("when the client vanishes", map[OnDisconnect]string{Continue: "continue", Hangup: "hangup"}[r.onDisconnect])
	e.line("close on exit", on[r.onExit == Shutdown])
	e.line("command in the log", on[r.logCommand])
}
