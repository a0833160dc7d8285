package e2e

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// slaves makes accounts for guests, and returns the table [guest] with them.
func slaves(t *testing.T, n int, from string) (accounts []string, settings string) {
	t.Helper()
	for range n {
		accounts = append(accounts, newUser(t, lab.User{Hash: "!"}).Name)
	}
	return accounts, fmt.Sprintf("[guest]\naccounts = ['%s']\nfrom = [%q]\n", strings.Join(accounts, "', '"), from)
}

// guest is a guest's request.
func guest(command string) lab.Request { return lab.Request{User: "guest", Command: command} }

func TestGuestsGetTheIdleAccountsInTheirOrder(t *testing.T) {
	t.Parallel()
	accounts, settings := slaves(t, 2, "127.0.0.0/8")
	servers := counting(t, settings)
	for name, s := range servers {
		wantOut(t, s.addr, guest("id -un; echo $USER; echo $HOME"), accounts[0]+"\n"+accounts[0]+"\n/home/"+accounts[0]+"\n")
		r := s.log.Wait(t, "Accepted none for guest from ")
		wantMatch(t, name, r["MESSAGE"], `Accepted none for guest from 127\.0\.0\.1 port \d+: account `+accounts[0])
		if r["REXEC_USER"] != "guest" || r["REXEC_ACCOUNT"] != accounts[0] {
			t.Errorf("logged %v", r)
		}
		s.log.Wait(t, "Session closed for guest") // the account is idle
	}
	// The commands get no input, so a file ends them.
	wait := func(file string) string { return "id -un; until [ -e " + file + " ]; do sleep 0.01; done" }
	dir := openDir(t)
	first := lab.Open(t, servers["cold"].addr, "guest", "", wait(dir+"/1")).Started(t)
	second := lab.Open(t, servers["standby"].addr, "guest", "", wait(dir+"/2")).Started(t)
	if a, b := first.Line(t), second.Line(t); a != accounts[0] || b != accounts[1] {
		t.Errorf("the guests are %s and %s; want %v", a, b, accounts)
	}
	for _, s := range servers {
		wantAll(t, s.addr, guest("id"), tryAgain)
		s.log.Wait(t, `no guest account is idle: "`+accounts[0]+`": it has a guest; "`+accounts[1]+`": it has a guest`)
	}
	write(t, dir+"/1", "")
	first.Rest(t)
	lab.Eventually(t, "the first account is free", func() bool {
		return string(lab.Ask(t, servers["standby"].addr, guest("id -un")).All) == "\x00"+accounts[0]+"\n"
	})
	write(t, dir+"/2", "")
	second.Rest(t)
}

func TestAGuestsInputIsAtItsEnd(t *testing.T) {
	t.Parallel()
	_, settings := slaves(t, 1, "127.0.0.1")
	for _, s := range counting(t, settings) {
		c := lab.Dial(t, s.addr)
		fmt.Fprintf(c, "0\x00guest\x00\x00cat; echo end; readlink /proc/$$/fd/0\x00input that nobody reads") // and no end of it
		a := make([]byte, len("\x00end\n/dev/null\n"))
		for n := 0; n < len(a); {
			m, err := c.Read(a[n:])
			if err != nil {
				t.Fatalf("%q: %v", a[:n+m], err)
			}
			n += m
		}
		if string(a) != "\x00end\n/dev/null\n" {
			t.Errorf("output %q", a)
		}
		c.Close()
		lab.Eventually(t, "the record", func() bool { return strings.Contains(s.log.Raw(), "Session closed for guest") })
	}
}

// The account stage of PAM rules guests, too, and its session is opened.
func TestPAMRulesGuestsButForTheirPassword(t *testing.T) {
	t.Parallel()
	accounts, settings := slaves(t, 1, "127.0.0.1")
	log := openDir(t) + "/stages"
	hook := script(t, "echo $PAM_TYPE $PAM_USER $PAM_RHOST >>"+log+"\n")
	stack := "auth required pam_unix.so\naccount required pam_unix.so\naccount required pam_exec.so quiet " + hook + "\nsession required pam_exec.so quiet " + hook + "\n"
	s := serve(t, lab.Handler{Settings: settings, Room: lab.Room{Stack: stack}})
	wantOut(t, s.Addr, guest("id -un"), accounts[0]+"\n")
	s.Process(t, 0).Wait(t)
	line := func(stage string) string { return stage + " " + accounts[0] + " 127.0.0.1\n" }
	if got := read(log); got != line("account")+line("open_session")+line("close_session") {
		t.Errorf("PAM ran %q", got)
	}
	lab.Run(t, "chage", "-E", "2001-01-01", accounts[0])
	wantAll(t, s.Addr, guest("id"), "\x01Account expired.\n")
}

func TestOnlyFitAccountsAreForGuests(t *testing.T) {
	t.Parallel()
	withPassword, empty, fit := newUser(t, lab.User{}), newUser(t, lab.User{Hash: "!"}), newUser(t, lab.User{Hash: "*"})
	lab.Run(t, "passwd", "-d", empty.Name)
	twin := newUser(t, lab.User{Hash: "!"})
	lab.Run(t, "usermod", "-o", "-u", "0", twin.Name)
	list := fmt.Sprintf("[guest]\nfrom = ['127.0.0.1']\naccounts = ['nosuch', 'root', '%s', '%s', '%s', '%s']\n", twin.Name, withPassword.Name, empty.Name, fit.Name)
	s := serve(t, lab.Handler{Settings: "permit_root = true\n" + list})
	wantOut(t, s.Addr, guest("id -un"), fit.Name+"\n")
	s = serve(t, lab.Handler{Settings: "permit_root = true\n" + list + "permit_password_accounts = true\n"})
	wantOut(t, s.Addr, guest("id -un"), withPassword.Name+"\n")

	config := openDir(t) + "/config"
	write(t, config, list+noPenalties)
	out, _, status := run(t, exec.Command(lab.Rexecd(t), "-check", "-config", config))
	for _, want := range []string{
		`note guest: account "nosuch" does not exist`, `FAIL guest: account "root" is root's`, `FAIL guest: account "` + twin.Name + `" is root's`,
		`FAIL guest: account "` + withPassword.Name + `" may have a password`, `FAIL guest: account "` + empty.Name + `" may have a password`,
		`ok   guest: account "` + fit.Name + `"`,
	} {
		if !strings.Contains(out, want) || status != 1 {
			t.Errorf("-check printed, with status %d,\n%s; want %s", status, out, want)
		}
	}
}

