package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"rexecd/pkg/settings"
)

const aboutExit = topic("exit")

// checkExit looks at each exit program, that of all sessions and those of rules, and
// at whom they run as.
func (o options) checkExit() []finding {
	set, from, err := settings.ReadServer(o.config)
	if err != nil {
		return nil
	}
	var programs, places []string
	add := func(program, place string) {
		if program != "" && !slices.Contains(programs, program) {
			programs, places = append(programs, program), append(places, place)
		}
	}
	add(set.Exit, "exit")
	for i := range set.Rules {
		if program := set.Rules[i].Exit; program != nil {
			add(*program, from.Place("rule", i, "exit").String())
		}
	}
	if len(programs) == 0 {
		return nil
	}
	user, found := o.exitUser(set.ExitUser)
	for i, program := range programs {
		found = append(found, o.checkProgram(program, places[i], user))
	}
	return found
}

// An account is what decides which files somebody may execute; nil if nobody is known.
type account struct {
	name string
	uid  uint32
	gids []uint32
}

// exitUser looks at whom exit programs run as.
func (o options) exitUser(name string) (*account, []finding) {
	entry := getent("passwd", name)
	switch {
	case len(entry) < 7:
		return nil, []finding{aboutExit.find(o.absent(), "account %q, which exit_user names, does not exist", name)}
	case strings.Trim(entry[2], "0") == "":
		return nil, []finding{aboutExit.fail("account %q, which exit_user names, is root's: no exit program runs as root", name)}
	}
	user := &account{name: name}
	groups := []string{entry[3]}
	if list := strings.Fields(strings.Join(getent("initgroups", name), " ")); len(list) > 1 {
		groups = append(groups, list[1:]...)
	}
	uid, err := strconv.ParseUint(entry[2], 10, 32)
	if err != nil {
		return nil, nil
	}
	user.uid = uint32(uid)
	for _, text := range groups {
		if gid, err := strconv.ParseUint(text, 10, 32); err == nil {
			user.gids = append(user.gids, uint32(gid))
		}
	}
	return user, nil
}

// executes reports whether the mode of a file, or of a directory on the way to one,
// permits the account to execute it.
func (a *account) executes(st *syscall.Stat_t) bool {
	bit := uint32(0o001)
	switch {
	case st.Uid == a.uid:
		bit = 0o100
	case slices.Contains(a.gids, st.Gid):
		bit = 0o010
	}
	return st.Mode&bit != 0
}

// checkProgram looks at a program that decides about the commands of all users: who
// could put another in its place would decide, too.
func (o options) checkProgram(program, place string, user *account) finding {
	real, err := filepath.EvalSymlinks(program)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return aboutExit.find(o.absent(), "%s: %s is not there: every command that it would be asked about is refused", place, program)
	case err != nil:
		return aboutExit.fail("%s: %v: every command that it would be asked about is refused", place, err)
	}
	for _, path := range append(onTheWay(program), onTheWay(real)...) {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			return aboutExit.fail("%s: %s: %v", place, path, err)
		}
		directory := st.Mode&syscall.S_IFMT == syscall.S_IFDIR
		switch {
		case path == real && (st.Mode&syscall.S_IFMT != syscall.S_IFREG || st.Mode&0o111 == 0):
			return aboutExit.fail("%s: %s is no program that can be executed: chmod 755", place, path)
		case st.Uid != 0:
			return aboutExit.fail("%s: %s belongs to user %d, who can change what decides: chown root", place, path, st.Uid)
		case st.Mode&0o022 != 0:
			return aboutExit.fail("%s: others than root can change %s (mode %04o): chmod go-w", place, path, st.Mode&0o7777)
		case user != nil && (directory || path == real) && !user.executes(&st):
			return aboutExit.fail("%s: %q, the exit_user, may not execute %s (mode %04o): every command is refused",
				place, user.name, path, st.Mode&0o7777)
		}
	}
	return aboutExit.ok("%s", program)
}

// onTheWay lists a path and the directories that lead to it, / first.
func onTheWay(path string) (all []string) {
	for ; path != "/"; path = filepath.Dir(path) {
		all = append([]string{path}, all...)
	}
	return append([]string{"/"}, all...)
}
