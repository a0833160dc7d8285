package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"rexecd/tests/lab"
)

// single starts rexecd -debug as a user, for whom USERID and PASSWORD stand in the environment.
func single(t *testing.T, u lab.User, settings string, env ...string) (addr string, o *output, cmd *exec.Cmd) {
	t.Helper()
	dir := openDir(t)
	write(t, dir+"/config", settings)
	addr = freeAddr(t)
	o = &output{}
	cmd = exec.Command("setpriv", "--reuid", u.Name, "--regid", u.Name, "--init-groups", lab.Rexecd(t), "-debug", "-listen", addr, "-config", dir+"/config")
	cmd.Env = append([]string{"PATH=/usr/bin:/bin", "XDG_RUNTIME_DIR=" + dir}, env...)
	cmd.Stdout, cmd.Stderr = o, o
	lab.Room{Stack: "auth required pam_deny.so\n"}.Command(t, cmd)
	listening(t, addr)
	return addr, o, cmd
}

func TestDebugKnowsTheOneUserOfItsEnvironment(t *testing.T) {
	t.Parallel()
	u, other := newUser(t, lab.User{}), newUser(t, lab.User{})
	addr, o, cmd := single(t, u, "refusal_delay = 1\n[penalties]\nenabled = false\n", "USERID=OPERATOR", "PASSWORD=Secret of nobody")
	right := lab.Request{User: "OPERATOR", Password: "Secret of nobody", Command: "id -un; echo $USER; echo ${USERID-none} ${PASSWORD-none}; ls /proc/self/fd | wc -l"}
	wantOut(t, addr, right, u.Name+"\n"+u.Name+"\nnone none\n4\n")
	session := lab.Open(t, addr, right.User, right.Password, "echo err >&2; cat").Started(t)
	session.Primary.Write([]byte("through\n"))
	if a := session.Rest(t); string(a.All) != "through\n" || string(a.Stderr) != "err\n" {
		t.Errorf("%v", a)
	}
	for _, who := range []lab.Request{
		{User: "OPERATOR", Password: "secret of nobody"}, {User: "OPERATOR", Password: "Secret of nobod"}, {User: "OPERATOR", Password: "Secret of nobody2"},
		{User: "OPERATOR"}, {User: "operator", Password: "Secret of nobody"}, {User: "", Password: "Secret of nobody"}, {User: u.Name, Password: u.Password},
		{User: other.Name, Password: other.Password}, {User: "root", Password: "Secret of nobody"}, {User: "OPERATORSecret", Password: " of nobody"},
	} {
		began := time.Now()
		wantAll(t, addr, who, loginIncorrect)
		if took := time.Since(began); took < time.Second {
			t.Errorf("%q was refused after %v", who, took)
		}
	}
	for _, text := range []string{"Accepted password for OPERATOR from 127.0.0.1 port ", ": account " + u.Name, "Failed password for invalid user root from ", "Failed password for OPERATOR from ", "only the user and the password of USERID"} {
		if !strings.Contains(o.String(), text) {
			t.Errorf("%q is not in %q", text, o.String())
		}
	}
	if strings.Contains(o.String(), "Secret of") {
		t.Errorf("the password is in the log: %q", o.String())
	}
	// Another process of the same user finds neither variable nor file.
	look := "cat /proc/" + itoa(cmd.Process.Pid) + "/environ /proc/" + itoa(cmd.Process.Pid) + "/fd/* 2>/dev/null | grep -a Secret || echo nothing"
	if got := lab.Run(t, "setpriv", "--reuid", u.Name, "--regid", u.Name, "--init-groups", "sh", "-c", look); got != "nothing\n" {
		t.Errorf("the same user finds %q", got)
	}
}

func TestGuessesAtTheOneUserArePenalised(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	addr, o, _ := single(t, u, "refusal_delay = 1\n", "USERID=OPERATOR", "PASSWORD=Secret of nobody")
	guess := lab.Request{User: "OPERATOR", Password: "x", Command: "id"}
	for range 4 {
		wantAll(t, addr, guess, loginIncorrect)
	}
	guess.Password = "Secret of nobody"
	wantAll(t, addr, guess, "\x01Too many failed logins, try again later.\n")
	lab.Eventually(t, "the record", func() bool { return strings.Contains(o.String(), "Refused connection from ") })
}

// With one of the variables, or as root, they mean nothing, and are not passed on.
func TestOneVariableOrRootIsNoSingleUser(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{})
	addr, _, _ := single(t, u, "[penalties]\nenabled = false\n", "USERID=OPERATOR")
	wantAll(t, addr, lab.Request{User: "OPERATOR", Command: "id"}, loginIncorrect)
	root := stand(t, lab.Room{}, lab.Rexecd(t), []string{"USERID=OPERATOR", "PASSWORD=Secret of nobody"}, "-debug")
	wantAll(t, root.addr, lab.Request{User: "OPERATOR", Password: "Secret of nobody", Command: "id"}, loginIncorrect)
	hold := lab.Open(t, root.addr, u.Name, u.Password, "echo $PPID; read x").Started(t)
	if env, err := os.ReadFile("/proc/" + hold.Line(t) + "/environ"); err != nil || strings.Contains(string(env), "Secret") {
		t.Errorf("the handler's environment is %q, %v", env, err)
	}
	hold.Rest(t)
}
