// Package regex matches byte strings against regular expressions in RE2's syntax,
// as package regexp/syntax documents it. It answers one question, whether an
// expression matches all of a string, in a time that is bounded by the product of
// both lengths (Thompson's construction, without backtracking).
//
// Package regexp is not used, as it brings package unicode's tables: 140 KB that
// the loader relocates, and so writes to, in each process. This package differs
// from it where bytes differ from characters: . and classes match one byte, (?i)
// folds the letters of ASCII only, \C is any byte, and Unicode's classes and values
// above \xff are mistakes, as no byte could match. (?s) is set at the start.
package regex

// An inst is one instruction. All jumps are relative, so that code can be copied
// and moved as it is.
type inst struct {
	op   op
	char byte  // of opByte; the assertion of opAssert
	x    int32 // where opJump and opSplit lead from here; the index of opSet's set
}

type op uint8

const (
	opByte   op = iota // one byte, char
	opSet              // one byte of a set
	opAssert           // nothing, where the assertion holds
	opJump             // go on at x
	opSplit            // go on both at the next instruction and at x
	opMatch            // the end of the code
)

// The assertions, as bits: a position meets some of them.
const (
	beginText = 1 << iota
	endText
	beginLine
	endLine
	wordBoundary
	noWordBoundary
)

// A set is the bytes of a class, one bit each.
type set [256 / 64]uint64

func (s *set) has(c byte) bool { return s[c>>6]>>(c&63)&1 != 0 }

func (s *set) add(lo, hi byte) {
	for c := int(lo); c <= int(hi); c++ {
		s[c>>6] |= 1 << (c & 63)
	}
}

// fold adds the other case of each letter.
func (s *set) fold() {
	for c := byte('a'); c <= 'z'; c++ {
		if upper := c - 'a' + 'A'; s.has(c) || s.has(upper) {
			s.add(c, c)
			s.add(upper, upper)
		}
	}
}

func (s *set) union(other *set, negated bool) {
	for i := range s {
		if negated {
			s[i] |= ^other[i]
		} else {
			s[i] |= other[i]
		}
	}
}

// A Program is a compiled expression, which any number of goroutines may use.
type Program struct {
	code    []inst
	sets    []set
	asserts bool // there are assertions: positions have to be looked at
}

// Match reports whether the expression matches s from its first byte to its last.
func (p *Program) Match(s string) bool {
	var few [4 * 64]int32 // enough for most expressions, without the heap
	space := few[:]
	n := len(p.code)
	if 4*n > len(space) {
		space = make([]int32, 4*n)
	}
	m := machine{Program: p, seen: space[:n], stack: space[n : n : 2*n]}
	now, next := space[2*n:2*n:3*n], space[3*n:3*n:4*n]
	now = m.follow(now, 0, 1, p.position(s, 0))
	for i := range len(s) {
		if len(now) == 0 {
			return false
		}
		at := p.position(s, i+1)
		m.matched, next = false, next[:0]
		for _, pc := range now {
			in := p.code[pc]
			if in.op == opByte && in.char == s[i] || in.op == opSet && p.sets[in.x].has(s[i]) {
				next = m.follow(next, pc+1, int32(i+2), at)
			}
		}
		now, next = next, now
	}
	return m.matched
}

// A machine is the state of a match. Each instruction is looked at once for each
// position in the string, which is what bounds the time.
type machine struct {
	*Program
	seen    []int32 // the step in which an instruction was last looked at; from 1
	stack   []int32
	matched bool // the end of the code was reached in this step
}

// follow adds to list the instructions that wait for a byte and that can be reached
// from pc without one.
func (m *machine) follow(list []int32, pc, step int32, at uint8) []int32 {
	stack := m.stack
	for {
		for m.seen[pc] != step {
			m.seen[pc] = step
			switch in := m.code[pc]; in.op {
			case opByte, opSet:
				list = append(list, pc)
			case opMatch:
				m.matched = true
			case opAssert:
				if in.char&at != 0 {
					pc++
				}
			case opJump:
				pc += in.x
			case opSplit:
				stack = append(stack, pc+in.x)
				pc++
			}
		}
		if len(stack) == 0 {
			return list
		}
		pc, stack = stack[len(stack)-1], stack[:len(stack)-1]
	}
}

// position returns the assertions that hold before s[i].
func (p *Program) position(s string, i int) (at uint8) {
	if !p.asserts {
		return 0
	}
	before, after := i > 0 && isWord(s[i-1]), i < len(s) && isWord(s[i])
	if i == 0 {
		at |= beginText | beginLine
	} else if s[i-1] == '\n' {
		at |= beginLine
	}
	if i == len(s) {
		at |= endText | endLine
	} else if s[i] == '\n' {
		at |= endLine
	}
	if before != after {
		return at | wordBoundary
	}
	return at | noWordBoundary
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlnum(c byte) bool { return isDigit(c) || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' }

func isWord(c byte) bool { return c == '_' || isAlnum(c) }
