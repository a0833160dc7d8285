package regex

import (
	"fmt"
	"slices"
	"strings"
)

const (
	maxCode   = 10_000 // instructions; bounds the time that a match may take
	maxDepth  = 1_000  // groups within groups
	maxRepeat = 1_000  // as package regexp
)

// flags are what (?flags) sets.
type flags uint8

const (
	foldCase  flags = 1 << iota // i
	multiLine                   // m
	dotAll                      // s
	ungreedy                    // U, which decides nothing here
)

// A parser makes code of an expression while it reads it, without a tree, and so
// without recursion.
type parser struct {
	Program
	text     string
	i        int // what is read of it
	flags    flags
	group            // that is being read
	outer    []group // those around it, the outermost first
	repeated bool    // a repetition ends at i: there cannot be another
}

// A group is one pair of parentheses, or the expression.
type group struct {
	opened int   // where it stands in the text
	before flags // those in force around it
	begin  int   // its code
	branch int   // the code of the alternative that is being read
	last   int   // the code of the last element of that, which a repetition repeats; -1: there is none
	ends   []int // the jumps from the alternatives' ends
	// The highest product of nested counts in the group and in its last element.
	count, lastCount int
}

// Compile returns the program of an expression of ASCII characters. Its errors have
// what is wrong and where, counted in bytes from 1.
func Compile(text string) (*Program, error) {
	p := parser{text: text, flags: dotAll, group: group{last: -1}}
	p.code = make([]inst, 0, min(len(text)+len(text)/2, maxCode)+8)
	for p.i < len(text) {
		if err := p.next(); err != nil {
			return nil, err
		}
		if max(len(p.code), len(p.sets)) > maxCode { // x{0} leaves its set and no code
			return nil, errTooLarge(text)
		}
	}
	if len(p.outer) > 0 {
		return nil, p.mistake("missing closing )", p.opened)
	}
	p.finish()
	p.emit(inst{op: opMatch})
	return &Program{p.code, p.sets, p.asserts}, nil
}

// mistake is an error about the text from a place to where it is read.
func (p *parser) mistake(what string, from int) error {
	piece := p.text[from:max(p.i, from)]
	if len(piece) > 40 {
		piece = piece[:40] + "..."
	}
	return fmt.Errorf("%s: %s at byte %d", what, quote(piece), from+1)
}

// quote shows a piece of an expression as it was written.
func quote(piece string) string {
	if strings.ContainsFunc(piece, func(c rune) bool { return c < ' ' || c > '~' }) {
		return fmt.Sprintf("%+q", piece)
	}
	return "`" + piece + "`"
}

func errTooLarge(text string) error {
	return fmt.Errorf("expression too large: its %d bytes make more than %d steps of a match", len(text), maxCode)
}

// next reads one element, parenthesis, bar or repetition.
func (p *parser) next() error {
	from, repeated := p.i, p.repeated
	p.repeated = false
	c := p.text[p.i]
	p.i++
	switch c {
	case '(':
		return p.open(from)
	case ')':
		return p.close(from)
	case '|':
		p.alternative()
	case '^':
		p.assert(pick(p.flags&multiLine != 0, beginLine, beginText))
	case '$':
		p.assert(pick(p.flags&multiLine != 0, endLine, endText))
	case '.':
		var s set
		s.add(0, 255)
		if p.flags&dotAll == 0 {
			s['\n'>>6] &^= 1 << '\n'
		}
		p.class(s)
	case '[':
		return p.bracket(from)
	case '\\':
		return p.escape(from)
	case '*':
		return p.repeat(from, 0, -1, repeated)
	case '+':
		return p.repeat(from, 1, -1, repeated)
	case '?':
		return p.repeat(from, 0, 1, repeated)
	case '{':
		if least, most, ok := p.counts(); ok {
			return p.repeat(from, least, most, repeated)
		}
		p.literal(c) // as Perl has it
	default:
		p.literal(c)
	}
	return nil
}

func pick(first bool, a, b byte) byte {
	if first {
		return a
	}
	return b
}

func (p *parser) emit(in inst) { p.code = append(p.code, in) }

// element has what is emitted next be what a repetition repeats.
func (p *parser) element() { p.last, p.lastCount = len(p.code), 1 }

func (p *parser) assert(what byte) {
	p.element()
	p.asserts = true
	p.emit(inst{op: opAssert, char: what})
}

