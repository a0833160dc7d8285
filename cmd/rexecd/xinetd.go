package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// addXinetd switches the entry on; where a package or the administrator has left none, it writes one.
func addXinetd(conf, server string) (string, error) {
	before, entry, after := cutXinetd(conf)
	switch {
	case entry == "":
		if conf != "" && !strings.HasSuffix(conf, "\n") {
			conf += "\n"
		}
		return conf + "service " + portName + "\n{\n\tdisable\t\t= no\n\tsocket_type\t= stream\n\tprotocol\t= tcp\n\twait\t\t= no\n\tuser\t\t= root\n" +
			"\tserver\t\t= " + server + "\n\tflags\t\t= IPv6\n\tinstances\t= 512\n\tcps\t\t= 500 1\n}\n", nil
	case !ours(parseXinetd(entry).server):
		return "", fmt.Errorf("%s starts %s: take that entry out first", xinetdConf, parseXinetd(entry).server)
	case xinetdEnabled(entry):
		return conf, nil
	}
	return before + setDisable(strings.Replace(entry, xinetdMark, "", 1), "no") + after, nil
}

// xinetdMark is what -remove leaves in an entry of the administrator's own, so that -install finds it again. The shipped
// file does without: the package manager would ask about it for ever after.
const xinetdMark = "\t# Switched off by rexecd -remove; rexecd -install switches it on again.\n"

// removeOwnXinetd switches an entry off in a file of the administrator's own, and marks it.
func removeOwnXinetd(conf string) string {
	off := removeXinetd(conf)
	if off == conf {
		return conf
	}
	before, entry, after := cutXinetd(off)
	at := 0
	for line := range strings.Lines(entry) {
		if k, _, ok := xinetdAttribute(line); ok && k == "disable" {
			break
		}
		at += len(line)
	}
	return before + entry[:at] + xinetdMark + entry[at:] + after
}

// markedXinetd reports whether a file has an entry of ours that -remove has switched off.
func markedXinetd(conf string) bool {
	_, entry, _ := cutXinetd(conf)
	return strings.Contains(entry, xinetdMark) && !xinetdEnabled(conf) && ours(parseXinetd(entry).server)
}

// removeXinetd switches the entry off and leaves the rest: it may hold the site's only_from.
func removeXinetd(conf string) string {
	before, entry, after := cutXinetd(conf)
	if entry == "" || !ours(parseXinetd(entry).server) {
		return conf
	}
	return before + setDisable(entry, "yes") + after
}

// xinetdEnabled reports whether conf has an entry that is on; without the attribute "disable" it is.
func xinetdEnabled(conf string) bool {
	_, entry, _ := cutXinetd(conf)
	for line := range strings.Lines(entry) {
		if k, v, ok := xinetdAttribute(line); ok && k == "disable" && v == "yes" {
			return false
		}
	}
	return entry != ""
}

// cutXinetd cuts a file around the entry of the service exec, which reaches to the head of the next one or to the end: a
// file may hold others' as well. It is empty if there is none.
func cutXinetd(conf string) (before, entry, after string) {
	begin, end, at := -1, len(conf), 0
	for line := range strings.Lines(conf) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "service" {
			if begin >= 0 {
				end = at
				break
			}
			if strings.TrimSuffix(f[1], "{") == portName {
				begin = at
			}
		}
		at += len(line)
	}
	if begin < 0 {
		return conf, "", ""
	}
	return conf[:begin], conf[begin:end], conf[end:]
}

// parseXinetd reads a file's entry. Without the attribute "server" it is ours.
func parseXinetd(conf string) entry {
	_, text, _ := cutXinetd(conf)
	e := entry{named: true, server: handlerName}
	nameInArgs := false
	for line := range strings.Lines(text) {
		k, v, _ := xinetdAttribute(line)
		switch k {
		case "server":
			e.server = v
		case "server_args":
			e.args = strings.Fields(v)
		case "wait":
			e.wait = v == "yes"
		case "bind", "interface":
			e.socket = v
		case "type":
			e.named = !strings.Contains(v, "UNLISTED")
		case "flags":
			nameInArgs = strings.Contains(v, "NAMEINARGS")
		}
	}
	e.program = e.server
	if filepath.Base(e.server) == "tcpd" && len(e.args) > 0 { // the server is its first argument
		e.server = e.args[0]
		nameInArgs = true
	}
	if nameInArgs && len(e.args) > 0 {
		e.args = e.args[1:]
	}
	return e
}

// xinetdFiles are those that xinetd reads: of a directory not the ones with a dot
// in their name, or a tilde at its end.
func xinetdFiles() []string {
	files := []string{xinetdConf}
	all, _ := filepath.Glob(filepath.Dir(xinetdConf) + "/*")
	for _, file := range append(all, xinetdMain) {
		name := filepath.Base(file)
		if file != xinetdConf && (file == xinetdMain || !strings.Contains(name, ".") && !strings.HasSuffix(name, "~")) {
			files = append(files, file)
		}
	}
	return files
}

func xinetdAttribute(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	return name, strings.TrimSpace(value), ok && !strings.HasPrefix(name, "#")
}

// setDisable gives an entry's attribute "disable" the value yes or no, and adds it behind the brace where it is missing.
func setDisable(entry, value string) string {
	var with, without strings.Builder
	found, added := false, false
	for line := range strings.Lines(entry) {
		without.WriteString(line)
		if text := strings.TrimSpace(line); !added && strings.HasSuffix(text, "{") && text[0] != '#' {
			added = true
			without.WriteString("\tdisable\t\t= " + value + "\n")
		}
		if k, v, ok := xinetdAttribute(line); ok && k == "disable" {
			found = true
			if v != value {
				line = line[:strings.Index(line, "=")+1] + " " + value + "\n"
			}
		}
		with.WriteString(line)
	}
	if found {
		return with.String()
	}
	return without.String()
}
