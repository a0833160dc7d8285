package settings

import (
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A domainValue is the form of a user name in a domain.
type domainValue struct{ field *string }

func (v domainValue) set(n *unstable.Node) *unstable.Node {
	text := string(n.Data)
	rest := strings.Replace(text, "%u", "", 1)
	bad := func(c rune) bool { return c <= ' ' || c == 0x7f || strings.ContainsRune("%/:", c) }
	switch {
	case n.Kind != unstable.String:
		return n
	case text == "":
	case rest == text, strings.ContainsFunc(rest, bad), strings.Trim(rest, `@\`) == "", text[0] == '-':
		return n
	}
	*v.field = text
	return nil
}

func (domainValue) allowed() string {
	return `a name with one %u, as in "%u@example.com" or 'EXAMPLE\%u', or "" for none`
}

func (v domainValue) String() string { return strconv.Quote(*v.field) }

// A programValue is the path of a program.
type programValue struct{ field *string }

func (v programValue) set(n *unstable.Node) *unstable.Node {
	path := string(n.Data)
	if n.Kind != unstable.String || path != "" && path[0] != '/' || strings.IndexByte(path, 0) >= 0 {
		return n
	}
	*v.field = path
	return nil
}

func (programValue) allowed() string {
	return `the absolute path of a program, without arguments, or "" for none`
}

func (v programValue) String() string { return strconv.Quote(*v.field) }
