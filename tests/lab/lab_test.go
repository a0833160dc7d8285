package lab

import (
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

func TestThePrivateHostHasItsOwnAccountsDevicesAndNetwork(t *testing.T) {
	AddUser(t, User{Name: "labonly", Password: "secret", Groups: "users"})
	if out, err := exec.Command("id", "-nG", "labonly").Output(); err != nil || string(out) != "labonly users\n" {
		t.Errorf("id = %q, %v", out, err)
	}
	if name, _ := os.Hostname(); name != "private-host" {
		t.Errorf("host name %q", name)
	}
	if _, err := os.Stat("/dev/log"); err == nil {
		t.Error("/dev/log exists")
	}
	if out, err := exec.Command("ip", "-o", "link").Output(); err != nil || strings.Count(string(out), "\n") != 1 {
		t.Errorf("ip link = %q, %v; want loopback alone", out, err)
	}
	if err := os.WriteFile("/proc/sys/kernel/hostname", []byte("x"), 0); err == nil {
		t.Error("the machine's sysctls can be written")
	}
}

func TestAHandlerHasItsOwnPAMStackAndLog(t *testing.T) {
	AddUser(t, User{Name: "labuser", Password: "secret"})
	yes := Handler{Path: Netkit(t), Room: Room{Stack: "auth required pam_permit.so\naccount required pam_permit.so\n"}}.Start(t)
	no := Handler{Path: Netkit(t), On: InOut}.Start(t)
	r := Request{User: "labuser", Password: "wrong", Command: "cat; id -un"}
	if a := Ask(t, yes.Addr, r, []byte("hello ")...); string(a.All) != "\x00hello labuser\n" {
		t.Errorf("with pam_permit: %v", a)
	}
	if a := Ask(t, no.Addr, r); a.Status() != -1 {
		t.Errorf("with pam_unix: %v", a)
	}
	yes.Log.WaitLine(t, "login from localhost as labuser")
	no.Log.WaitLine(t, "pam_unix(rexec:auth): authentication failure")
	if strings.Contains(yes.Log.Raw(), "failure") || strings.Contains(no.Log.Raw(), "login from") {
		t.Errorf("one server's log is in the other's: %q, %q", yes.Log.Raw(), no.Log.Raw())
	}
}

func TestTheJournalStandInReadsTheNativeProtocol(t *testing.T) {
	log := &Log{}
	log.native([]byte("MESSAGE=one\nLONG\n\x03\x00\x00\x00\x00\x00\x00\x00a\nb\nPRIORITY=6\n"))
	got := log.Records()[0]
	if got["MESSAGE"] != "one" || got["LONG"] != "a\nb" || got["PRIORITY"] != "6" || len(got) != 3 {
		t.Errorf("native = %q", got)
	}
}

// A test that has seen a process end may look for what the process logged.
func TestTheLogHasEverythingThatWasSentBefore(t *testing.T) {
	dir, log, err := new(Room).open()
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unixgram", dir+"/log")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n := 1; n <= 20; n++ {
		if _, err := io.WriteString(c, "<86>entry"); err != nil {
			t.Fatal(err)
		}
		if got := len(log.Lines()); got != n {
			t.Fatalf("%d of %d entries", got, n)
		}
	}
	if raw := log.Raw(); strings.Count(raw, "\n") != 20 || strings.Contains(raw, mark) {
		t.Errorf("the log is %q", raw)
	}
}
