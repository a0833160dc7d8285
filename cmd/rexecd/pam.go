package main

import (
	"path/filepath"
	"strings"
)

// Where Linux-PAM looks for service files.
var pamDirs = []string{"/etc/pam.d/", "/usr/lib/pam.d/", "/usr/etc/pam.d/"}

// pamFile returns the path of a service's file; "": there is none.
func pamFile(name string) string {
	for _, dir := range pamDirs {
		if exists(dir + name) {
			return dir + name
		}
	}
	return ""
}

// checkPAM reads the service's stack with all that it includes. Where the service
// has no file PAM takes that of "other", as it does for one without lines of a
// facility.
func checkPAM() []finding {
	const about = topic("PAM")
	path, other := pamFile(service), pamFile("other")
	fallback := readStack(other, 0)
	if path == "" {
		return []finding{missingService(other, fallback)}
	}
	stack := readStack(path, 0)
	var found []finding
	for _, facility := range []string{"auth", "account", "session"} {
		if !stack.has(facility) {
			found = append(found, about.fail("%s has no %s lines, so that PAM %s: take %s",
				path, facility, fallback.instead(other, facility), shippedPAM()))
		}
	}
	for _, name := range stack.files {
		found = append(found, about.fail("the file %s, which %s includes, is not there", name, path))
	}
	if found != nil {
		return found
	}
	facility, outcome := stack.outcome()
	switch {
	case outcome == denies && stack.missing == nil:
		found = append(found, about.fail("the %s lines of %s refuse everybody", facility, path))
	case outcome == permits:
		found = append(found, about.fail("the auth lines of %s accept any password: everybody who reaches port %d can be any user", path, execPort))
	case outcome == depends:
		found = append(found, about.ok("%s, with session lines", path))
	}
	for _, m := range stack.missing {
		if outcome == denies {
			found = append(found, about.fail("%s, which %s asks for, is not installed, and without it the %s lines refuse everybody", m, path, facility))
		} else {
			found = append(found, about.note("%s, which %s asks for, is not installed; logins do without it", m, path))
		}
	}
	return found
}

// pamTemplate is Debian's copy of the service file. The package does not put back one
// that was deleted.
var pamTemplate = "/usr/share/rexecd/pam.d/rexec"

// shippedPAM names the file that belongs in /etc/pam.d.
func shippedPAM() string {
	if exists(pamTemplate) {
		return "a copy of " + pamTemplate
	}
	return "the file that is shipped with " + handlerName
}

// missingService is what follows from a missing service file.
func missingService(other string, fallback stack) finding {
	const about = topic("PAM")
	install := "install " + shippedPAM()
	missing := pamDirs[0] + service + " is missing, "
	if other == "" {
		return about.fail("%sand so is %sother: PAM refuses everybody; %s", missing, pamDirs[0], install)
	}
	facility, outcome := fallback.outcome()
	switch {
	case fallback.files != nil:
		return about.fail("%sso that %s holds, which includes the file %s, and that is not there; %s", missing, other, fallback.files[0], install)
	case outcome == denies:
		return about.fail("%sso that %s holds, which refuses everybody (%s); %s", missing, other, facility, install)
	case outcome == permits:
		return about.fail("%sso that %s holds, which accepts any password: everybody who reaches port %d can be any user; %s",
			missing, other, execPort, install)
	}
	return about.note("%sso that %s holds, which admits whoever passes its modules; %s", missing, other, install)
}

// instead is what PAM does for a facility that the service's file lacks.
func (s stack) instead(other, facility string) string {
	switch {
	case other == "" || !s.has(facility):
		return "fails there"
	case s.judge(facility, false):
		return "takes those of " + other + ", which always succeed"
	case !s.judge(facility, true):
		return "takes those of " + other + ", which always fail"
	}
	return "takes those of " + other
}

// A stack is what the lines of a PAM service file ask for, included files in
// their place.
type stack struct {
	rules   []rule
	missing []string // modules that are not installed, and should be
	files   []string // included, and not there: PAM gives up
}

// A rule is a line with a module.
type rule struct {
	facility, control, module string
	absent                    bool // not installed
}

func (s stack) has(facility string) bool {
	for _, r := range s.rules {
		if r.facility == facility {
			return true
		}
	}
	return false
}

// requires reports whether a login fails with a module.
func (s stack) requires(facility, module string) bool {
	for _, r := range s.rules {
		if r.facility == facility && filepath.Base(r.module) == module && (r.control == "required" || r.control == "requisite") {
			return true
		}
	}
	return false
}

// readStack reads a service file. Its lines are "[-]facility control module
// arguments", the control a word or "[value=action …]"; "include", "substack" and
// Debian's "@include" name another file.
func readStack(path string, depth int) stack {
	var s stack
	if depth > 8 {
		return s // a file that includes itself
	}
	add := func(name, only string) {
		file := name
		if !filepath.IsAbs(name) {
			file = pamFile(name)
		}
		if file == "" || !exists(file) {
			s.files = append(s.files, name)
			return
		}
		inner := readStack(file, depth+1)
		for _, r := range inner.rules {
			if only == "" || only == r.facility {
				s.rules = append(s.rules, r)
			}
		}
		s.missing, s.files = append(s.missing, inner.missing...), append(s.files, inner.files...)
	}
	text := strings.ReplaceAll(contents(path), "\\\n", " ")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) > 1 && f[0] == "@include" {
			add(f[1], "")
			continue
		}
		if len(f) < 3 {
			continue
		}
		name, optional := strings.CutPrefix(f[0], "-")
		r := rule{facility: strings.ToLower(name), control: strings.ToLower(f[1]), module: f[2]}
		if strings.HasPrefix(f[1], "[") {
			control, rest, _ := strings.Cut(line, "]")
			if f := strings.Fields(rest); len(f) > 0 {
				_, r.control, _ = strings.Cut(control, "[")
				r.control, r.module = "["+r.control, f[0]
			}
		}
		if r.control == "include" || r.control == "substack" {
			add(r.module, r.facility)
			continue
		}
		if r.absent = !moduleExists(r.module); r.absent && !optional {
			s.missing = append(s.missing, r.module)
		}
		s.rules = append(s.rules, r)
	}
	return s
}

// moduleExists looks where the distributions keep PAM modules: /lib/ARCH-linux-gnu/security on Debian, /usr/lib64/security on
// Fedora and SUSE.
func moduleExists(module string) bool {
	if filepath.IsAbs(module) {
		return exists(module)
	}
	for _, pattern := range []string{"/usr/lib/*/security/", "/lib/*/security/", "/usr/lib64/security/", "/lib64/security/", "/usr/lib/security/", "/lib/security/"} {
		if found, _ := filepath.Glob(pattern + module); len(found) > 0 {
			return true
		}
	}
	return false
}
