package rsh

import (
	"cmp"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// An interop is a run of glibc's rcmd(3), which must end alike with all servers, or with the
// difference that is named.
type interop struct {
	name      string
	client    string // "": root
	user      lab.User
	command   string
	stdin     string
	signal    []string
	one       bool // without a stderr connection
	want      result
	others    map[string]result // by server; those not here answer the same
	different string            // why
}

func interops(u, stranger, noHome, noShell lab.User) []interop {
	const (
		signalled = "trap 'echo got; exit' USR1; echo ready; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done 2>/dev/null; echo nothing came"
		yesFirst  = "rsh-redone says yes before PAM has decided, and no in the output"
	)
	denied, afterYes := result{"", "Permission denied.\n", 1}, result{"Authentication failure\n", "", 0}
	return []interop{
		{name: "output and errors apart", user: u, command: "echo out; echo err >&2", want: result{"out\n", "err\n", 0}},
		{name: "output and errors on one connection", user: u, one: true, command: "echo out; echo err >&2", want: result{"out\nerr\n", "", 0}},
		{name: "input to its end", user: u, command: "cat; echo end", stdin: "some\ninput", want: result{"some\ninputend\n", "", 0}},
		{name: "bytes 0 and 1 are data", user: u, command: "cat", stdin: "\x00\x01\x00\x01a", want: result{"\x00\x01\x00\x01a", "", 0}},
		{name: "much input", user: u, command: "wc -c", stdin: strings.Repeat("i", 300000), want: result{"300000\n", "", 0}},
		{name: "no exit status on the wire", user: u, command: "exit 3", want: result{"", "", 0}},
		{name: "who and where", user: u, command: "id -un; pwd; echo $HOME $USER $SHELL",
			want: result{u.Name + "\n/home/" + u.Name + "\n/home/" + u.Name + " " + u.Name + " /bin/sh\n", "", 0}},
		{name: "a signal", user: u, command: signalled, signal: []string{"10"}, want: result{"ready\ngot\n", ".*", 0},
			others: map[string]result{"redone": {"ready\nnothing came\n", ".*", 0}}, different: "rsh-redone passes few signals on"},
		{name: "a user who trusts nobody", user: stranger, command: "echo no", want: denied,
			others: map[string]result{"redone": afterYes}, different: yesFirst},
		{name: "an unknown user", user: lab.User{Name: "nosuch"}, command: "echo no", want: denied,
			others:    map[string]result{"GNU": {"", "Login incorrect.\n", 1}, "redone": afterYes},
			different: "GNU tells which users there are; " + yesFirst},
		{name: "a home that is missing", client: "boss", user: noHome, command: "pwd", want: result{"", "No remote directory.\n", 1},
			others:    map[string]result{"netkit": {"/\n", ".*", 0}, "GNU": {"/\n", ".*", 0}, "redone": {"/\n", ".*", 0}},
			different: "the others go to /"},
		{name: "a shell that is missing", user: noShell, command: "echo no", want: result{"", "/nowhere: No such file or directory\n", 0},
			others:    map[string]result{"GNU": {"", ".*/rshd: cannot execute /nowhere: No such file or directory\n", 0}, "redone": {"", "", 0}},
			different: "GNU names itself as well; rsh-redone says nothing"},
	}
}

func TestGlibcsRcmdIsServedAsByOthersButForTheNamedDifferences(t *testing.T) {
	t.Parallel()
	const rootsHost = "127.0.0.1 root\n"
	u, stranger := newUser(t, lab.User{}, rootsHost), newUser(t, lab.User{}, "")
	noShell, noHome := newUser(t, lab.User{Shell: "/nowhere"}, rootsHost), lab.NewUser(t, lab.User{Home: "/nowhere"})
	equiv := func(path string) lab.Handler {
		return lab.Handler{Path: path, Room: lab.Room{Files: map[string]string{"/etc/hosts.equiv": "127.0.0.1 boss\n"}}}
	}
	servers := map[string]*lab.Listening{
		"in.rshd": serve(t, trust, trustStack, equiv("")),
		"netkit":  start(t, trustStack, equiv(lab.Deb(t, "rsh-server")+"/usr/sbin/in.rshd")),
		"GNU":     start(t, trustStack, equiv(lab.Inetutils(t, "rshd"))),
		"redone":  start(t, trustStack, equiv(lab.Deb(t, "rsh-redone-server")+"/usr/sbin/in.rshd")),
	}
	for _, c := range interops(u, stranger, noHome, noShell) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			family := "4"
			if c.one {
				family = "-4"
			}
			if (c.others != nil) != (c.different != "") {
				t.Error("a difference without its reason, or a reason without its difference")
			}
			for name, s := range servers {
				want, other := c.others[name]
				if !other {
					want = c.want
				}
				got := glibc(t, s.Addr, cmp.Or(c.client, "root"), c.user.Name, c.command, c.stdin, family, c.signal...)
				compare(t, name, got, want)
			}
		})
	}
}

func TestGlibcsRcmdAfIsServedOverIPv6(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "::1 root\n")
	s := serve(t, trust, trustStack, lab.Handler{Address: "::1"})
	compare(t, "in.rshd", glibc(t, s.Addr, "root", u.Name, "cat; echo err >&2", "in", "6"), result{"in", "err\n", 0})
	s.Log.Wait(t, "Accepted rhosts for "+u.Name+" from ::1 port ")
	compare(t, "a stranger", glibc(t, s.Addr, "other", u.Name, "cat", "in", "6"), result{"", "Permission denied.\n", 1})
}
