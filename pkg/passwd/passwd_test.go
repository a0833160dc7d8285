package passwd

import (
	"os"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// accounts are those of passwd(5) on this host, as the C library lists them.
func accounts(t *testing.T) [][]string {
	t.Helper()
	out, err := exec.Command("getent", "passwd").Output()
	if err != nil {
		t.Fatalf("getent: %v", err)
	}
	var all [][]string
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), ":"); len(f) == 7 {
			all = append(all, f)
		}
	}
	if len(all) == 0 {
		t.Fatal("getent lists no account")
	}
	return all
}

func TestEveryAccountIsFoundAsTheDatabaseHasIt(t *testing.T) {
	for _, f := range accounts(t) {
		e, err := Lookup(f[0])
		if err != nil {
			t.Errorf("Lookup(%q) = %v", f[0], err)
			continue
		}
		got := []string{e.Name, strconv.Itoa(e.UID), strconv.Itoa(e.GID), e.Home, e.Shell}
		if !slices.Equal(got, []string{f[0], f[2], f[3], f[5], f[6]}) {
			t.Errorf("Lookup(%q) = %q; want %q", f[0], got, f)
		}
	}
}

func TestRootIsFound(t *testing.T) {
	e, err := Lookup("root")
	if err != nil || e.Name != "root" || e.UID != 0 || e.GID != 0 || e.Home == "" {
		t.Errorf("Lookup(root) = %+v, %v", e, err)
	}
}

func TestNameThatNobodyHasIsUnknown(t *testing.T) {
	for _, name := range []string{
		"", "no-such-user", "root ", " root", "root:", "Root\n", "*", "%s", "\xff\xfe", "root\x00x"[:5] + "y",
		strings.Repeat("u", 256), strings.Repeat("u", 100000),
	} {
		if e, err := Lookup(name); err != ErrUnknown || e != nil {
			t.Errorf("Lookup(%.40q) = %+v, %v; want ErrUnknown", name, e, err)
		}
	}
}

func TestGroupsAreThoseOfInitgroups(t *testing.T) {
	for _, f := range accounts(t) {
		e, err := Lookup(f[0])
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Groups()
		if err != nil {
			t.Errorf("Groups of %q = %v", f[0], err)
			continue
		}
		out, err := exec.Command("id", "-G", f[0]).Output()
		if err != nil {
			t.Fatalf("id: %v", err)
		}
		var want []int
		for _, s := range strings.Fields(string(out)) {
			n, _ := strconv.Atoi(s)
			want = append(want, n)
		}
		slices.Sort(got)
		slices.Sort(want)
		if got = slices.Compact(got); !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("Groups of %q = %v; want %v", f[0], got, want)
		}
	}
}

func TestGroupsHoldThePrimaryOneThatNoGroupFileNames(t *testing.T) {
	e := &Entry{Name: "nobody-at-all", GID: 54321}
	if got, err := e.Groups(); err != nil || !slices.Equal(got, []int{54321}) {
		t.Errorf("Groups = %v, %v; want [54321]", got, err)
	}
}

// The standard library's own lookup, where it has what this one has.
func TestLookupAgreesWithTheStandardLibrary(t *testing.T) {
	u, err := user.LookupId(strconv.Itoa(os.Getuid()))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Lookup(u.Username)
	if err != nil || strconv.Itoa(e.UID) != u.Uid || strconv.Itoa(e.GID) != u.Gid || e.Home != u.HomeDir {
		t.Errorf("Lookup(%q) = %+v, %v; want %+v", u.Username, e, err, u)
	}
}

func TestEveryGroupIsFoundAsTheDatabaseHasIt(t *testing.T) {
	out, err := exec.Command("getent", "group").Output()
	if err != nil {
		t.Fatalf("getent: %v", err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Split(line, ":")
		if id, err := Group(f[0]); err != nil || strconv.Itoa(id) != f[2] {
			t.Errorf("Group(%q) = %d, %v; want %s", f[0], id, err, f[2])
		}
		seen++
	}
	if seen == 0 {
		t.Error("getent lists no group")
	}
	for _, name := range []string{"", "no such group", "root\x00", "root\x00x", "\xff"} {
		if id, err := Group(name); err != ErrNoGroup {
			t.Errorf("Group(%q) = %d, %v; want %v", name, id, err, ErrNoGroup)
		}
	}
}
