package e2e

import (
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rexecd/tests/lab"
)

const tryAgain = "\x01Try again.\n"

// counting starts a server of each kind with counters of their own: /run/in.rexecd is
// every test's, and sessions counts all users.
func counting(t *testing.T, settings string) map[string]struct {
	addr string
	log  *lab.Log
} {
	t.Helper()
	config := openDir(t) + "/config"
	write(t, config, settings+noPenalties)
	cold := serve(t, lab.Handler{Args: []string{"-config", config}})
	warm := stand(t, lab.Room{}, lab.Rexecd(t), nil, "-standby", "2", "-config", config)
	type server = struct {
		addr string
		log  *lab.Log
	}
	return map[string]server{"cold": {cold.Addr, cold.Log}, "standby": {warm.addr, warm.log}}
}

func TestMoreCommandsAtOnceThanPermittedAreRefused(t *testing.T) {
	t.Parallel()
	servers := counting(t, "sessions_per_user = 2\n")
	u, other := newUser(t, lab.User{}), newUser(t, lab.User{})
	// One of each kind: they count together.
	first := lab.Open(t, servers["cold"].addr, u.Name, u.Password, hold).Started(t)
	second := lab.Open(t, servers["standby"].addr, u.Name, u.Password, hold).Started(t)
	wrong := u
	wrong.Password = "Secret of nobody"
	for name, s := range servers {
		wantAll(t, s.addr, request(u, "echo third"), tryAgain)
		r := s.log.Wait(t, "Refused "+u.Name+" from ")
		wantMatch(t, name, r["MESSAGE"], "Refused "+u.Name+` from 127\.0\.0\.1 port \d+: sessions_per_user = 2: all places are taken`)
		wantAll(t, s.addr, request(wrong, "id"), loginIncorrect) // nobody else learns it
		wantOut(t, s.addr, request(other, "echo other"), "other\n")
	}
	first.Rest(t)
	lab.Eventually(t, "a place is free", func() bool {
		return string(lab.Ask(t, servers["standby"].addr, request(u, "echo third")).All) == "\x00third\n"
	})
	second.Rest(t)
}

// A command that has ended counts no more, though the peer has not read its output,
// for which the handler stays.
func TestAPlaceIsFreeWhenTheCommandHasEnded(t *testing.T) {
	t.Parallel()
	for _, s := range counting(t, "sessions_per_user = 1\n") {
		u := newUser(t, lab.User{}) // the other server may still be giving a place back
		c := lab.Dial(t, s.addr)    // reads nothing, and stays
		c.Write(request(u, "echo $PPID >~/handler; head -c 1500000 /dev/zero").Bytes())
		s.log.Wait(t, "Session closed for "+u.Name)
		wantOut(t, s.addr, request(u, "cat ~/handler"), read("/home/"+u.Name+"/handler"))
		if handler := strings.TrimSpace(read("/home/" + u.Name + "/handler")); !alive(handler) {
			t.Errorf("the handler %q has gone before its output was read", handler)
		}
		c.Close()
	}
}

func TestAKilledHandlerFreesItsPlace(t *testing.T) {
	t.Parallel()
	servers := counting(t, "sessions_per_user = 1\n")
	u := newUser(t, lab.User{})
	for _, s := range servers {
		session := lab.Open(t, s.addr, u.Name, u.Password, "echo $PPID; read x").Started(t)
		handler, err := strconv.Atoi(session.Line(t))
		if err != nil {
			t.Fatal(err)
		}
		wantAll(t, s.addr, request(u, "id"), tryAgain)
		if err := syscall.Kill(handler, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// A zombie may still have threads on their way out, and with them the lock.
		lab.Eventually(t, "the place is free", func() bool {
			return string(lab.Ask(t, s.addr, request(u, "echo free")).All) == "\x00free\n"
		})
	}
}

func TestSessionsCountsAllUsers(t *testing.T) {
	servers := counting(t, "sessions = 1\n")
	u, other := newUser(t, lab.User{}), newUser(t, lab.User{})
	for _, s := range servers {
		var session *lab.Session
		lab.Eventually(t, "the other server's place is free", func() bool {
			session = lab.Open(t, s.addr, u.Name, u.Password, hold)
			return session.Next(t, 1)[0] == 0
		})
		wantAll(t, s.addr, request(other, "id"), tryAgain)
		session.Rest(t)
		lab.Eventually(t, "the place is free", func() bool {
			return string(lab.Ask(t, s.addr, request(other, "echo next")).All) == "\x00next\n"
		})
	}
}

// As after a boot, with /run full, and without it.
func TestCountersNeedNothingButAPlaceToLie(t *testing.T) {
	u := newUser(t, lab.User{})
	room := lab.Room{Files: map[string]string{"/etc/rexecd.toml": "sessions_per_user = 1\n" + noPenalties}}
	runs := func(t *testing.T, before, want string) {
		t.Helper()
		s := serve(t, lab.Handler{Room: room, Before: []string{"unshare", "-m", "sh", "-c", "{ " + before + `; } 2>/dev/null; exec "$@"`, "sh"}})
		wantAll(t, s.Addr, request(u, "echo served"), want)
		if want == tryAgain {
			r := s.Log.Wait(t, "Refused "+u.Name)
			if !strings.Contains(r["MESSAGE"], "/run/in.rexecd") {
				t.Errorf("logged %q", r["MESSAGE"])
			}
		}
	}
	const served = "\x00served\n"
	keep := "mkdir -p /tmp/journal; mount --bind /run/systemd/journal /tmp/journal; %; mkdir -p /run/systemd/journal; mount --bind /tmp/journal /run/systemd/journal"
	mount := func(how string) string { return strings.Replace(keep, "%", how, 1) }
	runs(t, mount("mount -t tmpfs tmpfs /run"), served)
	runs(t, mount("mount -t tmpfs -o size=4k,nr_inodes=20 tmpfs /run; mkdir -m 700 /run/in.rexecd; head -c 9999 /dev/zero >/run/full || :"), served)
	runs(t, mount("mount -t tmpfs -o nr_inodes=5 tmpfs /run; mkdir -p -m 755 /run/systemd/journal; touch /run/1 /run/2 /run/3 || :"), tryAgain)
	runs(t, "mkdir -p /run/in.rexecd; mount -t tmpfs tmpfs /run/in.rexecd; chmod 700 /run/in.rexecd; mount -o remount,ro /run/in.rexecd", tryAgain)
}
