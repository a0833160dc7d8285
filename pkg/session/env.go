package session

import "strings"

// Default search paths, as Debian's login.defs(5) has them; PAM may set another.
const (
	userPath = "/usr/local/bin:/usr/bin:/bin"
	rootPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// A User is what the environment has about the user.
type User struct {
	Name  string
	UID   int
	Home  string
	Shell string // path, never empty
}

// Environment builds the command's environment from nothing (rexecd(8),
// "ENVIRONMENT"): the user's variables, client as REXEC_CLIENT, then what PAM
// set. Nothing of this process's own is in it.
func Environment(u User, client string, pam []string) []string {
	path := userPath
	if u.UID == 0 {
		path = rootPath
	}
	env := []string{
		"HOME=" + u.Home, "SHELL=" + u.Shell, "USER=" + u.Name, "LOGNAME=" + u.Name,
		"PATH=" + path, "REXEC_CLIENT=" + client,
	}
	for _, v := range pam {
		name, _, ok := strings.Cut(v, "=")
		switch {
		case !ok || !settable(name):
		case name == "PATH":
			env[4] = v
		default:
			env = append(env, v)
		}
	}
	return env
}

// settable reports whether PAM may set a variable. It may not change who the user
// is, and not what makes the loader or a shell run other code before the
// command.
func settable(name string) bool {
	switch name {
	case "", "HOME", "SHELL", "USER", "LOGNAME", "REXEC_CLIENT", "IFS", "BASH_ENV", "ENV":
		return false
	}
	return !strings.HasPrefix(name, "LD_")
}
