package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestNetrcGrammar(t *testing.T) {
	entry := func(machine, user, password string) netrcEntry {
		return netrcEntry{machine: machine,
			credentials: credentials{user: user, hasUser: true, password: password, hasPassword: true}}
	}
	for _, row := range []struct {
		name, text string
		want       []netrcEntry
	}{
		{"empty", "", nil},
		{"one line", "machine h login l password p", []netrcEntry{entry("h", "l", "p")}},
		{"one word a line", "machine\nh\nlogin\nl\npassword\np\n", []netrcEntry{entry("h", "l", "p")}},
		{"tabs, CR LF", "machine h\r\n\tlogin l\r\n\tpassword p\r\n", []netrcEntry{entry("h", "l", "p")}},
		{"passwd", "machine h login l passwd p", []netrcEntry{entry("h", "l", "p")}},
		{"account", "machine h login l account a password p", []netrcEntry{entry("h", "l", "p")}},
		{"two", "machine h login l password p machine i login m password q", []netrcEntry{entry("h", "l", "p"), entry("i", "m", "q")}},
		{"default", "default login l password p", []netrcEntry{{isAny: true, credentials: entry("", "l", "p").credentials}}},
		{"no login", "machine h password p", []netrcEntry{{machine: "h", credentials: credentials{password: "p", hasPassword: true}}}},
		{"no password", "machine h login l", []netrcEntry{{machine: "h", credentials: credentials{user: "l", hasUser: true}}}},
		{"empty password", `machine h login l password ""`, []netrcEntry{entry("h", "l", "")}},
		{"quotes", `machine h login "a b" password "p \"q\" \\ r"`, []netrcEntry{entry("h", "a b", `p "q" \ r`)}},
		{"escapes without quotes", `machine h login a\ b password p\"q\\`, []netrcEntry{entry("h", "a b", `p"q\`)}},
		{"quote inside a word", `machine h login l password p"q"`, []netrcEntry{entry("h", "l", `p"q"`)}},
		{"backslash at the end", `machine h login l password p\`, []netrcEntry{entry("h", "l", `p\`)}},
		{"password like a keyword", "machine h login login password machine", []netrcEntry{entry("h", "login", "machine")}},
		{"password like a comment", "machine h login l password #p", []netrcEntry{entry("h", "l", "#p")}},
		{"comments", "# machine x\nmachine h # of mine password x\nlogin l\n#login x\npassword p", []netrcEntry{entry("h", "l", "p")}},
		{"comma", "machine h login l password p,q", []netrcEntry{entry("h", "l", "p,q")}},
		{"macro", "machine h login l password p\nmacdef init\nmachine x login y\n\nmachine i login m password q", []netrcEntry{entry("h", "l", "p"), entry("i", "m", "q")}},
		{"macro to the end", "machine h login l password p macdef init\ncd /pub\nmachine x", []netrcEntry{entry("h", "l", "p")}},
		{"macro with an empty body", "macdef init\n\nmachine h login l password p", []netrcEntry{entry("h", "l", "p")}},
		{"macro with CR LF", "macdef init\r\ncd x\r\n\r\nmachine h login l password p", []netrcEntry{entry("h", "l", "p")}},
		{"unknown words", "machine h port 512 login l password p", []netrcEntry{entry("h", "l", "p")}},
		{"bytes", "machine h login l password \xff\xfe", []netrcEntry{entry("h", "l", "\xff\xfe")}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := parseNetrc(row.text)
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("parseNetrc(%q) = %+v, %v; want %+v", row.text, got, err, row.want)
			}
		})
	}
}

func TestNetrcMistakesHaveALineAndNoSecrets(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"machine h\nlogin l\npassword", "3: password needs a value"},
		{"machine", "1: machine needs a value"},
		{"\nlogin l", "2: login before any machine or default"},
		{"machine h\npassword \"s3cret\nmore", "2: a quoted word does not end"},
		{"\n\nmacdef", "3: macdef needs a value"},
		{"macdef m\na\nb\n\nlogin l", "5: login before any machine or default"},
	} {
		if _, err := parseNetrc(row.text); err == nil || err.Error() != row.want {
			t.Errorf("parseNetrc(%q): error %v, want %s", row.text, err, row.want)
		}
	}
}

func TestNetrcEntryOfHostAndUser(t *testing.T) {
	entries, err := parseNetrc(`
machine one login ann password 1
machine ONE login bob password 2
machine two password 3
machine ::1 login six password 6
default login any password 4`)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		host, user string // "" = not known
		password   string // "" = none
	}{
		{"one", "", "1"}, {"One", "ann", "1"}, {"one", "bob", "2"}, {"two", "", "3"}, {"two", "zoe", "3"},
		{"three", "", "4"}, {"three", "any", "4"}, {"three", "zoe", ""}, {"one", "any", "4"}, {"[::1]", "", "6"},
	} {
		got := lookupNetrc(entries, row.host, credentials{user: row.user, hasUser: row.user != ""})
		if got.password != row.password {
			t.Errorf("%q at %s: password %q, want %q", row.user, row.host, got.password, row.password)
		}
	}
}

// FuzzNetrc: no text breaks the parser, and what it read is written with all
// in quotes and read again as the same.
func FuzzNetrc(f *testing.F) {
	for _, seed := range []string{
		"machine h login l password p", `machine "a b" login \" passwd ""`, "macdef m\nx\n\ndefault account a", "# c\nmachine h # d\n", `machine h password "x`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := parseNetrc(text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of more than one line: %q", err)
			}
			return
		}
		again, err := parseNetrc(writeNetrc(entries))
		if err != nil || !reflect.DeepEqual(again, entries) {
			t.Errorf("%q is %+v, and written and read again %+v, %v", text, entries, again, err)
		}
	})
}

func writeNetrc(entries []netrcEntry) string {
	var b strings.Builder
	quote := func(word string) string {
		return ` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + "\"\n"
	}
	for _, e := range entries {
		if e.isAny {
			b.WriteString("default\n")
		} else {
			b.WriteString("machine" + quote(e.machine))
		}
		if e.hasUser {
			b.WriteString("login" + quote(e.user))
		}
		if e.hasPassword {
			b.WriteString("password" + quote(e.password))
		}
	}
	return b.String()
}
