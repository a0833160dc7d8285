package rexecd

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rexecd/pkg/inetd"
	"rexecd/pkg/passwd"
	"rexecd/pkg/rexec/wire"
	"rexecd/pkg/session"
)

// An Exit is a program that is asked about each command before it is started, as the
// user exits of z/OS and the exit points of IBM i are.
type Exit struct {
	Program string // path; empty: none
	User    string // as whom it runs; never root
}

// Bounds of an exit program. It may replace a command by one as long.
const (
	exitPatience  = 5 * time.Second
	exitOutput    = wire.MaxCommand + 1
	maxPublicText = 200 // bytes
)

// Exit statuses of an exit program.
const (
	exitGoOn   = 0
	exitRefuse = 1
)

// askExit has an exit program decide about a command, and may put another one in its
// place.
func (s *Server) askExit(r *ruling, account *passwd.Entry, conn *inetd.Conn, a *attempt, grace *deadline) error {
	exit := s.exitFor(r)
	if exit.Program == "" {
		return nil
	}
	from, to := conn.Peer.Addr().String(), conn.Local.Addr().String()
	q := question{s.Config.PAM.Service, account.Name, from, conn.Peer.Port(), to, r.command, a.rule}
	status, printed, err := s.runExit(exit, q, grace)
	a.step("the exit program %s has ended", exit.Program)
	if over := grace.over("the exit program"); over != nil {
		return over
	}
	failed := func(reason error) error { return unavailable(fmt.Errorf("exit program %s: %w", exit.Program, reason)) }
	switch {
	case err != nil:
		return failed(err)
	case status.Signal != 0:
		return failed(fmt.Errorf("killed by signal %d", int(status.Signal)))
	case status.Exit == exitRefuse:
		public := publicLine(printed)
		return notAllowed(public, fmt.Errorf("exit program %s: %q", exit.Program, public))
	case status.Exit != exitGoOn:
		return failed(fmt.Errorf("exit status %d", status.Exit))
	case len(printed) == 0:
		return nil
	}
	line, rest, _ := bytes.Cut(printed, []byte("\n"))
	if len(rest) > 0 || len(line) > wire.MaxCommand || bytes.IndexByte(line, 0) >= 0 {
		return failed(errors.New("it printed more than the one line that a command is"))
	}
	if err := r.replace(string(line), a); err != nil {
		return failed(err)
	}
	return nil
}

// exitFor is the program to ask about a session, the rule's first.
func (s *Server) exitFor(r *ruling) Exit {
	exit := s.Config.Exit
	if r.Exit != nil {
		exit.Program = *r.Exit
	}
	return exit
}

// runExit runs the program as its own user.
func (s *Server) runExit(exit Exit, q question, grace *deadline) (session.Status, []byte, error) {
	p := session.Program{
		Path: exit.Program, Env: q.environment(), Input: q.json(), ChangeIdentity: asRoot,
		MaxOutput: exitOutput, Patience: min(exitPatience, grace.left()),
	}
	if asRoot {
		err := grace.during("the exit program's user", func() error {
			account, err := passwd.Lookup(exit.User)
			if err != nil {
				return err
			}
			p.UID, p.GID = account.UID, account.GID
			p.Groups, err = account.Groups()
			return err
		})
		if err == nil && p.UID == 0 {
			err = errors.New("it is root's")
		}
		if err != nil {
			return session.Status{}, nil, fmt.Errorf("exit_user %q: %w", exit.User, err)
		}
	}
	var status session.Status
	var printed []byte
	err := grace.starting("the exit program", func() (err error) {
		status, printed, err = p.Run()
		return err
	})
	return status, printed, err
}

// publicLine is what a refused user is told: the first line, as far as it can be
// printed.
func publicLine(printed []byte) string {
	line, _, _ := strings.Cut(string(printed[:min(len(printed), maxPublicText)]), "\n")
	line = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "")))
	if line == "" {
		return diagnostics.permissionDenied
	}
	return line
}

// A question is what an exit program is asked about.
type question struct {
	service       string // "rexec" or "rsh"
	user          string // the account's own name
	peer          string
	peerPort      uint16
	local         string
	command, rule string
}

// environment is the question as variables, the command byte for byte. There is no
// variable of the peer's choice among the names.
func (q question) environment() []string {
	return []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"REXEC_USER=" + q.user, "REXEC_PEER=" + q.peer, "REXEC_PEER_PORT=" + strconv.Itoa(int(q.peerPort)), "REXEC_LOCAL=" + q.local,
		"REXEC_COMMAND=" + q.command, "REXEC_RULE=" + q.rule, "REXEC_SERVICE=" + q.service,
	}
}

// json is the question as one line of JSON.
func (q question) json() []byte {
	b := make([]byte, 0, len(q.command)+256)
	b = appendString(append(b, `{"service":`...), q.service)
	b = appendString(append(b, `,"user":`...), q.user)
	b = appendString(append(b, `,"peer":`...), q.peer)
	b = strconv.AppendInt(append(b, `,"peer_port":`...), int64(q.peerPort), 10)
	b = appendString(append(b, `,"local":`...), q.local)
	b = appendString(append(b, `,"command":`...), q.command)
	b = appendString(append(b, `,"rule":`...), q.rule)
	return append(b, "}\n"...)
}
