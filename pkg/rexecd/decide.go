package rexecd

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"rexecd/pkg/inetd"
	"rexecd/pkg/passwd"
	"rexecd/pkg/policy"
)

// A ruling is what a session is to be: what the rule that allows it says, and the
// settings of all sessions for the rest.
type ruling struct {
	policy.Decision
	policy.Session // the rule's; zero without one
	command        string

	logCommand, loginShell bool
	onDisconnect           OnDisconnect
	onExit                 OnExit
}

// decide asks the rules whether the account may run the command, from where the
// peer is.
func (s *Server) decide(
	command string, account *passwd.Entry, user *userSession, conn *inetd.Conn, grace *deadline,
) (*ruling, error) {
	a := user.attempt
	var r *ruling
	err := grace.during("the rules", func() error { // the group database, and patterns over a long command
		q, err := s.question(command, account, conn.Peer.Addr(), conn.Local.Addr())
		if err == nil {
			q.Certificate = a.certificate
			r = s.rule(q, account)
		}
		return err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	r.NoInput = r.NoInput || user.noInput // a guest's
	if a.command = ""; r.logCommand {
		a.command = command
	}
	a.step("%v: allowed: %v", r.Decision, r.Allowed)
	if !r.Allowed {
		return nil, notAllowed(diagnostics.permissionDenied, errors.New(r.String()))
	}
	if r.Rule != nil {
		a.rule = r.Rule.Name
	}
	return r, nil
}

// replace puts an exit program's command in the place of the client's.
func (r *ruling) replace(command string, a *attempt) (err error) {
	if r.command = command; r.logCommand {
		a.command = command
	}
	if r.NoShell && r.Run == "" {
		r.Words, err = policy.Split(command)
	}
	return err
}

// question is what the rules are asked. The name service is asked for the user's
// groups only if a rule names one.
func (s *Server) question(command string, account *passwd.Entry, from, to netip.Addr) (*policy.Request, error) {
	q := &policy.Request{Service: s.Config.PAM.Service, User: account.Name, From: from, To: to, Command: command}
	groups := s.Config.Rules.Groups()
	if len(groups) == 0 {
		return q, nil
	}
	ids, err := account.Groups()
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		id, err := passwd.Group(g.Name)
		switch {
		case errors.Is(err, passwd.ErrNoGroup) && !g.Guards: // nobody is in it
		case err != nil:
			return nil, fmt.Errorf("group %q: %w", g.Name, err)
		case slices.Contains(ids, id):
			q.Groups = append(q.Groups, g.Name)
		}
	}
	return q, nil
}

// rule is the one place where the rules are asked, for the server as for -explain.
func (s *Server) rule(q *policy.Request, account *passwd.Entry) *ruling {
	r := &ruling{
		Decision: s.Config.Rules.Decide(q), command: q.Command,
		logCommand: s.Config.LogCommand, loginShell: s.Config.LoginShell,
		onDisconnect: s.Config.OnDisconnect, onExit: s.Config.OnExit,
	}
	if r.Rule == nil {
		return r
	}
	r.Session = r.Rule.Session
	// A shell such as nologin would have refused. A rule that does without it must not
	// be what lets the account in.
	if r.Allowed && (r.NoShell || r.Run != "") && !account.HasShell() {
		r.Allowed, r.Words, r.Why = false, nil, fmt.Errorf("the account's shell %q, which shells(5) does not list", account.Shell)
	}
	override(&r.logCommand, r.LogCommand)
	override(&r.loginShell, r.LoginShell)
	if r.Hangup != nil {
		r.onDisconnect = Continue
		if *r.Hangup {
			r.onDisconnect = Hangup
		}
	}
	if r.CloseOnExit != nil {
		r.onExit = Leave
		if *r.CloseOnExit {
			r.onExit = Shutdown
		}
	}
	return r
}

func override(setting, rule *bool) {
	if rule != nil {
		*setting = *rule
	}
}
