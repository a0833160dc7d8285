package regex

import "strings"

// escape reads what follows a \ outside brackets.
func (p *parser) escape(from int) error {
	if p.i < len(p.text) {
		c := p.text[p.i]
		p.i++
		switch c {
		case 'A':
			p.assert(beginText)
			return nil
		case 'z':
			p.assert(endText)
			return nil
		case 'b':
			p.assert(wordBoundary)
			return nil
		case 'B':
			p.assert(noWordBoundary)
			return nil
		case 'C':
			var s set
			s.add(0, 255)
			p.class(s)
			return nil
		case 'Q':
			text, rest, _ := strings.Cut(p.text[p.i:], `\E`)
			for i := range len(text) {
				p.literal(text[i])
			}
			p.i = len(p.text) - len(rest)
			return nil
		}
		if class, negated, ok := p.perl(c); ok {
			var s set
			s.union(&class, negated)
			p.class(s)
			return nil
		}
		p.i--
	}
	c, err := p.escaped(from)
	if err == nil {
		p.literal(c)
	}
	return err
}

// escaped reads the one byte that an escape sequence stands for, after its \.
func (p *parser) escaped(from int) (byte, error) {
	if p.i == len(p.text) {
		return 0, p.mistake("trailing backslash at end of expression", from)
	}
	c := p.text[p.i]
	p.i++
	switch {
	case c == 'p' || c == 'P':
		p.i = min(p.i+1, len(p.text))
		return 0, p.mistake(`invalid escape sequence, as a class of Unicode's characters, and what is matched are bytes; `+
			`write them, as in [\x80-\xff]`, from)
	case c == 'x':
		return p.hex(from)
	case '1' <= c && c <= '9' && (c > '7' || !p.octalNext()):
		return 0, p.mistake("invalid escape sequence, as nothing refers back to a group", from)
	case isDigit(c):
		value := int(c - '0')
		for n := 1; n < 3 && p.octalNext(); n++ {
			value = 8*value + int(p.text[p.i]-'0')
			p.i++
		}
		return p.value(value, from)
	case !isAlnum(c):
		return c, nil
	}
	if i := strings.IndexByte("abfnrtv", c); i >= 0 && c != 'b' {
		return "\a\b\f\n\r\t\v"[i], nil
	}
	return 0, p.mistake("invalid escape sequence", from)
}

func (p *parser) octalNext() bool {
	return p.i < len(p.text) && '0' <= p.text[p.i] && p.text[p.i] <= '7'
}

// hex reads the two digits after \x, or any number of them in braces.
func (p *parser) hex(from int) (byte, error) {
	digits, rest, ok := "", "", true
	if tail := p.text[p.i:]; strings.HasPrefix(tail, "{") {
		digits, rest, ok = strings.Cut(tail[1:], "}")
	} else {
		n := min(2, len(tail))
		digits, rest, ok = tail[:n], tail[n:], n == 2
	}
	p.i = len(p.text) - len(rest)
	value := 0
	for i := range len(digits) {
		d := strings.IndexByte("0123456789abcdef", digits[i]|0x20)
		ok = ok && d >= 0 && (isDigit(digits[i]) || digits[i] >= 'A')
		value = min(16*value+d, 1<<20)
	}
	if !ok || digits == "" {
		return 0, p.mistake("invalid escape sequence", from)
	}
	return p.value(value, from)
}

func (p *parser) value(value, from int) (byte, error) {
	if value > 0xff {
		return 0, p.mistake("invalid escape sequence, as no byte is above \\xff; write the bytes of the character", from)
	}
	return byte(value), nil
}
