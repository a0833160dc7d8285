package settings

import (
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A table is the keys that a table of the file may have.
type table []key

// A key is a name in a table. It has a value, or is a table itself, or a list
// of tables. Without a name it stands for every other one.
type key struct {
	name  string
	value value
	table table  // [name]
	list  tables // [[name]]
	each  func(name string) key
}

// tables are a list of tables. A file that has the list replaces an earlier
// file's.
type tables interface {
	reset()
	next() table // adds an element
	elements() []table
}

type tablesOf[T any] struct {
	field *[]T
	keys  func(*T) table
}

func (l tablesOf[T]) reset() { *l.field = nil }

func (l tablesOf[T]) next() table {
	*l.field = append(*l.field, *new(T))
	return l.keys(&(*l.field)[len(*l.field)-1])
}

func (l tablesOf[T]) elements() []table {
	all := make([]table, len(*l.field))
	for i := range all {
		all[i] = l.keys(&(*l.field)[i])
	}
	return all
}

func (t table) find(name string) *key {
	for i := range t {
		if t[i].name == name && t[i].each == nil {
			return &t[i]
		}
		if t[i].each != nil {
			k := t[i].each(name)
			k.name = name
			return &k
		}
	}
	return nil
}

// A value is a field that a key of the file sets.
type value interface {
	// set takes a value of the file. It returns the node that is not allowed:
	// the value itself, or an element of it.
	set(n *unstable.Node) (wrong *unstable.Node)
	allowed() string // completes "must be"
	String() string  // in the grammar of the file
}

type boolValue struct{ field *bool }

func (v boolValue) set(n *unstable.Node) *unstable.Node {
	if n.Kind != unstable.Bool {
		return n
	}
	*v.field = isTrue(n)
	return nil
}

func (boolValue) allowed() string  { return "true or false" }
func (v boolValue) String() string { return strconv.FormatBool(*v.field) }

func isTrue(n *unstable.Node) bool { return string(n.Data) == "true" }

// A numberValue is a number of something, such as "port number".
type numberValue struct {
	field       *int
	what        string
	least, most int
}

func (v numberValue) set(n *unstable.Node) *unstable.Node {
	i, ok := integer(n)
	if !ok || i < int64(v.least) || i > int64(v.most) {
		return n
	}
	*v.field = int(i)
	return nil
}

func (v numberValue) allowed() string {
	return v.what + " from " + strconv.Itoa(v.least) + " to " + strconv.Itoa(v.most)
}

func (v numberValue) String() string { return strconv.Itoa(*v.field) }

// integer returns an integer of the file, in any of TOML's bases. The parser
// has checked its digits, not its size.
func integer(n *unstable.Node) (int64, bool) {
	if n.Kind != unstable.Integer {
		return 0, false
	}
	i, err := strconv.ParseInt(string(n.Data), 0, 64)
	return i, err == nil
}

type timeValue struct {
	field       *time.Duration
	least, most time.Duration
}

func (v timeValue) set(n *unstable.Node) *unstable.Node {
	d, ok := duration(n)
	if !ok || d < v.least || d > v.most {
		return n
	}
	*v.field = d
	return nil
}

func (v timeValue) allowed() string {
	return "a time from " + formatTime(v.least) + " to " + formatTime(v.most) + `, as in 30 (seconds) or "1m30s"`
}

func (v timeValue) String() string { return strconv.Quote(formatTime(*v.field)) }

// duration returns a time of the file: a whole number of seconds, or a string
// with units.
func duration(n *unstable.Node) (time.Duration, bool) {
	if seconds, ok := integer(n); ok {
		d := time.Duration(seconds) * time.Second
		return d, d/time.Second == time.Duration(seconds)
	}
	text := string(n.Data)
	if n.Kind != unstable.String || strings.Trim(text, "0123456789+-.") == "" { // ParseDuration takes "0"
		return 0, false
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

// formatTime writes 1m30s and 1h, where Duration.String has 1h0m0s.
func formatTime(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// A choiceValue is one of several words.
type choiceValue[T ~string] struct {
	field *T
	words []T
}

func choice[T ~string](field *T, words ...T) choiceValue[T] { return choiceValue[T]{field, words} }

func (v choiceValue[T]) set(n *unstable.Node) *unstable.Node {
	if n.Kind == unstable.String {
		for _, word := range v.words {
			if string(n.Data) == string(word) {
				*v.field = word
				return nil
			}
		}
	}
	return n
}

func (v choiceValue[T]) allowed() string {
	var text strings.Builder
	for i, word := range v.words {
		switch {
		case i > 0 && i == len(v.words)-1:
			text.WriteString(" or ")
		case i > 0:
			text.WriteString(", ")
		}
		text.WriteString(strconv.Quote(string(word)))
	}
	return text.String()
}

func (v choiceValue[T]) String() string { return strconv.Quote(string(*v.field)) }

// setList sets a list whose elements are strings.
func setList(n *unstable.Node, add func(element string) bool) *unstable.Node {
	if n.Kind != unstable.Array {
		return n
	}
	for all := n.Children(); all.Next(); {
		if e := all.Node(); e.Kind != unstable.String || !add(string(e.Data)) {
			return e
		}
	}
	return nil
}

// formatList writes a list of strings.
func formatList(elements []string) string {
	quoted := make([]string, len(elements))
	for i, e := range elements {
		quoted[i] = strconv.Quote(e)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
