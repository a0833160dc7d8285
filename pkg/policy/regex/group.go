package regex

import "strings"

// open reads what follows a (.
func (p *parser) open(from int) error {
	if len(p.outer) == maxDepth {
		return p.mistake("expression nests too deeply", from)
	}
	inner := p.flags
	switch rest := p.text[p.i:]; {
	case !strings.HasPrefix(rest, "?"):
	case strings.HasPrefix(rest, "?P<"), strings.HasPrefix(rest, "?<"):
		if err := p.name(from); err != nil {
			return err
		}
	default:
		p.i++
		set, group, err := p.groupFlags(from)
		if err != nil {
			return err
		}
		if !group { // to the end of the group around it
			p.flags = set
			return nil
		}
		inner = set
	}
	p.outer = append(p.outer, p.group)
	n := len(p.code)
	p.group = group{opened: from, before: p.flags, begin: n, branch: n, last: -1, count: 1}
	p.flags = inner
	return nil
}

// name reads the name of a group, which nobody asks for.
func (p *parser) name(from int) error {
	rest := p.text[p.i:]
	if strings.HasPrefix(rest, "?<=") || strings.HasPrefix(rest, "?<!") {
		p.i += 3
		return p.mistake("invalid or unsupported Perl syntax, as nothing looks behind", from)
	}
	_, rest, _ = strings.Cut(rest, "<")
	name, rest, ok := strings.Cut(rest, ">")
	p.i = len(p.text) - len(rest)
	if !ok || name == "" || strings.ContainsFunc(name, func(c rune) bool { return c > '~' || !isWord(byte(c)) }) {
		return p.mistake("invalid named group", from)
	}
	return nil
}

// groupFlags reads the flags after (? and the : or ) after them; group is whether
// it was a colon.
func (p *parser) groupFlags(from int) (set flags, group bool, err error) {
	set = p.flags
	minus, letter := false, false // were read, the letter after the minus
	for p.i < len(p.text) {
		c := p.text[p.i]
		p.i++
		switch i := strings.IndexByte("imsU", c); {
		case i >= 0:
			letter = true
			if set |= 1 << i; minus {
				set &^= 1 << i
			}
		case c == '-' && !minus:
			minus, letter = true, false
		case (c == ':' || c == ')') && (letter || !minus):
			return set, c == ':', nil
		case c == '=' || c == '!':
			return 0, false, p.mistake("invalid or unsupported Perl syntax, as nothing looks ahead", from)
		default:
			return 0, false, p.mistake("invalid or unsupported Perl syntax", from)
		}
	}
	return 0, false, p.mistake("missing closing )", from)
}

// close ends a group, which then is an element of the one around it.
func (p *parser) close(from int) error {
	if len(p.outer) == 0 {
		return p.mistake("unexpected )", from)
	}
	p.finish()
	inner := p.group
	p.flags = inner.before
	p.group, p.outer = p.outer[len(p.outer)-1], p.outer[:len(p.outer)-1]
	p.last, p.lastCount = inner.begin, inner.count
	p.count = max(p.count, inner.count)
	return nil
}
