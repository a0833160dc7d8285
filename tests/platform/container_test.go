package platform

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

// What debian:12-slim is made of: the packages that every Debian has, and what they need, without
// documentation. This host's copies of them stand in for the image, so that nothing has to be
// fetched.
const slim = `
closed() { dpkg-query -W -f '${Package}=${Pre-Depends},${Depends}\n' "$@" 2>/dev/null | sed 's/([^)]*)//g; s/:[a-z]*//g' | tr ' =,|' '\n\n\n\n' | grep . | sort -u; }
all=$(dpkg-query -W -f '${Essential} ${Priority} ${db:Status-Status} ${Package}\n' | awk '($1 == "yes" || $1 == "required" || $2 == "required") && / installed / { print $NF }')
while next=$(closed $all) && [ "$next" != "$all" ]; do all=$next; done
mkdir -p "$1/usr"
for d in bin sbin lib lib64; do [ ! -L "/$d" ] || { mkdir -p "$1/usr/$d"; ln -s "usr/$d" "$1/$d"; }; done
for p in $all; do dpkg-query -L "$p" 2>/dev/null || :; done | grep -Ev '^/(usr/share/(doc|man|locale|info)|\.$)' |
	if [ -L /bin ]; then sed -E 's,^/(bin|sbin|lib|lib64)(/|$),/usr/\1\2,'; else cat; fi | sort -u |
	while IFS= read -r f; do [ -e "$f" ] || [ -L "$f" ] && echo "$f"; done | cpio --quiet -pdm "$1"
cp /etc/passwd /etc/group /etc/shadow /etc/gshadow /etc/nsswitch.conf /etc/ld.so.cache "$1/etc/"
cp /etc/pam.d/common-* "$1/etc/pam.d/"
mkdir -p "$1/proc" "$1/dev" "$1/run" "$1/tmp" "$1/root" "$1/home"
for d in null:3 zero:5 urandom:9; do mknod -m 666 "$1/dev/${d%:*}" c 1 "${d#*:}"; done`

// docker's and podman's default: nothing for audit, ptrace, mounts or the network.
const capabilities = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+sys_chroot,+setfcap"

// contained is a command with process ids, mounts and capabilities of a container whose root is
// dir. It shares the network.
func contained(dir string, args ...string) *exec.Cmd {
	const enter = `mount -t proc proc "$1/proc"; mount -t tmpfs run "$1/run"; dir=$1; shift
exec setpriv --bounding-set "$0" --inh-caps "$0" chroot "$dir" "$@"`
	cmd := exec.Command("unshare", append([]string{"--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child=KILL", "--", "sh", "-ec", enter, capabilities, dir}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	return cmd
}

// build does what a Containerfile says, in dir, as far as ours goes, and returns its entry point.
func build(t *testing.T, dir, file string) (entry []string) {
	t.Helper()
	for _, line := range strings.Split(read(t, file), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch word {
		case "", "#", "EXPOSE":
		case "FROM":
			if rest != "docker.io/library/debian:12-slim" {
				t.Fatalf("FROM %s: the test plays debian:12-slim", rest)
			}
			lab.Run(t, "sh", "-euc", slim, "sh", dir)
		case "COPY":
			args := strings.Fields(rest)
			to := args[len(args)-1]
			for _, from := range args[:len(args)-1] {
				path := map[string]string{"build/in.rexecd": lab.Server(t), "build/rexecd": filepath.Dir(lab.Server(t)) + "/rexecd"}[from]
				if path == "" {
					path = lab.Root(t) + "/" + from
				}
				target := dir + to
				if strings.HasSuffix(to, "/") {
					target += filepath.Base(from)
				}
				lab.Run(t, "cp", path, target)
			}
		case "RUN":
			if out, err := contained(dir, "sh", "-c", rest).CombinedOutput(); err != nil {
				t.Fatalf("RUN %s: %v\n%s", rest, err, out)
			}
		case "ENTRYPOINT":
			if err := json.Unmarshal([]byte(rest), &entry); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		default:
			t.Fatalf("the test does not know %q", line)
		}
	}
	return entry
}

func TestTheContainerServesAndLogsOnStderr(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	entry := build(t, dir, lab.Root(t)+"/packaging/Containerfile")
	for _, line := range []string{"useradd -m -s /bin/sh carol", "echo carol:correct-horse | chpasswd"} {
		if out, err := contained(dir, "sh", "-c", line).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	var stderr lockedBuilder
	cmd := contained(dir, entry...)
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("standard error:\n%s", stderr.String())
		}
	}()
	const addr = "127.0.0.1:512"
	awaitListener(t, addr)

	a := lab.Ask(t, addr, lab.Request{User: "carol", Password: "correct-horse", Command: "id -un; cat /proc/1/comm"})
	if got, want := string(a.All), "\x00carol\nrexecd\n"; got != want {
		t.Errorf("the peer gets %q; want %q", got, want)
	}
	if a := lab.Ask(t, addr, lab.Request{User: "carol", Password: "wrong", Command: "id"}); string(a.All) != "\x01Login incorrect.\n" {
		t.Errorf("after a wrong password the peer gets %q", a.All)
	}
	if want := ", listening on [::]:512, processes kept ready: "; !strings.HasPrefix(stderr.String(), "rexecd: version ") || !strings.Contains(stderr.String(), want) {
		t.Errorf("standard error has no %q", want)
	}
	for _, want := range []string{"Accepted password for carol from 127.0.0.1 port ", "Session closed for carol from 127.0.0.1 port ", "Failed password for carol from 127.0.0.1 port "} {
		lab.Eventually(t, fmt.Sprintf("%q on standard error", want), func() bool { return strings.Contains(stderr.String(), "]: "+want) })
	}
	// HEALTHCHECK CMD rexecd -check: what a container has not got is no failure.
	inside := lab.Children(cmd.Process.Pid)
	if len(inside) != 1 {
		t.Fatalf("unshare has the children %v", inside)
	}
	check := exec.Command("nsenter", "-a", "-t", fmt.Sprint(inside[0]), "-r", "setpriv", "--bounding-set", capabilities, "--inh-caps", capabilities, "rexecd", "-check")
	if out, err := check.CombinedOutput(); err != nil || !strings.Contains(string(out), "note privileges: capability cap_audit_control") ||
		!strings.Contains(string(out), "note log: neither journald nor /dev/log is there: rexecd (process 1, as it seems) writes its log to standard error") {
		t.Errorf("rexecd -check in the container: %v\n%s", err, out)
	}
	// What docker stop does, to the process that is number 1 inside.
	supervisor := lab.Children(cmd.Process.Pid)
	if len(supervisor) != 1 {
		t.Fatalf("unshare has the children %v", supervisor)
	}
	if err := syscall.Kill(supervisor[0], syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "SIGTERM to end process 1", func() bool { return len(lab.Children(cmd.Process.Pid)) == 0 })
}
