package settings

import (
	"fmt"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A Rule is one [[rule]]. What is nil or zero was not given.
type Rule struct {
	Name        string
	Service     []string
	User        []string
	From        []string
	To          []string
	Certificate []string
	Command     *string
	Action      Action

	Run          string
	Shell        *bool
	Environment  map[string]string
	Input        Input
	TimeLimit    time.Duration
	Sessions     int
	Exit         *string // "": none, whatever all sessions have
	LogCommand   *bool
	LoginShell   *bool
	OnDisconnect OnDisconnect
	CloseOnExit  *bool
}

// A Test is one [[test]]: what the rules must make of a request.
type Test struct {
	Service     string
	User        string
	Groups      []string
	From, To    string
	Certificate string
	Command     string
	Expect      string
}

// Action is what a rule does.
type Action string

// The values of Action.
const (
	Allow Action = "allow"
	Deny  Action = "deny"
)

// Input is where a command's standard input comes from.
type Input string

// The values of Input.
const (
	FromClient Input = "client"
	NoInput    Input = "none"
)

func (r *Rule) keys() table {
	return table{
		{name: "name", value: stringValue{&r.Name, "a name"}},
		{name: "service", value: stringsValue{&r.Service}},
		{name: "user", value: stringsValue{&r.User}},
		{name: "from", value: stringsValue{&r.From}},
		{name: "to", value: stringsValue{&r.To}},
		{name: "certificate", value: stringsValue{&r.Certificate}},
		{name: "command", value: optional[string]{&r.Command, patternValue}},
		{name: "action", value: choice(&r.Action, Allow, Deny)},
		{name: "run", value: stringValue{&r.Run, "a command"}},
		{name: "shell", value: optional[bool]{&r.Shell, switchValue}},
		{name: "environment", table: table{{each: func(name string) key {
			return key{value: variableValue{&r.Environment, name}}
		}}}},
		{name: "input", value: choice(&r.Input, FromClient, NoInput)},
		{name: "time_limit", value: timeValue{&r.TimeLimit, time.Second, 8760 * time.Hour}},
		{name: "sessions", value: numberValue{&r.Sessions, "a number", 1, 1_000_000}},
		{name: "exit", value: optional[string]{&r.Exit, exitValue}},
		{name: "log_command", value: optional[bool]{&r.LogCommand, switchValue}},
		{name: "login_shell", value: optional[bool]{&r.LoginShell, switchValue}},
		{name: "on_disconnect", value: choice(&r.OnDisconnect, Continue, Hangup)},
		{name: "close_on_exit", value: optional[bool]{&r.CloseOnExit, switchValue}},
	}
}

func (t *Test) keys() table {
	return table{
		{name: "service", value: stringValue{&t.Service, "a service"}},
		{name: "user", value: stringValue{&t.User, "a name"}},
		{name: "groups", value: stringsValue{&t.Groups}},
		{name: "from", value: stringValue{&t.From, "an address"}},
		{name: "to", value: stringValue{&t.To, "an address"}},
		{name: "certificate", value: stringValue{&t.Certificate, "a name"}},
		{name: "command", value: stringValue{&t.Command, "a command"}},
		{name: "expect", value: stringValue{&t.Expect, `the name of a rule, or "deny"`}},
	}
}

// A stringValue is a string that is not empty.
type stringValue struct {
	field *string
	what  string
}

func (v stringValue) set(n *unstable.Node) *unstable.Node {
	if n.Kind != unstable.String || len(n.Data) == 0 {
		return n
	}
	*v.field = string(n.Data)
	return nil
}

func (v stringValue) allowed() string { return v.what + ", in quotes" }
func (v stringValue) String() string  { return textValue{v.field}.String() }

// A stringsValue is a list of strings. It has at least one: an empty list could
// be taken for everybody, or for nobody.
type stringsValue struct{ field *[]string }

func (v stringsValue) set(n *unstable.Node) *unstable.Node {
	var list []string
	wrong := setList(n, func(text string) bool {
		list = append(list, text)
		return text != ""
	})
	if wrong == nil && len(list) == 0 {
		return n
	}
	if wrong == nil {
		*v.field = list
	}
	return wrong
}

func (stringsValue) allowed() string { return `a list of strings, as in ["a", "b"], with at least one` }

func (v stringsValue) String() string {
	list := make([]string, len(*v.field))
	for i := range list {
		list[i] = textValue{&(*v.field)[i]}.String()
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// An optional value remembers whether it was given.
type optional[T any] struct {
	field **T
	of    func(*T) value
}

func switchValue(field *bool) value    { return boolValue{field} }
func patternValue(field *string) value { return textValue{field} }
func exitValue(field *string) value    { return programValue{field} }

func (v optional[T]) set(n *unstable.Node) *unstable.Node {
	given := new(T)
	wrong := v.of(given).set(n)
	if wrong == nil {
		*v.field = given
	}
	return wrong
}

func (v optional[T]) allowed() string { return v.of(nil).allowed() }

func (v optional[T]) String() string {
	if *v.field == nil {
		return ""
	}
	return v.of(*v.field).String()
}

// A textValue is any string.
type textValue struct{ field *string }

func (v textValue) set(n *unstable.Node) *unstable.Node {
	if n.Kind != unstable.String {
		return n
	}
	*v.field = string(n.Data)
	return nil
}

func (textValue) allowed() string { return "a string in quotes" }

// String writes a string of TOML, which has other escapes than Go.
func (v textValue) String() string {
	var text strings.Builder
	for _, c := range *v.field {
		switch {
		case c == '"' || c == '\\':
			text.WriteString("\\" + string(c))
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&text, "\\u%04x", c)
		default:
			text.WriteRune(c)
		}
	}
	return `"` + text.String() + `"`
}

// A variableValue is one variable of an environment.
type variableValue struct {
	field *map[string]string
	name  string
}

func (v variableValue) set(n *unstable.Node) *unstable.Node {
	var text string
	if wrong := (textValue{&text}).set(n); wrong != nil {
		return wrong
	}
	if *v.field == nil {
		*v.field = map[string]string{}
	}
	(*v.field)[v.name] = text
	return nil
}

func (variableValue) allowed() string  { return textValue{}.allowed() }
func (v variableValue) String() string { text := (*v.field)[v.name]; return textValue{&text}.String() }
