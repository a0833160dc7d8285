package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Where the inetd family keeps its entries.
const (
	inetdConf  = "/etc/inetd.conf"
	xinetdConf = "/etc/xinetd.d/rexec"
)

// A superServer is a host's program that listens for others, and our entry in what it reads.
type superServer struct {
	programs []string // names of its process
	conf     string   // the file with the entry
	add      func(conf, server string) (string, error)
	remove   func(conf string) string
}

var inetdServer = superServer{[]string{"inetd", "inetutils-inetd"}, inetdConf, addInetd, removeInetd}
var xinetdServer = superServer{[]string{"xinetd"}, xinetdConf, addXinetd, removeXinetd}

// running returns the super-server's process ids.
func (s superServer) running() []int { return named(s.programs...) }

// chooseSuperServer is the one that runs, else the one whose file or folder is there.
func chooseSuperServer() (superServer, error) {
	for _, s := range []superServer{xinetdServer, inetdServer} {
		if len(s.running()) > 0 {
			return s, nil
		}
	}
	if exists(inetdConf) {
		return inetdServer, nil
	}
	if exists(filepath.Dir(xinetdConf)) && exists("/usr/sbin/xinetd") {
		return xinetdServer, nil
	}
	return superServer{}, errors.New("no super-server found: systemd is not running, and there is neither /etc/inetd.conf nor xinetd; install openbsd-inetd, or run rexecd -debug")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// execLine reports whether a line of inetd.conf is an active entry for our port, and the server that it starts. The
// service's name may carry an address (inetutils, OpenBSD: "127.0.0.1:exec") and be a number.
func execLine(line string) (server string, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || strings.HasPrefix(f[0], "#") {
		return "", false
	}
	service := f[0][strings.LastIndex(f[0], ":")+1:]
	if service != "exec" && service != strconv.Itoa(execPort) || !strings.HasPrefix(f[2], "tcp") {
		return "", false
	}
	// Through tcpd the server is the first argument.
	if filepath.Base(f[5]) == "tcpd" && len(f) > 6 {
		return f[6], true
	}
	return f[5], true
}

// ours reports whether an entry's server is in.rexecd, under whatever path, or
// this program, which becomes it and supervises it: others have its name, too.
func ours(server string) bool {
	if filepath.Base(server) == "in.rexecd" {
		return true
	}
	own, err := os.Stat("/proc/self/exe")
	if err != nil {
		return false
	}
	st, err := os.Stat(server)
	return err == nil && os.SameFile(own, st)
}

// addInetd returns conf with our line, or conf itself when an entry is there. 6000 connections a minute: see packaging/inetd.conf.
func addInetd(conf, server string) (string, error) {
	n := 0
	for line := range strings.Lines(conf) {
		n++
		if s, ok := execLine(line); ok {
			if ours(s) {
				return conf, nil
			}
			return "", fmt.Errorf("line %d of %s starts %s for this service: take that line out first", n, inetdConf, s)
		}
	}
	if conf != "" && !strings.HasSuffix(conf, "\n") {
		conf += "\n"
	}
	conf += "exec\tstream\ttcp\tnowait.6000\troot\t" + server + "\tin.rexecd\n"
	if exists("/proc/net/if_inet6") {
		conf += "exec\tstream\ttcp6\tnowait.6000\troot\t" + server + "\tin.rexecd\n"
	}
	return conf, nil
}

// removeInetd returns conf without our lines; comments and others' lines stay as they are.
func removeInetd(conf string) string {
	var kept strings.Builder
	for line := range strings.Lines(conf) {
		if s, ok := execLine(line); !ok || !ours(s) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// dropIPv4 returns conf without our line for tcp, where there is one for tcp6.
func dropIPv4(conf string) string {
	var kept strings.Builder
	for line := range strings.Lines(conf) {
		if s, ok := execLine(line); !ok || !ours(s) || strings.Fields(line)[2] == "tcp6" {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// rewrite puts what edit makes of a file's text in its place, at once or not at all, and reports whether it differs. Owner
// and mode stay; a symbolic link stays one.
func rewrite(path string, edit func(string) (string, error)) (changed bool, err error) {
	if _, err := os.Lstat(path); err == nil {
		if path, err = filepath.EvalSymlinks(path); err != nil { // a link to nowhere is not ours to replace
			return false, fmt.Errorf("read entry: %w", err)
		}
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read entry: %w", err)
	}
	text, err := edit(string(old))
	if err != nil || text == string(old) {
		return false, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return false, fmt.Errorf("write entry: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	mode, uid, gid := fs.FileMode(0o644), 0, 0
	if st, err := os.Stat(path); err == nil {
		mode = st.Mode().Perm()
		if sys, ok := st.Sys().(*syscall.Stat_t); ok {
			uid, gid = int(sys.Uid), int(sys.Gid)
		}
	}
	_, err = tmp.WriteString(text)
	// The owner first: chown takes mode bits away.
	if err := errors.Join(err, tmp.Chown(uid, gid), tmp.Chmod(mode), copyAttributes(tmp, path), tmp.Sync()); err != nil {
		return false, fmt.Errorf("write entry: %w", err)
	}
	if now, err := os.ReadFile(path); err == nil && string(now) != string(old) {
		return false, fmt.Errorf("write entry: somebody else has just changed %s: try again", path)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return false, fmt.Errorf("write entry: %w", err)
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // so that it is there after a crash
		dir.Close()
	}
	return true, nil
}

// copyAttributes gives f what path has besides owner and mode: access list, SELinux label.
func copyAttributes(f *os.File, path string) error {
	names := make([]byte, 64<<10)
	n, err := unix.Listxattr(path, names)
	if err != nil {
		return nil // a new file, or a file system without them
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		value := make([]byte, 64<<10)
		if n, err := unix.Getxattr(path, name, value); name != "" && err == nil {
			if err := unix.Fsetxattr(int(f.Fd()), name, value[:n], 0); err != nil {
				return fmt.Errorf("keep attribute %s: %w", name, err)
			}
		}
	}
	return nil
}
