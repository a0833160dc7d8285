package session

import (
	"slices"
	"strings"
	"testing"
)

func TestEnvironmentIsTheUsersThenPAMs(t *testing.T) {
	alice := User{Name: "alice", UID: 1000, Home: "/home/alice", Shell: "/bin/sh"}
	root := User{Name: "root", UID: 0, Home: "/root", Shell: "/bin/bash"}
	const client = "192.0.2.7 40112 512"
	own := func(u User, path string) []string {
		return []string{"HOME=" + u.Home, "SHELL=" + u.Shell, "USER=" + u.Name, "LOGNAME=" + u.Name, "PATH=" + path, "REXEC_CLIENT=" + client}
	}
	for _, tt := range []struct {
		name string
		user User
		pam  []string
		want []string
	}{
		{"alice", alice, nil, own(alice, userPath)},
		{"root", root, nil, own(root, rootPath)},
		{"variables of PAM", alice, []string{"LANG=C.UTF-8", "EMPTY=", "EQUALS=a=b", "KRB5CCNAME=FILE:/tmp/x"}, append(own(alice, userPath), "LANG=C.UTF-8", "EMPTY=", "EQUALS=a=b", "KRB5CCNAME=FILE:/tmp/x")},
		{"PATH may come from PAM", alice, []string{"PATH=/opt/bin"}, own(alice, "/opt/bin")},
		{"who the user is may not", alice, []string{"HOME=/root", "SHELL=/bin/evil", "USER=root", "LOGNAME=root", "REXEC_CLIENT=x", "REXEC_ORIGINAL_COMMAND=x"}, own(alice, userPath)},
		{"nor what runs other code", alice, []string{"LD_PRELOAD=/x", "LD_LIBRARY_PATH=/x", "LD_AUDIT=", "LD_=x", "IFS=/", "BASH_ENV=/x", "ENV=/x", "SHELLOPTS=xtrace", "BASHOPTS=x", "PS4=$(x)", "BASH_FUNC_id%%=() { x; }"}, own(alice, userPath)},
		{"nor what is no variable", alice, []string{"", "=x", "NOVALUE"}, own(alice, userPath)},
		{"names that only look like those", alice, []string{"LDX=1", "ENVX=1", "XHOME=1"}, append(own(alice, userPath), "LDX=1", "ENVX=1", "XHOME=1")},
	} {
		if got := Environment(tt.user, client, tt.pam); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n%q\nwant\n%q", tt.name, got, tt.want)
		}
	}
}

func TestARulesVariablesTakeThePlaceOfOthers(t *testing.T) {
	got := With([]string{"A=1", "PATH=/bin", "AB=2"}, map[string]string{"PATH": "/opt", "LANG": "C", "A": ""})
	if want := []string{"A=", "PATH=/opt", "AB=2", "LANG=C"}; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
}

func TestProgramsAreLookedForInAbsoluteDirectoriesOnly(t *testing.T) {
	for _, tt := range []struct {
		path, program string
		want          []string
	}{
		{"/usr/bin:/bin", "ls", []string{"/usr/bin/ls", "/bin/ls"}},
		{"/usr/bin/::.:bin:/:", "ls", []string{"/usr/bin/ls", "/ls"}},
		{"", "ls", nil},
		{"/bin", "/opt/x", []string{"/opt/x"}},
		{"/bin", "jobs/x", []string{"/home/alice/jobs/x"}},
	} {
		if got := Path([]string{"XPATH=/x", "PATH=" + tt.path}, "/home/alice", tt.program); !slices.Equal(got, tt.want) {
			t.Errorf("%q, %s: %q; want %q", tt.path, tt.program, got, tt.want)
		}
	}
}

func TestNothingOfThisProcessIsInTheEnvironment(t *testing.T) {
	for _, name := range []string{"LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY", "REMOTE_ADDR", "MAINPID", "GODEBUG"} {
		t.Setenv(name, "leaked")
	}
	for _, v := range Environment(User{Name: "a", UID: 1}, "c", nil) {
		if strings.Contains(v, "leaked") {
			t.Errorf("%q", v)
		}
	}
}
