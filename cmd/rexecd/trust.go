package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"rexecd/pkg/settings"
)

// checkTrust looks at what rsh's logins without a password rest on.
func (o options) checkTrust() []finding {
	const about = topic("trust")
	set, _, err := settings.ReadServer(o.config)
	if err != nil {
		return nil // checkSettings has it
	}
	path := pamFile(service)
	module := false
	for _, r := range readStack(path, 0).rules {
		module = module || r.facility == "auth" && filepath.Base(r.module) == "pam_rhosts.so" && !r.absent
	}
	switch {
	case !set.Rsh.Trust && module:
		return []finding{about.note("[rsh] trust is false: nobody is let in without a password, although %s has pam_rhosts", path)}
	case !set.Rsh.Trust:
		return []finding{about.ok("nobody is let in without a password")}
	case !module:
		return []finding{about.fail("[rsh] trust is true, and no auth line of %s has pam_rhosts: nobody is let in without a password all the same", path)}
	}
	found := []finding{about.note("accounts believe what other hosts say of their users: it proves nothing on a network that is not yours alone")}
	if start, err := strconv.Atoi(strings.TrimSpace(contents("/proc/sys/net/ipv4/ip_unprivileged_port_start"))); err == nil && start < 1024 {
		found = append(found, about.note("net.ipv4.ip_unprivileged_port_start is %d: any user here can have a port that other hosts take for root's", start))
	}
	found = append(found, checkTrusting("/etc/hosts.equiv", 0)...)
	for line := range strings.Lines(contents("/etc/passwd")) {
		f := strings.Split(line, ":")
		if len(f) < 7 {
			continue
		}
		if uid, err := strconv.Atoi(f[2]); err == nil && uid != 0 { // root is never let in by it
			found = append(found, checkTrusting(filepath.Join(f[5], ".rhosts"), uid)...)
		}
	}
	return found
}

// mostTrusting is how much of a file is looked at, in bytes.
const mostTrusting = 1 << 20

// checkTrusting looks at a file of hosts and users that are believed. uid is whose it
// has to be, if not root's.
func checkTrusting(path string, uid int) (found []finding) {
	const about = topic("trust")
	// A user's own file may be anything, and another by the time that it is read.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	owner := int(st.Sys().(*syscall.Stat_t).Uid)
	switch {
	case !st.Mode().IsRegular():
		return []finding{about.note("%s is not a file, and is ignored", path)}
	case st.Mode().Perm()&0o022 != 0:
		found = append(found, about.fail("others can write %s: it is ignored until chmod go-w", path))
	case owner != 0 && owner != uid:
		found = append(found, about.fail("%s is another user's: it is ignored", path))
	}
	text, _ := io.ReadAll(io.LimitReader(f, mostTrusting))
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		for i, word := range strings.Fields(line) {
			if word == "+" && i < 2 {
				what := [...]string{"every host", "every user of its host"}[i]
				found = append(found, about.fail("%s:%d: + lets in %s: name those who are meant", path, n, what))
				break
			}
		}
	}
	return found
}
