package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"rexecd/pkg/settings"
)

// checkExit looks at the exit program and at whom it would run as.
func (o options) checkExit() []finding {
	const about = topic("exit")
	set, _, err := settings.ReadServer(o.config)
	if err != nil || set.Exit == "" {
		return nil
	}
	var found []finding
	switch st, err := os.Stat(set.Exit); {
	case errors.Is(err, fs.ErrNotExist):
		found = append(found, about.find(o.absent(), "%v: every command is refused until it is there", err))
	case err != nil:
		found = append(found, about.fail("%v: every command is refused until it is there", err))
	case !st.Mode().IsRegular() || st.Mode()&0o111 == 0:
		found = append(found, about.fail("%s is no program that can be executed: chmod 755", set.Exit))
	case st.Mode()&0o022 != 0:
		found = append(found, about.fail("others than its owner can change %s (mode %04o): chmod go-w", set.Exit, st.Mode().Perm()))
	default:
		found = append(found, about.ok("%s", set.Exit))
	}
	switch entry := getent("passwd", set.ExitUser); {
	case len(entry) < 7:
		found = append(found, about.find(o.absent(), "account %q, which exit_user names, does not exist", set.ExitUser))
	case strings.Trim(entry[2], "0") == "":
		found = append(found, about.fail("account %q, which exit_user names, is root's: no exit program runs as root", set.ExitUser))
	}
	return found
}