// z/OS sends names in capitals: where names are folded, the guests' is.
func TestAGuestInCapitalsIsOneWhereNamesAreFolded(t *testing.T) {
	t.Parallel()
	accounts, settings := slaves(t, 1, "127.0.0.1")
	upper := lab.Request{User: "GUEST", Command: "id -un"}
	for name, s := range counting(t, "fold_user = true\n"+settings) {
		for _, r := range []lab.Request{upper, guest("id -un")} { // the one before may still be ending
			lab.Eventually(t, name+": the account is idle", func() bool {
				return string(lab.Ask(t, s.addr, r).All) == "\x00"+accounts[0]+"\n"
			})
			s.log.Wait(t, "Accepted none for "+r.User+" from ")
			s.log.Wait(t, "Session closed for "+r.User)
		}
	}
	wantAll(t, serve(t, lab.Handler{Settings: settings}).Addr, upper, loginIncorrect)
}

// -explain has no password: it says what an empty one, and any other, would be.
func TestAGuestIsExplained(t *testing.T) {
	t.Parallel()
	accounts, settings := slaves(t, 2, "192.0.2.0/24")
	lab.Run(t, "sh", "-c", "echo "+accounts[0]+":secret | chpasswd")
	named := newUser(t, lab.User{})
	file := openDir(t) + "/rexecd.toml"
	fold := "fold_user = true\ndomain_user = '%u@example.com'\n" + settings
	fit := "guest account \"" + accounts[0] + "\": never given: it may have a password, which permit_password_accounts does not permit\n" +
		"guest account \"" + accounts[1] + "\": given if it is idle, and shown here\n"
	aGuest := "login: a guest's with an empty password, and shown so; with another, that of the user "
	for _, tt := range []struct {
		settings, user, from, stdout, stderr string
		status                               int
	}{
		{settings, "guest", "192.0.2.7", aGuest + "[\"guest\"]\n" + fit, "", 0},
		{settings, "guest", "192.0.2.7", "user: \"" + accounts[1] + "\", uid ", "", 0},
		{settings, "guest", "192.0.2.7", "input: none\n", "", 0},
		{settings, "guest", "198.51.100.7", "login: no guest's, with an empty password neither: 198.51.100.7 is not in guest.from, [192.0.2.0/24]\n", `looked up as ["guest"]: no such user`, 2},
		{settings, "GUEST", "192.0.2.7", "", `looked up as ["GUEST"]: no such user`, 2},
		{fold, "GUEST", "192.0.2.7", aGuest + `["GUEST" "guest" "guest@example.com"]` + "\n" + fit, "", 0},
		{fold, strings.ToUpper(named.Name), "192.0.2.7", `login: looked up as ["` + strings.ToUpper(named.Name) + `" "` + named.Name + `" "` +
			named.Name + `@example.com"], and found as "` + named.Name + `": the account "` + named.Name + "\"\n", "", 0},
		{settings, named.Name, "192.0.2.7", "rules: none: everything is allowed\nuser: \"" + named.Name, "", 0},
		{settings + "[[rule]]\nuser = ['" + accounts[1] + "']\naction = 'deny'\n", "guest", "192.0.2.7", "matches: denies\n", "", 1},
		{"[guest]\naccounts = ['root']\nfrom = ['192.0.2.0/24']\n", "guest", "192.0.2.7", "\"root\": never given: it is root's\nguest: no account is fit: Try again.\n", "", 1},
	} {
		write(t, file, tt.settings)
		stdout, stderr, status := run(t, exec.Command(lab.Rexecd(t), "-explain", "-config", file, tt.user, tt.from, "id"))
		if !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) || status != tt.status {
			t.Errorf("%s from %s: status %d\n%s%s\nwant %d, %s%s", tt.user, tt.from, status, stdout, stderr, tt.status, tt.stdout, tt.stderr)
		}
	}
}

// The next guest could trace what an earlier one has left, and be traced by it.
func TestAnAccountWithAProcessLeftIsNotIdle(t *testing.T) {
	t.Parallel()
	accounts, settings := slaves(t, 1, "127.0.0.1")
	servers := counting(t, settings)
	for name, s := range servers {
		session := lab.Open(t, s.addr, "guest", "", "echo $PPID; echo $$; exec sleep 1000").Started(t)
		handler, command := session.Line(t), session.Line(t)
		wantAll(t, s.addr, guest("id"), tryAgain)
		kill(t, handler)
		lab.Eventually(t, "the handler has gone", func() bool { return !alive(handler) })
		wantAll(t, s.addr, guest("id"), tryAgain)
		s.log.Wait(t, `"`+accounts[0]+`": process `+command+` is its`)
		kill(t, command)
		lab.Eventually(t, name+": the account is idle", func() bool {
			return string(lab.Ask(t, s.addr, guest("id -un")).All) == "\x00"+accounts[0]+"\n"
		})
	}
}

func kill(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err == nil {
		err = syscall.Kill(n, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatalf("kill %s: %v", pid, err)
	}
}
