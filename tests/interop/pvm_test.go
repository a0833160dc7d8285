package interop

import (
	"os"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// PVM starts the daemon of another host by glibc's rexec(3) when its host file says so=pw. Here
// the other host is another user of this one.
func TestPVMStartsItsSlaves(t *testing.T) {
	t.Parallel()
	prepare(t)
	master := lab.User{Name: "master", Password: "Secret of master"}
	lab.AddUser(t, master)
	s, slave := handle(t, lab.Handler{Path: lab.Server(t), Settings: "stderr = \"yes\"\n", Address: address(t), Port: 512})
	_, full := handle(t, lab.Handler{Path: lab.Server(t), Settings: harsh, Address: address(t), Port: 512})
	add(t, "/etc/hosts", address(t)+" here\n"+slave.host+" slave\n"+full.host+" full\n")
	const home = "/home/master/"
	add(t, home+"hosts", "here\n")
	for _, name := range []string{"slave", "full"} {
		add(t, home+"hosts", "& "+name+" lo=alice so=pw dx=/usr/lib/pvm3/lib/pvmd wd=/tmp\n")
	}
	add(t, home+".netrc", "machine slave login alice password \""+alice.Password+"\"\nmachine full login alice password wrong\n")
	lab.Run(t, "chown", "master", home+".netrc")
	lab.Run(t, "chmod", "600", home+".netrc")
	console := func(commands string) result {
		return run(t, "", commands, "setpriv", "--reuid=master", "--regid=master", "--init-groups", "env", "HOME=/home/master",
			"PVM_ROOT=/usr/lib/pvm3", "TERM=dumb", "/usr/bin/pvm", "-nhere", home+"hosts")
	}
	for range 3 { // the third is refused whatever the password
		if r := console("add full\nquit\n"); strings.Contains(r.out, "1 successful") {
			t.Errorf("with a wrong password: %+v", r)
		}
	}
	if r := console("add slave\nconf\nquit\n"); !strings.Contains(r.out, "2 hosts") {
		t.Errorf("%+v", r)
	}
	console("halt\n")
	s.Log.Wait(t, "Accepted password for alice")
	s.Log.Wait(t, "Session closed for alice") // when PVM halted
}

// add appends to a file.
func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
