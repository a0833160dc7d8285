package rsh

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rexecd/tests/lab"
)

// home is where everybody's rsh looks for its server: port 514.
func home(t testing.TB, address, stack string, files map[string]string) *lab.Listening {
	t.Helper()
	return serve(t, trust, stack, lab.Handler{Port: 514, Address: address, Room: lab.Room{Files: files}})
}

func TestEverybodysRshIsServedAsByNetkitsServer(t *testing.T) {
	t.Parallel()
	u, stranger := newUser(t, lab.User{}, "127.0.0.1 root\n"), newUser(t, lab.User{}, "")
	home(t, "127.0.0.21", trustStack, nil)
	start(t, trustStack, lab.Handler{Path: lab.Deb(t, "rsh-server") + "/usr/sbin/in.rshd", Port: 514})
	for name, path := range map[string]string{
		"netkit": lab.Deb(t, "rsh-client") + "/usr/bin/netkit-rsh",
		"redone": lab.Deb(t, "rsh-redone-client") + "/usr/bin/rsh-redone-rsh",
		"GNU":    lab.Inetutils(t, "rsh"),
		"ours":   lab.Rsh(t),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for server, address := range map[string]string{"in.rshd": "127.0.0.21", "netkit's server": "127.0.0.1"} {
				ask := func(what, stdin string, want result, command ...string) {
					t.Helper()
					got := run(t, stdin, path, append([]string{"-l", u.Name, address}, command...)...)
					compare(t, server+": "+what, got, want)
				}
				ask("output", "in", result{"in", "", 0}, "cat; exit 3")
				ask("words", "", result{"a b  c\n", "", 0}, "echo", "a", "'b  c'")
				ask("much", strings.Repeat("m", 1<<20), result{strings.Repeat("m", 1<<20), "", 0}, "cat")
				compare(t, server+": no input", run(t, "in", path, "-n", "-l", u.Name, address, "echo end"), result{"end\n", "", 0})
				if name != "redone" { // it drops what comes on the second connection last, and the refusal
					ask("errors", "", result{"out\n", "err\n", 0}, "echo out; echo err >&2")
					compare(t, server+": a stranger", run(t, "", path, "-l", stranger.Name, address, "id"), result{"", ".*Permission denied.\n", 1})
				}
			}
			// z/OS's form works with a client that knows nothing of it.
			compare(t, "with a password", run(t, "", path, "-l", both(stranger), "127.0.0.21", "id -un"), result{stranger.Name + "\n", "", 0})
		})
	}
}

// tree makes a directory with files of several sizes, and returns it.
func tree(t testing.TB, owner lab.User) string {
	t.Helper()
	dir := filepath.Join(lab.OpenDir(t), "tree")
	for _, f := range []struct {
		name string
		size int
	}{{"empty", 0}, {"small", 5}, {"sub/large", 3 << 20}, {"sub/odd name", 4097}} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f.name)), 0o755); err != nil {
			t.Fatal(err)
		}
		content := bytes.Repeat([]byte("\x00\x01x\n"), f.size/4+1)[:f.size]
		if err := os.WriteFile(filepath.Join(dir, f.name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lab.Run(t, "chown", "-R", owner.Name, filepath.Dir(dir))
	return dir
}

func same(t testing.TB, what, a, b string) {
	t.Helper()
	if out, err := exec.Command("diff", "-r", a, b).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", what, err, out)
	}
}

