// Package rules makes a policy of the rules in rexecd.toml(5), for the server and
// for its administration, and holds the file's tests against it.
package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"rexecd/pkg/policy"
	"rexecd/pkg/settings"
)

// New returns the rules of a file that was read. Its errors name the place of
// what is wrong as file:line:column.
func New(set *settings.Server, from settings.Sources) (policy.Rules, error) {
	if len(set.Rules) == 0 && len(set.Tests) == 0 { // each connection's process asks
		return nil, nil
	}
	list := make([]policy.Rule, len(set.Rules))
	for i := range set.Rules {
		list[i] = newRule(&set.Rules[i])
		list[i].Place = from.Place("rule", i, "").String()
	}
	rules, err := policy.Compile(list)
	var wrong *policy.Error
	if errors.As(err, &wrong) {
		return nil, mistake(from, "rule", wrong.Rule, wrong.Key, wrong.Reason)
	}
	for i := range set.Tests {
		if key, reason := try(&set.Tests[i], rules); reason != "" {
			return nil, mistake(from, "test", i, key, reason)
		}
	}
	return rules, nil
}

func mistake(from settings.Sources, list string, element int, key, reason string) error {
	at := from.Place(list, element, key)
	return fmt.Errorf("%v:%d: %s.%s %s", at, at.Column, list, key, reason)
}

func newRule(r *settings.Rule) policy.Rule {
	p := policy.Rule{
		Name: r.Name, Service: r.Service, User: r.User, From: r.From, To: r.To, Certificate: r.Certificate,
		Command: r.Command, Deny: r.Action == settings.Deny,
		Session: policy.Session{
			Run: r.Run, NoShell: r.Shell != nil && !*r.Shell, Environment: r.Environment,
			NoInput: r.Input == settings.NoInput, TimeLimit: r.TimeLimit, Sessions: r.Sessions, Exit: r.Exit,
			LogCommand: r.LogCommand, LoginShell: r.LoginShell, CloseOnExit: r.CloseOnExit,
		},
	}
	if r.OnDisconnect != "" {
		hangup := r.OnDisconnect == settings.Hangup
		p.Hangup = &hangup
	}
	return p
}

// try returns the setting of a test that is wrong and how: what was expected, if
// the rules decide otherwise.
func try(t *settings.Test, rules policy.Rules) (key, reason string) {
	q := policy.Request{
		Service: t.Service, User: t.User, Groups: t.Groups, Certificate: t.Certificate, Command: t.Command,
	}
	var err error
	switch {
	case t.User == "":
		return "user", "is missing"
	case t.Expect == "":
		return "expect", `is missing: the name of a rule, or "deny"`
	case t.Service == "":
		q.Service = "rexec"
	case t.Service != "rexec" && t.Service != "rsh":
		return "service", `must be "rexec" or "rsh"`
	}
	if q.From, err = netip.ParseAddr(t.From); err != nil {
		return "from", "must be an address"
	}
	if q.To, err = netip.ParseAddr(t.To); err != nil && t.To != "" {
		return "to", "must be an address"
	}
	d := rules.Decide(&q)
	switch {
	case t.Expect == "deny" && !d.Allowed:
		return "", ""
	case d.Rule != nil && d.Rule.Name == t.Expect && (d.Allowed || d.Rule.Deny):
		return "", ""
	case t.Expect != "deny" && !slices.ContainsFunc(rules, func(r policy.Rule) bool { return r.Name == t.Expect }):
		return "expect", "= " + strconv.QuoteToASCII(t.Expect) + ": there is no such rule"
	}
	verb := "denies"
	if d.Allowed {
		verb = "allows"
	}
	return "expect", fmt.Sprintf("= %q: %v %s %s from %v %s", t.Expect, d, verb, strconv.QuoteToASCII(t.User), q.From, shown(t.Command))
}

func shown(command string) string {
	if len(command) > 60 {
		command = command[:60] + "..."
	}
	return strconv.QuoteToASCII(command)
}
