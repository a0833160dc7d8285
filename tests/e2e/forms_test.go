package e2e

import (
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"rexecd/tests/lab"
)

var domains atomic.Int64

// named is newUser with a form around the name; it returns the name that a client sends, too.
func named(t *testing.T, form string) (u lab.User, short string) {
	t.Helper()
	short = "dom" + itoa(int(domains.Add(1)))
	u = lab.User{Name: strings.ReplaceAll(form, "%u", short), Home: "/", Password: "Secret of " + short + "!"}
	lab.AddUser(t, u)
	return u, short
}

func TestANameThatNobodyHasIsTriedInTheFormOfItsDomain(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"%u@example.com", `EXAMPLE\%u`} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			u, short := named(t, form)
			alone := newUser(t, lab.User{})
			settings := "domain_user = '" + form + "'\n"
			s := serve(t, lab.Handler{Settings: settings})
			asked := lab.Request{User: short, Password: u.Password, Command: "echo $USER; id -un"}
			wantOut(t, s.Addr, asked, u.Name+"\n"+u.Name+"\n")
			r := s.Log.Wait(t, "Accepted password for "+short+" from ")
			if r["REXEC_USER"] != short || r["REXEC_ACCOUNT"] != u.Name {
				t.Errorf("logged %q as %q", r["REXEC_USER"], r["REXEC_ACCOUNT"])
			}
			asked.Password = "Secret of nobody"
			wantAll(t, s.Addr, asked, loginIncorrect)
			asked.User = short + "x"
			wantAll(t, s.Addr, asked, loginIncorrect)
			s.Log.Wait(t, "Failed password for invalid user "+short+"x from ")
			wantOut(t, s.Addr, request(u, "id -un"), u.Name+"\n")         // the full name
			wantOut(t, s.Addr, request(alone, "id -un"), alone.Name+"\n") // one of this host
			off := serve(t, lab.Handler{})
			wantAll(t, off.Addr, lab.Request{User: short, Password: u.Password, Command: "id"}, loginIncorrect)
		})
	}
}

func TestCapitalsFindTheAccountInLowerCase(t *testing.T) {
	t.Parallel()
	config := openDir(t) + "/config"
	write(t, config, "fold_user = true\ndomain_user = '%u@example.com'\npermit_root = false\n"+noPenalties)
	warm := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "1", "-config", config)
	cold := serve(t, lab.Handler{Args: []string{"-config", config}})
	u := newUser(t, lab.User{})
	d, short := named(t, "%u@example.com")
	for _, addr := range []string{warm.addr, cold.Addr} {
		wantOut(t, addr, lab.Request{User: strings.ToUpper(u.Name), Password: u.Password, Command: "id -un"}, u.Name+"\n")
		wantOut(t, addr, lab.Request{User: strings.ToUpper(short), Password: d.Password, Command: "id -un"}, d.Name+"\n")
		wantAll(t, addr, lab.Request{User: "ROOT", Password: "Secret of nobody", Command: "id"}, loginIncorrect)
	}
	cold.Log.Wait(t, "Accepted password for "+strings.ToUpper(u.Name)+" from 127.0.0.1 port ")
	cold.Log.Wait(t, "Failed password for ROOT from ")
}

// noPenalties is for settings files that serve does not write.
const noPenalties = "[penalties]\nenabled = false\n"

// write writes a file that everybody may read.
func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
