package main

import (
	"path/filepath"
	"strconv"
	"strings"
)

// An outcome is what a stack does whoever asks.
type outcome int

const (
	depends outcome = iota // on the modules
	denies                 // everybody
	permits                // everybody, with any password
)

// outcome judges a stack, and names the facility that decides.
func (s stack) outcome() (facility string, o outcome) {
	for _, facility := range []string{"auth", "account", "session"} {
		if !s.judge(facility, true) {
			return facility, denies
		}
	}
	if s.judge("auth", false) {
		return "auth", permits
	}
	return "", depends
}

// constant are the modules that return the same whoever asks; the others are
// taken to succeed for the right users, and to fail for the rest.
var constant = map[string]string{
	"pam_permit.so": "success", "pam_deny.so": "auth_err",
	"pam_warn.so": "ignore", "pam_env.so": "ignore", "pam_faildelay.so": "ignore", "pam_echo.so": "ignore",
}

// actions are those of pam.conf(5), for a module that succeeds, wants to be
// ignored, or fails otherwise.
var actions = map[string]map[string]string{
	"required":   {"success": "ok", "auth_err": "bad", "ignore": "ignore"},
	"requisite":  {"success": "ok", "auth_err": "die", "ignore": "ignore"},
	"sufficient": {"success": "done", "auth_err": "ignore", "ignore": "ignore"},
	"optional":   {"success": "ok", "auth_err": "ignore", "ignore": "ignore"},
}

// action is what a rule does with what its module returns. A value that brackets
// do not name has the default, which is bad.
func (r rule) action(value string) string {
	list, brackets := strings.CutPrefix(r.control, "[")
	if !brackets {
		if value == "module_unknown" {
			value = "auth_err"
		}
		return actions[r.control][value]
	}
	action := "bad"
	for pair := range strings.FieldsSeq(list) {
		switch name, to, _ := strings.Cut(pair, "="); name {
		case value:
			return to
		case "default":
			action = to
		}
	}
	return action
}

// judge runs a facility's rules as libpam does (_pam_dispatch_aux), with modules
// that succeed or fail, and reports whether the whole succeeds.
func (s stack) judge(facility string, succeed bool) bool {
	decided, good, skip := false, false, 0
	for _, r := range s.rules {
		if r.facility != facility {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		value, known := constant[filepath.Base(r.module)]
		switch {
		case r.absent:
			value = "module_unknown"
		case !known && succeed:
			value = "success"
		case !known:
			value = "auth_err"
		}
		switch action := r.action(value); action {
		case "ignore":
		case "ok", "done":
			if value != "ignore" && (!decided || good) {
				decided, good = true, value == "success"
			}
			if action == "done" && good {
				return true
			}
		case "bad":
			decided, good = true, false
		case "die":
			return false
		case "reset":
			decided, good = false, false
		default:
			skip, _ = strconv.Atoi(action)
		}
	}
	return decided && good
}
