// Package policy decides who may run what: the rules of rexecd.toml(5) as a pure
// function of who asks, from where, and for what. It does no I/O; whoever asks
// brings what is known of the user.
package policy

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// A Rule is one [[rule]], as it is written.
type Rule struct {
	Name  string // Compile gives one without a name its number
	Place string // where it stands, for people: file:line

	// Criteria. All must match; an empty list, and no command, always do.
	Service []string // "rexec", "rsh"
	User    []string // account names with * and ?, @group; ! excludes
	From    []string // the peer's addresses and networks; ! excludes
	To      []string // those that it called
	// Certificate are names in clients' certificates with * and ?; ! excludes.
	Certificate []string
	Command     *string // RE2, anchored at both ends, on bytes

	Deny bool // what matches gets no session
	Session

	compiled *compiled
}

// A Session is what a rule says of the sessions that it allows. What is nil is
// left to the settings of all sessions.
type Session struct {
	Run         string // instead of the client's command
	NoShell     bool   // the command's words are executed, not read by a shell
	Environment map[string]string
	NoInput     bool          // the command's input is at its end
	TimeLimit   time.Duration // 0: none
	Sessions    int           // at once under the rule, per user; 0: any number
	Exit        *string       // a program to ask about the command; empty: none

	LogCommand, LoginShell, Hangup, CloseOnExit *bool
}

// Rules are in the order of the file, and compiled. No rules allow everything.
type Rules []Rule

// A Request is what is decided about.
type Request struct {
	Service  string
	User     string   // the account's own name
	Groups   []string // of the user, at least those that Rules.Groups names
	From, To netip.Addr
	// Certificate is the name in the client's; empty: it has shown none.
	Certificate string
	Command     string // any bytes
}

// A Criterion is what a rule looks at.
type Criterion uint8

// The criteria, in the order in which they are looked at: the dear one last.
const (
	None Criterion = iota
	Service
	User
	From
	To
	Certificate
	Command
)

func (c Criterion) String() string {
	return [...]string{"", "service", "user", "from", "to", "certificate", "command"}[c]
}

// A Decision is what the rules make of a request.
type Decision struct {
	Allowed bool
	Rule    *Rule // that decided; nil if none matched, or there are none
	// Skipped has, for each rule before that one, the criterion that did not match.
	Skipped []Criterion
	Words   []string // what is executed without a shell; nil with one
	// Why is a denial by a rule that allows: its words could not be split, or whoever
	// asked found another reason.
	Why error
}

// Decide finds the first rule that matches, which decides. Where there are rules,
// what matches none is denied.
func (rules Rules) Decide(q *Request) Decision {
	if len(rules) == 0 {
		return Decision{Allowed: true}
	}
	d := Decision{Skipped: make([]Criterion, 0, len(rules))}
	for i := range rules {
		r := &rules[i]
		if c := r.mismatch(q); c != None {
			d.Skipped = append(d.Skipped, c)
			continue
		}
		d.Rule, d.Allowed = r, !r.Deny
		switch {
		case r.Deny || !r.NoShell:
		case r.Run != "":
			d.Words = r.compiled.run
		default:
			if d.Words, d.Why = Split(q.Command); d.Why != nil {
				d.Allowed, d.Words = false, nil
			}
		}
		return d
	}
	return d
}

// String says who decided, for the log: the rule, where it stands, and why it did
// not allow what it could have.
func (d Decision) String() string {
	switch {
	case d.Rule == nil && d.Allowed:
		return "no rules"
	case d.Rule == nil:
		return "no rule matches"
	}
	text := fmt.Sprintf("rule %q (%s)", d.Rule.Name, d.Rule.Place)
	if d.Why != nil {
		text += ": " + d.Why.Error()
	}
	return text
}

// A Group is one that rules ask for.
type Group struct {
	Name string
	// Guards is set if a rule excludes or denies its members: not to know them is to let
	// them in.
	Guards bool
}

// Groups lists the groups that the rules ask for, each once.
func (rules Rules) Groups() []Group {
	var list []Group
	at := map[string]int{}
	for i := range rules {
		for _, p := range rules[i].compiled.users {
			if !p.group {
				continue
			}
			n, known := at[p.text]
			if !known {
				n = len(list)
				at[p.text], list = n, append(list, Group{Name: p.text})
			}
			list[n].Guards = list[n].Guards || p.exclude || rules[i].Deny
		}
	}
	return list
}

// An Error is a mistake in a rule.
type Error struct {
	Rule   int    // its index
	Key    string // the setting in it
	Reason string
}

func (e *Error) Error() string {
	return "rule " + strconv.Itoa(e.Rule+1) + ": " + e.Key + ": " + e.Reason
}
