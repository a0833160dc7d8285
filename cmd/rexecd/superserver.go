package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Where the inetd family keeps its entries.
const (
	inetdConf  = "/etc/inetd.conf"
	xinetdMain = "/etc/xinetd.conf"
)

// A superServer is a host's program that listens for others, and our entry in what it reads.
type superServer struct {
	programs []string // names of its process
	conf     string   // the file with the entry
	add      func(conf, server string) (string, error)
	remove   func(conf string) string
}

func inetdServer() superServer {
	return superServer{[]string{"inetd", "inetutils-inetd"}, inetdConf, addInetd, removeInetd}
}

// xinetdServer has the entry where the package or -install puts it, unless it is in
// another file that xinetd reads: one that is on, else one that -remove has switched
// off, whose only_from the shipped entry lacks.
func xinetdServer() superServer {
	s := superServer{[]string{"xinetd"}, xinetdConf, addXinetd, removeXinetd}
	files := xinetdFiles()
	for _, has := range []func(string) bool{xinetdEnabled, markedXinetd} {
		if i := slices.IndexFunc(files, func(file string) bool { return has(contents(file)) }); i >= 0 {
			if s.conf = files[i]; s.conf != xinetdConf {
				s.remove = removeOwnXinetd
			}
			break
		}
	}
	return s
}

// running returns the super-server's process ids.
func (s superServer) running() []int {
	pids := named(s.programs...)
	if s.programs[0] == "inetd" {
		pids = append(pids, applets("inetd")...)
	}
	return pids
}

// holdsPort reports whether one of the listeners is this super-server.
func (s superServer) holdsPort(l []listener) bool {
	pids := s.running()
	return slices.ContainsFunc(l, func(l listener) bool { return slices.Contains(pids, l.pid) })
}

// chooseSuperServer is the one that serves us or runs, else the one whose file or
// directory is there.
func chooseSuperServer() (superServer, error) {
	both := []superServer{xinetdServer(), inetdServer()}
	l := listeners(execPort)
	for _, s := range both {
		if s.holdsPort(l) {
			return s, nil
		}
	}
	for _, s := range both {
		if len(s.running()) > 0 {
			return s, nil
		}
	}
	if exists(inetdConf) {
		return inetdServer(), nil
	}
	if exists(filepath.Dir(xinetdConf)) && exists("/usr/sbin/xinetd") {
		return xinetdServer(), nil
	}
	return superServer{}, fmt.Errorf("no super-server found: systemd is not running, and there is neither /etc/inetd.conf nor xinetd; install openbsd-inetd, or run rexecd -standby 4 -listen :%d", execPort)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func contents(path string) string {
	text, _ := os.ReadFile(path) // absent is empty
	return string(text)
}

// An entry is what a super-server is set to start for our port, ours or not.
type entry struct {
	by      superServer
	where   string
	socket  string // what it listens on, beside others of the same super-server
	named   bool   // the port is found by its name
	wait    bool   // what is started takes the listening socket
	program string
	server  string // the same, or what tcpd starts
	args    []string
	unrated bool // a number of connections that its default does not foresee stops it
}

// entries are those that are switched on in the files of inetd and xinetd.
func entries() []entry {
	var all []entry
	for _, e := range inetdEntries(contents(inetdConf)) {
		if e.active() {
			all = append(all, entry{inetdServer(), e.where(), e.service + " " + e.protocol, strings.HasSuffix(e.service, portName), e.wait, e.program, e.server, e.args, e.unrated})
		}
	}
	for _, file := range xinetdFiles() {
		if text := contents(file); xinetdEnabled(text) {
			e := parseXinetd(text)
			e.by, e.where = xinetdServer(), file
			all = append(all, e)
		}
	}
	return all
}

// check returns what keeps an entry of ours from being served.
func (e entry) check() error {
	for _, path := range []string{e.program, e.server} {
		if !exists(path) {
			return fmt.Errorf("%s starts %s, which is not there", e.where, path)
		}
	}
	if err := wrongArgs(e.server, e.args, e.wait); err != nil {
		return fmt.Errorf("%s: %w: every client is told \"Try again.\"", e.where, err)
	}
	return nil
}

// ours reports whether an entry's server is in.rexecd, under whatever path, or
// this program, which becomes it and supervises it: others have its name, too.
func ours(server string) bool {
	if filepath.Base(server) == handlerName {
		return true
	}
	return sameProgram("/proc/self/exe", server)
}

func sameProgram(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// wrongArgs returns what is wrong with the options of in.rexecd or rexecd as a
// super-server passes them. wait: with a listening socket.
func wrongArgs(server string, args []string, wait bool) error {
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	name := filepath.Base(server)
	supervises := o.standby > 0 || o.debug
	switch {
	case o.verb() && o.listen == "":
		return fmt.Errorf("%s %s does not serve a connection", name, strings.Join(args, " "))
	case name == handlerName && (supervises || o.listen != ""):
		return fmt.Errorf("%s serves one connection: %q is for rexecd", name, strings.Join(args, " "))
	case wait && !supervises:
		return fmt.Errorf(`"wait" hands over the listening socket, which only rexecd -standby takes: use "nowait"`)
	case !wait && o.standby > 0:
		return fmt.Errorf(`"nowait" hands over one connection, and -standby needs the listening socket: use "wait"`)
	}
	return nil
}
