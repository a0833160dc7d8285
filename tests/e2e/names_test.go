package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// caseless installs a name service whose names have no case.
func caseless(t *testing.T) map[string]string {
	t.Helper()
	libc, err := filepath.Glob("/lib/*/libc.so.6")
	if err != nil || len(libc) != 1 {
		t.Fatalf("libc: %q, %v", libc, err)
	}
	lab.Run(t, "cc", "-shared", "-fPIC", "-o", filepath.Dir(libc[0])+"/libnss_caseless.so.2", "testdata/nss-caseless.c")
	conf, err := os.ReadFile("/etc/nsswitch.conf")
	if err != nil {
		t.Fatal(err)
	}
	const line = "passwd:"
	if !strings.Contains(string(conf), line) {
		t.Fatalf("nsswitch.conf: %s", conf)
	}
	return map[string]string{"/etc/nsswitch.conf": strings.Replace(string(conf), line, line+" files caseless #", 1)}
}

// The account's own name goes to PAM, or a deny list and a tally of failures would know the user
// by as many names as there are spellings. The log has both.
func TestPAMGetsTheAccountsOwnName(t *testing.T) {
	t.Parallel()
	u, denied := newUser(t, lab.User{}), newUser(t, lab.User{})
	files := caseless(t)
	list := script(t, denied.Name+"\n")
	module := filepath.Join(filepath.Dir(list), "module.so")
	lab.Run(t, "cc", "-shared", "-fPIC", "-o", module, "../../pkg/login/testdata/module.c", "-lpam")
	deny := "auth required pam_listfile.so item=user sense=deny file=" + list + " onerr=fail\n"
	// pam_unix has the accounts of /etc/shadow, and its names have case.
	changed := func(to string) string {
		return "auth required pam_unix.so nodelay\nauth required " + module + " user=" + to + " at=auth\naccount required pam_permit.so\n"
	}
	loud := func(u lab.User) lab.Request {
		r := request(u, "echo $USER")
		r.User = strings.ToUpper(u.Name)
		return r
	}
	for _, tt := range []struct {
		name, stack string
		user        lab.User
		want        string
	}{
		{"another spelling", deny + lab.Stack, u, "\x00" + u.Name + "\n"},
		{"another spelling of one on a deny list", deny + lab.Stack, denied, loginIncorrect},
		{"a module that writes another spelling back", changed(strings.ToUpper(u.Name)), u, "\x00" + u.Name + "\n"},
		{"a module that writes another account back", changed(denied.Name), u, loginIncorrect},
		{"a module that writes root back", changed("root"), u, loginIncorrect},
		{"a module that writes nobody's name back", changed("nosuch"), u, loginIncorrect},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, lab.Handler{Room: lab.Room{Stack: tt.stack, Files: files}})
			wantAll(t, s.Addr, loud(tt.user), tt.want)
			lab.Eventually(t, "a record", func() bool { return strings.Contains(s.Log.Raw(), "REXEC_USER="+strings.ToUpper(tt.user.Name)+"\n") })
			if !strings.Contains(s.Log.Raw(), "account "+tt.user.Name) {
				t.Errorf("the log does not name the account: %s", s.Log.Raw())
			}
		})
	}
}
