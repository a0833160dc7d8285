package interop

import (
	"crypto/rand"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// patience is how long a client gets in these tables that waits for a second connection: those
// that have one end in half a second, and those that wait do so for ever, or, as GNU's, for 5
// seconds.
const patience = 15 * time.Second

// A try is a column of the table: what every client is to do through what is between.
type try struct {
	command, stdin string
	stderr         bool
	want           result
}

var tries = []try{
	{"cat; echo err >&2", "in\n", false, result{out: "in\nerr\n"}},
	{"cat; sleep 1; echo late", "", false, result{out: "late\n"}},
	{"cat; echo err >&2", "in\n", true, result{out: "in\n", err: "err\n"}},
}

// cell is "yes" if every client manages, "no" if none does, and otherwise the names of those that
// do.
func (b between) cell(t *testing.T, at target, try try) string {
	clients := append([]client{ours}, foreign...)
	ends := make([]bool, len(clients))
	var all sync.WaitGroup
	for i, c := range clients {
		line := c.line(t, at, alice, try.command, try.stderr)
		all.Add(1)
		go func() {
			defer all.Done()
			got, ended := attempt(t, patience, at.namespace, try.stdin, line...)
			ends[i] = ended && got.out == try.want.out && got.err == try.want.err && got.status == 0
			t.Logf("%s, %s: %v, ended %v, %+v", b.name, c.name, try.stderr, ended, got)
			if !ended && (c.name == ours.name || c.name == gnu.name) && !strings.Contains(b.name, "drops") {
				t.Errorf("%s hangs", c.name)
			}
		}()
	}
	all.Wait()
	var names []string
	for i, c := range clients {
		if ends[i] {
			names = append(names, c.short)
		}
	}
	switch len(names) {
	case 0:
		return "no"
	case len(clients):
		return "yes"
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return strings.Join(names, ", ")
}

// TestTheManualsTableOfProxiesAndGateways makes the table by trying, writes it to
// build/between.mdoc, and holds in.rexecd(8) against it.
func TestTheManualsTableOfProxiesAndGateways(t *testing.T) {
	prepare(t)
	rows := make([]string, len(betweens))
	t.Run("between", func(t *testing.T) {
		for i, b := range betweens {
			t.Run(b.name, func(t *testing.T) {
				t.Parallel()
				at := b.open(t)
				row := ".It " + b.name
				for _, try := range tries {
					row += " Ta " + b.cell(t, at, try)
				}
				rows[i] = row + "\n"
			})
		}
	})
	table := `.Bl -column "redirecting and masquerading gateway" "yes" "late output" "commons-net, glibc, GNU"` + "\n" +
		".It Sy in between Ta Sy one Ta Sy late output Ta Sy two\n" + strings.Join(rows, "") + ".El\n"
	if err := os.WriteFile("../../build/between.mdoc", []byte(table), 0o644); err != nil {
		t.Error(err)
	}
	manual, err := os.ReadFile("../../cmd/in.rexecd/in.rexecd.8")
	if err != nil {
		t.Fatal(err)
	}
	section := regexp.MustCompile(`(?s)\.Sh BEHIND A PROXY OR A GATEWAY\n.*?(\.Bl -column.*?\.El\n)`).FindSubmatch(manual)
	if section == nil || string(section[1]) != table {
		t.Errorf("in.rexecd.8 does not have what this run found; it is in build/between.mdoc:\n%s", table)
	}
}

// columns are those of README's table of clients: each runs commands and says what was found.
var columns = []struct {
	name string
	try  func(*testing.T, client, target) string
}{
	{"bytes both ways", func(t *testing.T, c client, at target) string {
		data := make([]byte, 1<<20)
		rand.Read(data)
		data[0] = 0
		if c.run(t, at, alice, "cat", string(data), true).out == string(data) {
			return "yes"
		}
		text := strings.Repeat("not 0 or 1\n", 100000)
		if c.run(t, at, alice, "cat", text, true).out == text {
			return "text only"
		}
		return "no"
	}},
	{"standard error", func(t *testing.T, c client, at target) string {
		if r := c.run(t, at, alice, "echo out; echo err >&2", "", true); r.out != "out\n" || r.err != "err\n" {
			return "no"
		}
		return "separate"
	}},
	{"one connection", func(t *testing.T, c client, at target) string {
		if r := c.run(t, at, alice, "cat; echo err >&2", "in\n", false); r.out != "in\nerr\n" {
			return "no"
		}
		return "yes"
	}},
	{"a wrong password", func(t *testing.T, c client, at target) string {
		return c.refused(t, at, lab.User{Name: alice.Name, Password: "wrong"})
	}},
	{"too many failures", func(t *testing.T, c client, _ target) string { return c.refused(t, penalised(t), alice) }},
}

// refused is what the client shows of a refusal, and where.
func (c client) refused(t *testing.T, at target, u lab.User) string {
	t.Helper()
	r, ended := attempt(t, bound, at.namespace, "", c.line(t, at, u, "true", true)...)
	switch text := strings.TrimSpace(r.out + r.err); {
	case !ended:
		return "hangs"
	case r.out != "":
		return "“" + text + "” as output"
	default:
		return "“" + strings.TrimPrefix(text, "rexec: "+at.host+": ") + "”"
	}
}

// TestREADMEsTableOfClients makes the table by trying, writes it to build/clients.md, and holds
// README against it.
func TestREADMEsTableOfClients(t *testing.T) {
	t.Parallel()
	prepare(t)
	table := "| client |"
	for _, column := range columns {
		table += " " + column.name + " |"
	}
	table += "\n|---|" + strings.Repeat("---|", len(columns)) + "\n"
	_, at := serve(t, "")
	for _, c := range append([]client{ours}, foreign...) {
		table += "| " + c.name + " |"
		for _, column := range columns {
			table += " " + column.try(t, c, at) + " |"
		}
		table += "\n"
	}
	if err := os.WriteFile("../../build/clients.md", []byte(table), 0o644); err != nil {
		t.Error(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "<!-- clients -->\n")
	if shown, _, _ := strings.Cut(rest, "<!-- /clients -->"); shown != table {
		t.Errorf("README.md does not have what this run found; it is in build/clients.md:\n%s", table)
	}
}
