package main

import (
	"os/exec"
	"strings"

	"rexecd/pkg/settings"
)

// checkGuests looks at every account that guests would get. Which the server passes
// over is not fit.
func (o options) checkGuests() []finding {
	set, _, err := settings.ReadServer(o.config)
	if err != nil || len(set.Guest.Accounts) == 0 {
		return nil
	}
	var found []finding
	for _, name := range set.Guest.Accounts {
		found = append(found, o.checkGuest(name, set.Guest.PermitPasswordAccounts))
	}
	return found
}

func (o options) checkGuest(name string, permitPassword bool) finding {
	const about = topic("guest")
	entry := getent("passwd", name)
	if len(entry) < 7 {
		return about.find(o.absent(), "account %q does not exist: useradd -m -r makes one, or take it out of guest.accounts", name)
	}
	if strings.Trim(entry[2], "0") == "" {
		return about.fail("account %q is root's, which no guest gets: take it out of guest.accounts", name)
	}
	shadow := getent("shadow", name)
	locked := len(shadow) > 1 && (strings.HasPrefix(shadow[1], "!") || strings.HasPrefix(shadow[1], "*"))
	if !locked && !permitPassword {
		return about.fail("account %q may have a password: usermod -L locks it, guest.permit_password_accounts = true permits it", name)
	}
	return about.ok("account %q", name)
}

// getent returns the fields of an entry, as the name service has it: this program has
// no C library to ask. None if there is no such entry.
func getent(database, name string) []string {
	text, err := exec.Command("getent", database, "--", name).Output()
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), ":")
}
