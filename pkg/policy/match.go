package policy

import (
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// mismatch returns the criterion that a request does not meet, or None.
func (r *Rule) mismatch(q *Request) Criterion {
	c := r.compiled
	switch {
	case len(r.Service) > 0 && !slices.Contains(r.Service, q.Service):
		return Service
	case len(c.users) > 0 && !matchUser(c.users, q):
		return User
	case len(c.from) > 0 && !matchAddr(c.from, q.From):
		return From
	case len(c.to) > 0 && !matchAddr(c.to, q.To):
		return To
	case len(c.certificates) > 0 && !matchCertificate(c.certificates, q.Certificate):
		return Certificate
	case c.command != nil && !c.command.Match(q.Command):
		return Command
	}
	return None
}

// A pattern is one of a list of users.
type pattern struct {
	exclude, group bool
	text           string
}

func newPattern(text string) (p pattern, ok bool) {
	text, p.exclude = strings.CutPrefix(text, "!")
	p.text, p.group = strings.CutPrefix(text, "@")
	// "! bob" would exclude nobody. Directories have names with spaces inside.
	return p, p.text != "" && p.text[0] != '!' && p.text[0] != '@' && p.text == strings.TrimSpace(p.text)
}

// matchUser reports whether a list has the user: one that only excludes has
// everybody else.
func matchUser(list []pattern, q *Request) bool {
	in, includes := false, false
	for _, p := range list {
		includes = includes || !p.exclude
		if in && !p.exclude {
			continue
		}
		found := p.group && slices.Contains(q.Groups, p.text) || !p.group && glob(p.text, q.User)
		switch {
		case found && p.exclude:
			return false
		case found:
			in = true
		}
	}
	return in || !includes
}

// matchCertificate does the same for the name in a certificate. None is in no list.
func matchCertificate(list []pattern, name string) bool {
	return name != "" && matchUser(list, &Request{User: name})
}

// glob reports whether a name matches a pattern, in which * is any characters and
// ? is one. It goes back to the latest * only, which is enough, and keeps the time
// within the product of both lengths.
func glob(pattern, name string) bool {
	star, retry := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch _, width := utf8.DecodeRuneInString(name[n:]); {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, n
			p++
		case p < len(pattern) && pattern[p] == '?':
			p++
			n += width
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			retry++
			p, n = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// A network is one of a list of addresses.
type network struct {
	netip.Prefix
	exclude bool
}

// matchAddr reports whether a list has the address, as matchUser does. An address
// that is not known is in no list.
func matchAddr(list []network, addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	in, includes := false, false
	for _, n := range list {
		includes = includes || !n.exclude
		switch found := n.Contains(addr); {
		case found && n.exclude:
			return false
		case found:
			in = true
		}
	}
	return addr.IsValid() && (in || !includes)
}
