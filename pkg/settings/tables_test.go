package settings

import (
	"fmt"
	"strings"
	"testing"
)

// A roster has what the settings of the server do not have yet: a list of
// tables, and tables in its elements.
type roster struct {
	Open  bool
	Site  int
	Rules []rule
}

type rule struct {
	User  string
	Port  int
	Limit struct{ Port int }
}

const (
	alice = "alice"
	bob   = "bob"
)

func (r *roster) keys() table {
	return table{
		{name: "open", value: boolValue{&r.Open}},
		{name: "site", table: table{{name: "limit", table: table{{name: "port", value: numberValue{&r.Site, "a port number", 1, 65535}}}}}},
		{name: "rule", list: tablesOf[rule]{&r.Rules, (*rule).keys}},
	}
}

func (r *rule) keys() table {
	return table{
		{name: "user", value: choice(&r.User, alice, bob)},
		{name: "port", value: numberValue{&r.Port, "a port number", 1, 65535}},
		{name: "limit", table: table{{name: "port", value: numberValue{&r.Limit.Port, "a port number", 1, 65535}}}},
	}
}

func TestAListOfTablesIsReadInOrder(t *testing.T) {
	for text, want := range map[string]string{
		"open = true\n[[rule]]\nuser = 'alice'\n[[rule]]\nport = 2\nuser = 'bob'": "{true 0 [{alice 0 {0}} {bob 2 {0}}]}",
		"[[rule]]\n[rule.limit]\nport = 1\n[[rule]]\n[rule.limit]\nport = 2":      "{false 0 [{ 0 {1}} { 0 {2}}]}",
		"[[rule]]\nlimit.port = 1\n[[rule]]\nlimit = {port = 2}":                  "{false 0 [{ 0 {1}} { 0 {2}}]}",
		"rule = [{user = 'bob', limit.port = 1}, {port = 9}, {}]":                 "{false 0 [{bob 0 {1}} { 9 {0}} { 0 {0}}]}",
		"rule = []":                      "{false 0 []}",
		"[site.limit]\nport = 7\n[site]": "{false 7 []}",
		"site.limit.port = 7":            "{false 7 []}",
		"[site]\nlimit = {port = 7}":     "{false 7 []}",
		"[[rule]]":                       "{false 0 [{ 0 {0}}]}",
	} {
		var r roster
		err := new(Sources).decode("FILE", []byte(text), r.keys())
		if got := fmt.Sprint(r); err != nil || got != want {
			t.Errorf("%q: %v, %s; want %s", text, err, got, want)
		}
	}
}

func TestErrorsInALaterTableNameTheirOwnPlace(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"[[rule]]\nport = 1\n\n[[rule]]\nport = 0", `5:8: rule.port = 0: must be a port number from 1 to 65535`},
		{"[[rule]]\nuser = 'bob'\n[[rule]]\n  user = 'eve'", `4:10: rule.user = "eve": must be "alice" or "bob"`},
		{"[[rule]]\nuser = 'bob'\n[[rule]]\nuser = []", `4:8: rule.user = a list: must be "alice" or "bob"`},
		{"[[rule]]\n[[rule]]\nport = 1\nx = 1", `4:1: unknown setting "rule.x": the settings of [rule] are user, port, [limit]`},
		{"[[rule]]\n[[rule]]\nopen = true", `3:1: unknown setting "rule.open": open must come before the first table`},
		{"[[rule]]\n[[rule]]\nport = 1\nport = 2", `4:1: rule.port is defined twice, first in line 3`},
		{"[[rule]]\n[rule.limit]\n[[rule]]\n[rule.limit]\n[rule.limit]", `5:7: rule.limit is defined twice, first in line 4`},
		{"[[rule]]\n[[rule]]\n[rule.limit]\nport = 'x'", `4:8: rule.limit.port = "x": must be a port number`},
		{"[[rule]]\n[[rule]]\n[rule.user]", `3:7: rule.user = a table: must be "alice" or "bob"`},
		{"[rule]\nport = 1", `1:2: rule = a table: must be a list of tables, [[rule]]`},
		{"rule.port = 1", `1:1: rule = a table: must be a list of tables, [[rule]]`},
		{"[rule.limit]", `1:2: rule = a table: must be a list of tables, [[rule]]`},
		{"rule = {port = 1}", `1:8: rule = a table: must be a list of tables, [[rule]]`},
		{"rule = [{port = 1}, 7]", `1:21: rule = [7]: must be a list of tables, [[rule]]`},
		{"rule = [{port = 1}, {port = 0}]", `1:29: rule.port = 0: must be a port number`},
		{"rule = [{port = 1}]\n[[rule]]", `2:3: rule is defined twice, first in line 1`},
		{"[[rule]]\n[rule]", `2:2: rule = a table: must be a list`},
		{"[[rule]]\n[[rule.limit]]", `2:8: rule.limit = a list of tables: must be one table, [rule.limit]`},
		{"rule = []\n[rule.limit]", `2:2: rule is defined twice, first in line 1`},
		{"[site.limit]\n[site]\n[site]", `3:2: site is defined twice, first in line 1`},
		{"site.limit.port = 7\n[site.limit]", `2:7: site.limit is defined twice, first in line 1`},
		{"site = {}\n[site.limit]", `2:2: site is defined twice, first in line 1`},
		{"rule = []\nrule = []", `2:1: rule is defined twice, first in line 1`},
	} {
		var r roster
		err := new(Sources).decode("FILE", []byte(tt.text), r.keys())
		if err == nil || !strings.HasPrefix(err.Error(), "FILE:"+tt.want) {
			t.Errorf("%q:\n got %v\nwant FILE:%s", tt.text, err, tt.want)
		}
	}
}

func TestAListInALaterFileReplacesTheEarlier(t *testing.T) {
	var r roster
	var from Sources
	for _, text := range []string{"[[rule]]\nport = 1\n[[rule]]\nport = 2", "open = true", "[[rule]]\nport = 3"} {
		if err := from.decode("FILE", []byte(text), r.keys()); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := fmt.Sprint(r), "{true 0 [{ 3 {0}}]}"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
	if err := from.decode("FILE", []byte("rule = []"), r.keys()); err != nil || len(r.Rules) > 0 {
		t.Errorf("an empty list: %v, %v", err, r.Rules)
	}
}

// Places are counted on from the last one, over every table in between.
func TestALongListKeepsItsPlaces(t *testing.T) {
	const n = 1 << 16
	text := strings.Repeat("[[rule]]\nport = 1\n", n) + "[[rule]]\nport = 0\n"
	var r roster
	err := new(Sources).decode("FILE", []byte(text), r.keys())
	if want := fmt.Sprintf("FILE:%d:8: rule.port = 0: ", 2*n+2); err == nil || !strings.HasPrefix(err.Error(), want) || len(r.Rules) != n+1 {
		t.Errorf("%d tables, %v; want %s", len(r.Rules), err, want)
	}
}
