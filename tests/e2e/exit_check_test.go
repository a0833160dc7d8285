package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// -check looks at the exit program of each rule as at that of all sessions: who can
// change one decides about the commands of everybody.
func TestCheckLooksAtEachExitProgram(t *testing.T) {
	t.Parallel()
	dir := "/opt/" + newUser(t, lab.User{}).Name
	member := newUser(t, lab.User{})
	for _, d := range []string{"", "/open", "/closed", "/theirs"} {
		if err := os.Mkdir(dir+d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := func(name, mode string) string {
		write(t, dir+"/"+name, "#!/bin/sh\n")
		lab.Run(t, "chmod", mode, dir+"/"+name)
		return dir + "/" + name
	}
	for _, name := range []string{"right", "open/program", "closed/program", "theirs/program"} {
		program(name, "755")
	}
	lab.Run(t, "chmod", "777", dir+"/open")
	lab.Run(t, "chmod", "700", dir+"/closed")
	lab.Run(t, "chown", member.Name, dir+"/theirs")
	lab.Run(t, "chown", member.Name, program("theirs-itself", "755"))
	lab.Run(t, "chgrp", member.Name, program("groups", "750"))
	lab.Run(t, "ln", "-s", dir+"/open/program", dir+"/link")
	cases := []struct{ path, want string }{
		{dir + "/right", "ok   exit: " + dir + "/right\n"},
		{program("plain", "644"), "FAIL exit: PLACE: " + dir + "/plain is no program that can be executed"},
		{program("writable", "775"), "FAIL exit: PLACE: others than root can change " + dir + "/writable (mode 0775): chmod go-w\n"},
		{dir + "/theirs-itself", "FAIL exit: PLACE: " + dir + "/theirs-itself belongs to user "},
		{dir + "/open/program", "FAIL exit: PLACE: others than root can change " + dir + "/open (mode 0777): chmod go-w\n"},
		{dir + "/link", "FAIL exit: PLACE: others than root can change " + dir + "/open (mode 0777): chmod go-w\n"},
		{dir + "/theirs/program", "FAIL exit: PLACE: " + dir + "/theirs belongs to user "},
		{dir + "/closed/program", `FAIL exit: PLACE: "nobody", the exit_user, may not execute ` + dir + "/closed (mode 0700)"},
		{dir + "/groups", `FAIL exit: PLACE: "nobody", the exit_user, may not execute ` + dir + "/groups (mode 0750)"},
		{dir + "/nowhere", "note exit: PLACE: " + dir + "/nowhere is not there"},
	}
	for _, global := range []bool{false, true} {
		for _, tt := range cases {
			file := openDir(t) + "/rexecd.toml"
			settings, place := "\n[[rule]]\nexit = '"+tt.path+"'\n", file+":3"
			if global {
				settings, place = "exit = '"+tt.path+"'\n", "exit"
			}
			write(t, file, settings)
			want := strings.ReplaceAll(tt.want, "PLACE", place)
			if out, _, _ := run(t, exec.Command(lab.Rexecd(t), "-check", "-config", file)); !strings.Contains(out, want) {
				t.Errorf("-check said\n%s; want %s", out, want)
			}
		}
	}
	file := openDir(t) + "/rexecd.toml"
	write(t, file, "exit_user = '"+member.Name+"'\n[[rule]]\nexit = '"+dir+"/groups'\n")
	if out, _, _ := run(t, exec.Command(lab.Rexecd(t), "-check", "-config", file)); !strings.Contains(out, "ok   exit: "+dir+"/groups\n") {
		t.Errorf("by its group, exit_user may execute it: -check said\n%s", out)
	}
}
