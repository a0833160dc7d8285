package regex

import "strings"

// The named classes of POSIX, as pairs of the first and the last byte.
var posix = [...]struct{ name, ranges string }{
	{"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"ascii", "\x00\x7f"}, {"blank", "\t\t  "}, {"cntrl", "\x00\x1f\x7f\x7f"},
	{"digit", "09"}, {"graph", "!~"}, {"lower", "az"}, {"print", " ~"}, {"punct", "!/:@[`{~"}, {"space", "\t\r  "},
	{"upper", "AZ"}, {"word", "09AZ__az"}, {"xdigit", "09AFaf"},
}

func (p *parser) ranges(pairs string) (s set) {
	for i := 0; i < len(pairs); i += 2 {
		s.add(pairs[i], pairs[i+1])
	}
	if p.flags&foldCase != 0 {
		s.fold()
	}
	return s
}

// perl returns the class of \d, \s or \w, or of what each is not.
func (p *parser) perl(c byte) (s set, negated, ok bool) {
	switch c {
	case 'd', 'D':
		return p.ranges("09"), c == 'D', true
	case 's', 'S':
		return p.ranges("\t\n\f\r  "), c == 'S', true
	case 'w', 'W':
		return p.ranges("09AZ__az"), c == 'W', true
	}
	return s, false, false
}

// bracket reads a class after its [.
func (p *parser) bracket(from int) error {
	var s set
	negated := strings.HasPrefix(p.text[p.i:], "^")
	if negated {
		p.i++
	}
	for first := true; ; first = false {
		rest := p.text[p.i:]
		switch {
		case rest == "":
			return p.mistake("missing closing ]", from)
		case rest[0] == ']' && !first:
			p.i++
			var all set
			all.union(&s, negated)
			p.class(all)
			return nil
		}
		if err := p.member(&s, from); err != nil {
			return err
		}
	}
}

// member reads one byte, range or class within brackets.
func (p *parser) member(s *set, bracket int) error {
	from, rest := p.i, p.text[p.i:]
	if strings.HasPrefix(rest, "[:") {
		if name, after, ok := strings.Cut(rest[2:], ":]"); ok {
			p.i = len(p.text) - len(after)
			return p.named(s, name, from)
		}
	}
	if len(rest) > 1 && rest[0] == '\\' {
		if class, negated, ok := p.perl(rest[1]); ok {
			p.i += 2
			s.union(&class, negated)
			return nil
		}
	}
	lo, err := p.char(bracket)
	if err != nil {
		return err
	}
	hi := lo
	if rest = p.text[p.i:]; len(rest) > 1 && rest[0] == '-' && rest[1] != ']' {
		p.i++
		if hi, err = p.char(bracket); err != nil {
			return err
		}
	}
	if hi < lo {
		return p.mistake("invalid character class range", from)
	}
	var r set
	r.add(lo, hi)
	if p.flags&foldCase != 0 {
		r.fold()
	}
	s.union(&r, false)
	return nil
}

func (p *parser) named(s *set, name string, from int) error {
	plain, negated := strings.CutPrefix(name, "^")
	for i := range posix {
		if posix[i].name == plain {
			class := p.ranges(posix[i].ranges)
			s.union(&class, negated)
			return nil
		}
	}
	return p.mistake("invalid character class name", from)
}

// char reads one byte within brackets.
func (p *parser) char(bracket int) (byte, error) {
	if p.i == len(p.text) {
		return 0, p.mistake("missing closing ]", bracket)
	}
	c := p.text[p.i]
	p.i++
	if c == '\\' {
		return p.escaped(p.i - 1)
	}
	return c, nil
}
