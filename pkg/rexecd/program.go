package rexecd

import (
	"path"

	"rexecd/pkg/passwd"
	"rexecd/pkg/session"
)

// program is what is executed for a user: the shell with the client's command, or
// what the rule says. client is REXEC_CLIENT, pamEnv what PAM adds.
func (r *ruling) program(account *passwd.Entry, client string, pamEnv []string) *session.Command {
	shell := account.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	user := session.User{Name: account.Name, UID: account.UID, Home: account.Home, Shell: shell}
	env := session.Environment(user, client, pamEnv)
	env = session.With(env, r.Environment)
	if r.Run != "" || r.Words != nil {
		// bash -c reads ~/.bashrc when its input is a network connection, unless another
		// shell has started it.
		env = session.With(env, map[string]string{"SHLVL": "1"})
	}
	if r.Run != "" {
		env = append(env, "REXEC_ORIGINAL_COMMAND="+r.command)
	}
	c := &session.Command{Home: account.Home, Env: env, UID: account.UID, GID: account.GID, ChangeIdentity: asRoot}
	switch {
	case r.Words != nil:
		c.Argv = r.Words
		// Without a path it is the empty one, at which there is nothing.
		if paths := session.Path(env, account.Home, r.Words[0]); len(paths) > 0 {
			c.Shell, c.Others = paths[0], paths[1:]
		}
	case r.Run != "":
		// Not the user's shell: bash reads ~/.bashrc when its input is a network connection,
		// csh and zsh read files of the user's always. As a login shell, sh would.
		c.Shell, c.Argv = "/bin/sh", []string{"sh", "-c", r.Run}
	default:
		name := path.Base(shell)
		if r.loginShell {
			name = "-" + name
		}
		c.Shell, c.Argv = shell, []string{name, "-c", r.command}
	}
	return c
}

// name is what is executed, as messages name it.
func (r *ruling) name(c *session.Command) string {
	if r.Words != nil {
		return r.Words[0]
	}
	return c.Shell
}