func TestRcpCopiesBothWays(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 root\n")
	rcp := lab.Deb(t, "rsh-client") + "/usr/bin/netkit-rcp"
	bin := lab.OpenDir(t)
	for name, half := range map[string]string{"netkit's": rcp, "OpenSSH's scp": "/usr/bin/scp"} {
		t.Run(name, func(t *testing.T) {
			address := map[string]string{"netkit's": "127.0.0.22", "OpenSSH's scp": "127.0.0.23"}[name]
			dir := filepath.Join(bin, filepath.Base(half))
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(half, filepath.Join(dir, "rcp")); err != nil {
				t.Fatal(err)
			}
			env := strings.Replace(trustStack, "session  required pam_permit.so", "session  required pam_env.so conffile=/etc/rcp.env user_readenv=0", 1)
			home(t, address, env, map[string]string{"/etc/rcp.env": "PATH OVERRIDE=" + dir + ":/usr/bin:/bin\n"})
			here, there, back := tree(t, u), filepath.Join(lab.OpenDir(t), "there"), filepath.Join(lab.OpenDir(t), "back")
			remote := u.Name + "@" + address + ":"
			compare(t, "to the server", run(t, "", rcp, "-pr", here, remote+there), result{"", "", 0})
			same(t, "to the server", here, there)
			compare(t, "back", run(t, "", rcp, "-pr", remote+there, back), result{"", "", 0})
			same(t, "back", here, back)
			if r := run(t, "", rcp, remote+"/nowhere", back); r.status == 0 || !strings.Contains(r.err, "No such file") {
				t.Errorf("a file that is missing: %+v", r)
			}
			compare(t, "cisco's way", run(t, "", lab.Rsh(t), "-n", "-l", u.Name, address, "rcp -f "+there+"/small"), result{"", "", 0})
		})
	}
}

func TestRsyncPdshAndTarGoThroughRsh(t *testing.T) {
	t.Parallel()
	u := newUser(t, lab.User{}, "127.0.0.1 root\n")
	home(t, "127.0.0.24", trustStack, nil)
	home(t, "127.0.0.25", trustStack, nil)
	here := tree(t, u)
	sh := func(script string) result {
		ctx, cancel := context.WithTimeout(t.Context(), 2*lab.Patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, "sh", "-c", script)
		cmd.Env = append(os.Environ(), "RSH="+lab.Rsh(t), "U="+u.Name, "HERE="+here)
		return finish(ctx, t, cmd, "")
	}
	there, back := filepath.Join(lab.OpenDir(t), "there"), filepath.Join(lab.OpenDir(t), "back")
	compare(t, "rsync to the server", sh(fmt.Sprintf(`rsync -a -e "$RSH" "$HERE/" $U@127.0.0.24:%s`, there)), result{"", "", 0})
	same(t, "rsync to the server", here, there)
	compare(t, "rsync back", sh(fmt.Sprintf(`rsync -a -e "$RSH" $U@127.0.0.24:%s/ %s`, there, back)), result{"", "", 0})
	same(t, "rsync back", here, back)
	compare(t, "rsync, a directory that is missing", sh(`rsync -a -e "$RSH" $U@127.0.0.24:/nowhere/ /run/nowhere`), result{"", ".*No such file.*", 23})
	tarred := filepath.Join(lab.OpenDir(t), "tarred")
	compare(t, "tar to the server", sh(`tar c -C "$HERE" . | "$RSH" -l $U 127.0.0.24 'mkdir `+tarred+`; tar x -C `+tarred+`'`), result{"", "", 0})
	same(t, "tar to the server", here, tarred)
	compare(t, "tar back", sh(`"$RSH" -n -l $U 127.0.0.24 "tar c -C $HERE ." | tar t | sort | tr '\n' ' '`), result{"./ ./empty ./small ./sub/ ./sub/large ./sub/odd name ", "", 0})
	compare(t, "pdsh", sh(`pdsh -S -R exec -w 127.0.0.24,127.0.0.25 "$RSH" --status -l $U %h 'echo in; exit 3' 2>/dev/null | sort`), result{"127.0.0.24: in\n127.0.0.25: in\n", "", 0})
	compare(t, "pdsh's status", sh(`pdsh -S -R exec -w 127.0.0.24,127.0.0.25 "$RSH" --status -l $U %h 'exit 3' 2>/dev/null`), result{"", "", 3})
}
