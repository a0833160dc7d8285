package session

import (
	"maps"
	"slices"
	"strings"
)

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

// With adds variables to an environment, those of names in place of what is there.
func With(env []string, more map[string]string) []string {
	for _, name := range slices.Sorted(maps.Keys(more)) {
		v := name + "=" + more[name]
		if i := slices.IndexFunc(env, func(old string) bool { return strings.HasPrefix(old, name+"=") }); i >= 0 {
			env[i] = v
		} else {
			env = append(env, v)
		}
	}
	return env
}

// Path returns the paths at which the environment's PATH has a program, in its
// order. A name with a slash is a path already, from the home directory if it does
// not say; what PATH has that is not absolute is passed over.
func Path(env []string, home, program string) []string {
	if strings.Contains(program, "/") {
		if !strings.HasPrefix(program, "/") {
			program = home + "/" + program
		}
		return []string{program}
	}
	var paths []string
	for _, v := range env {
		if list, ok := strings.CutPrefix(v, "PATH="); ok {
			for dir := range strings.SplitSeq(list, ":") {
				if strings.HasPrefix(dir, "/") {
					paths = append(paths, strings.TrimRight(dir, "/")+"/"+program)
				}
			}
		}
	}
	return paths
}

// settable reports whether PAM may set a variable. It may not change who the user
// is, and not what makes the loader or a shell run other code before the
// command.
func settable(name string) bool {
	switch name {
	case "", "HOME", "SHELL", "USER", "LOGNAME", "IFS", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4":
		return false
	}
	return !strings.HasPrefix(name, "LD_") && !strings.HasPrefix(name, "BASH_FUNC_") && !strings.HasPrefix(name, "REXEC_")
}