func (p *parser) literal(c byte) {
	if p.flags&foldCase != 0 && isAlnum(c) && !isDigit(c) {
		var s set
		s.add(c, c)
		s.fold()
		p.class(s)
		return
	}
	p.element()
	p.emit(inst{op: opByte, char: c})
}

func (p *parser) class(s set) {
	p.element()
	i := slices.Index(p.sets, s)
	if i < 0 {
		i, p.sets = len(p.sets), append(p.sets, s)
	}
	p.emit(inst{op: opSet, x: int32(i)})
}

// alternative ends an alternative: split, its code, and a jump to the group's end.
func (p *parser) alternative() {
	p.insert(p.branch, len(p.code)-p.branch+2)
	p.ends = append(p.ends, len(p.code))
	p.emit(inst{op: opJump})
	p.branch, p.last = len(p.code), -1
}

// insert puts a split before code that reaches to the end of what there is.
func (p *parser) insert(at, x int) {
	p.code = slices.Insert(p.code, at, inst{op: opSplit, x: int32(x)})
}

// finish has the alternatives of the group meet at its end.
func (p *parser) finish() {
	for _, jump := range p.ends {
		p.code[jump].x = int32(len(p.code) - jump)
	}
}

// counts reads what follows a { that begins a repetition.
func (p *parser) counts() (least, most int, ok bool) {
	inner, rest, ok := strings.Cut(p.text[p.i:], "}")
	first, second, two := strings.Cut(inner, ",")
	least, ok1 := number(first)
	most, ok2 := least, true
	switch {
	case two && second == "":
		most = -1
	case two:
		most, ok2 = number(second)
	}
	if !ok || !ok1 || !ok2 {
		return 0, 0, false
	}
	p.i = len(p.text) - len(rest)
	return least, most, true
}

// number reads a decimal number without leading zeros; above maxRepeat it is that
// and one.
func number(text string) (n int, ok bool) {
	if text == "" || len(text) > 1 && text[0] == '0' {
		return 0, false
	}
	for i := range len(text) {
		if !isDigit(text[i]) {
			return 0, false
		}
		n = min(10*n+int(text[i]-'0'), maxRepeat+1)
	}
	return n, true
}

// repeat repeats the last element; most < 0 is any number of times.
func (p *parser) repeat(from, least, most int, repeated bool) error {
	counted := p.text[from] == '{'
	if p.i < len(p.text) && p.text[p.i] == '?' {
		p.i++ // lazy, which decides what is matched first, but not whether
	}
	switch {
	case counted && (least > maxRepeat || most > maxRepeat):
		return p.mistake(fmt.Sprintf("invalid repeat count, above %d", maxRepeat), from)
	case most >= 0 && least > most:
		return p.mistake("invalid repeat count, as the first is above the second", from)
	case repeated:
		return p.mistake("invalid nested repetition operator", from)
	case p.last < 0:
		return p.mistake("missing argument to repetition operator", from)
	}
	switch times := max(least, most); {
	case most == 0:
		p.lastCount = 1
	case counted && times > 0:
		p.lastCount *= times
	}
	if p.lastCount > maxRepeat {
		return p.mistake(fmt.Sprintf("invalid repeat count, above %d with the counts inside", maxRepeat), from)
	}
	p.count = max(p.count, p.lastCount)
	unit := slices.Clone(p.code[p.last:])
	if (len(unit)+1)*max(least, most, 1) > maxCode {
		return errTooLarge(p.text)
	}
	p.code = p.code[:p.last]
	p.copies(unit, least, most)
	p.repeated = true
	return nil
}

// copies emits the code of a repetition.
func (p *parser) copies(unit []inst, least, most int) {
	n := len(unit)
	for range least {
		p.code = append(p.code, unit...)
	}
	switch {
	case most < 0 && least > 0:
		p.emit(inst{op: opSplit, x: int32(-n)})
	case most < 0:
		p.emit(inst{op: opSplit, x: int32(n + 2)})
		p.code = append(p.code, unit...)
		p.emit(inst{op: opJump, x: int32(-n - 1)})
	}
	for left := most - least; left > 0; left-- {
		p.emit(inst{op: opSplit, x: int32(left * (n + 1))})
		p.code = append(p.code, unit...)
	}
}
