package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// A line switched off is marked as Debian's update-inetd(8) does it, which can
// switch it on again as -install does.
const offMark = "#<off>#"

// An inetdEntry is a line of inetd.conf, with those that continue it.
type inetdEntry struct {
	text      string // as it stands in the file
	line      int    // the number of its first line
	exec, off bool   // it is for our port; it is switched off with offMark
	service   string // with its address, as inetutils and OpenBSD have it: "127.0.0.1:exec"
	protocol  string // tcp, tcp4, tcp6
	wait      bool
	unrated   bool     // "nowait" without the number of connections a minute
	program   string   // what inetd starts
	server    string   // the same, or what tcpd starts
	args      []string // the server's, without its name
}

// inetdEntries cuts a file into its entries, of whatever service, and comments.
// BSD's inetd continues an entry with lines that begin with a blank; for others
// such a line is an entry, which it is taken for when it is complete.
func inetdEntries(conf string) []inetdEntry {
	var all []inetdEntry
	n := 0
	for line := range strings.Lines(conf) {
		n++
		e := parseInetd(line)
		if len(all) > 0 && !e.exec && strings.TrimSpace(line) != "" && continues(all[len(all)-1].text, line) {
			e, all = all[len(all)-1], all[:len(all)-1]
			whole := parseInetd(e.text + line)
			whole.line = e.line
			all = append(all, whole)
			continue
		}
		e.line = n
		all = append(all, e)
	}
	return all
}

// continues reports whether a line belongs to the entry before it. Lines that are
// switched off are one entry if they were.
func continues(before, line string) bool {
	bare := func(s string) string { return strings.TrimPrefix(strings.TrimPrefix(s, offMark), " ") }
	if strings.HasPrefix(before, offMark) != strings.HasPrefix(line, offMark) {
		return false
	}
	before, line = strings.TrimSpace(bare(before)), bare(line)
	return before != "" && before[0] != '#' && (line[0] == ' ' || line[0] == '\t') && strings.TrimSpace(line)[0] != '#'
}

// parseInetd reads one entry.
func parseInetd(text string) inetdEntry {
	e := inetdEntry{text: text}
	var f []string
	for line := range strings.Lines(text) {
		rest, off := strings.CutPrefix(line, offMark)
		e.off = off
		f = append(f, strings.Fields(rest)...)
	}
	if len(f) < 6 || strings.HasPrefix(f[0], "#") {
		return e
	}
	name := f[0][strings.LastIndex(f[0], ":")+1:]
	if name != portName && name != strconv.Itoa(execPort) || !strings.HasPrefix(f[2], "tcp") {
		return e
	}
	e.exec = true
	e.unrated = f[3] == "nowait"
	e.service, e.protocol, e.wait, e.program, e.server = f[0], f[2], strings.HasPrefix(f[3], "wait"), f[5], f[5]
	if len(f) > 6 {
		e.args = f[7:]
	}
	if filepath.Base(f[5]) == "tcpd" && len(f) > 6 { // the server is its first argument
		if e.server = f[6]; !filepath.IsAbs(e.server) {
			e.server = "/usr/sbin/" + e.server
		}
	}
	return e
}

// active reports whether an entry is for our port and switched on.
func (e inetdEntry) active() bool { return e.exec && !e.off }

func (e inetdEntry) where() string { return fmt.Sprintf("line %d of %s", e.line, inetdConf) }

// inetdLine is a line as addInetd writes it. 6000 connections a minute: see
// packaging/inetd.conf.
func inetdLine(protocol, server string) string {
	return portName + "\tstream\t" + protocol + "\tnowait.6000\troot\t" + server + "\t" + handlerName + "\n"
}

// written reports whether the entry is as addInetd writes it: one that somebody
// has edited is theirs.
func (e inetdEntry) written() bool {
	return strings.TrimSuffix(e.text, "\n") == strings.TrimSuffix(inetdLine(e.protocol, e.server), "\n")
}

// addInetd returns conf with our entry: conf itself where one is active, else the
// lines that were switched off, else new ones.
func addInetd(conf, server string) (string, error) {
	all := inetdEntries(conf)
	latest := map[string]int{} // of those that would want the same socket
	for i, e := range all {
		switch {
		case e.active() && ours(e.server):
			return conf, nil
		case e.active():
			return "", fmt.Errorf("%s starts %s for this service: take that line out first", e.where(), e.server)
		case e.off && ours(e.server) && exists(e.program) && exists(e.server):
			latest[e.service+" "+e.protocol] = i
		}
	}
	if len(latest) == 0 {
		if conf != "" && !strings.HasSuffix(conf, "\n") {
			conf += "\n"
		}
		conf += inetdLine("tcp", server)
		if exists("/proc/net/if_inet6") {
			conf += inetdLine("tcp6", server)
		}
		return conf, nil
	}
	var text strings.Builder
	for i, e := range all {
		if at, chosen := latest[e.service+" "+e.protocol]; chosen && at == i {
			for line := range strings.Lines(e.text) {
				text.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, offMark), " "))
			}
			continue
		}
		text.WriteString(e.text)
	}
	return text.String(), nil
}

// removeInetd returns conf without the lines that addInetd wrote. Those that
// somebody else wrote for this server are switched off: -install restores them.
// Comments and others' lines stay as they are.
func removeInetd(conf string) string {
	var kept strings.Builder
	for _, e := range inetdEntries(conf) {
		switch {
		case !e.active() || !ours(e.server):
			kept.WriteString(e.text)
		case !e.written():
			for line := range strings.Lines(e.text) {
				kept.WriteString(offMark + " " + line)
			}
		}
	}
	return kept.String()
}

// dropIPv4 returns conf without the line for tcp that addInetd wrote, where there
// is the one for tcp6 that it wrote beside it.
func dropIPv4(conf string) string {
	var kept strings.Builder
	six := false
	for _, e := range inetdEntries(conf) {
		mine := e.active() && ours(e.server) && e.written()
		six = six || mine && e.protocol == "tcp6"
		if !mine || e.protocol == "tcp6" {
			kept.WriteString(e.text)
		}
	}
	if !six {
		return conf
	}
	return kept.String()
}
