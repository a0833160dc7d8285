package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"rexecd/pkg/policy"
	"rexecd/pkg/rexecd/rules"
	"rexecd/pkg/settings"
)

// effective is -check -effective: every setting as it is in force, and where it
// was given. Its lines are TOML, to be put into a file as they are.
func effective(out io.Writer, o options) error {
	server, from, err := settings.ReadServer(o.config)
	if err != nil {
		return err
	}
	type setting struct {
		Key   string `json:"key"`
		Value string `json:"value"`          // as the file has it
		File  string `json:"file,omitempty"` // none: the default
		Line  int    `json:"line,omitempty"`
	}
	var all []setting
	width := 0
	for _, s := range server.Effective(from) {
		all = append(all, setting{s.Key, s.Value, s.Origin.File, s.Origin.Line})
		width = max(width, len(s.Line()))
	}
	if o.json {
		writeJSON(out, map[string]any{"settings": all})
		return nil
	}
	for _, s := range server.Effective(from) {
		fmt.Fprintf(out, "%-*s  # %v\n", min(width, 40), s.Line(), s.Origin)
	}
	return nil
}

const aboutSettings = topic("settings")

// checkSettings looks at what is read where no other file is named.
func checkSettings() []finding {
	server, from, err := settings.ReadServer("")
	found := settingsFindings(server, from, err)
	for _, err := range from.Writable() {
		found = append(found, aboutSettings.fail("%v", err))
	}
	return append(found, misnamed(settings.ServerFile+".d")...)
}

// misnamed looks for files beside the drop-ins that are not read. One whose name has .toml
// further to the left was set aside by an editor, a package or an administrator.
func misnamed(dir string) []finding {
	names, _ := os.ReadDir(dir) // absent is empty
	var found []finding
	for _, e := range names {
		if name := e.Name(); name[0] != '.' && !strings.Contains(name, ".toml") {
			found = append(found, aboutSettings.note("%q in %s is not read: the name of a settings file ends in .toml", name, dir))
		}
	}
	return found
}

// checkNamedSettings looks at a file that may be on its way to its place. Who
// owns it there is of no matter (Ansible's copies belong to who logged in), but
// its mode may go with it.
func checkNamedSettings(file string) []finding {
	server, from, err := settings.ReadServer(file)
	found := settingsFindings(server, from, err)
	open := false
	if st, err := os.Stat(file); err == nil {
		open = st.Mode().Perm()&0o022 != 0
	}
	for _, err := range from.Writable() {
		how := note
		if open {
			how = fail
		}
		found = append(found, aboutSettings.find(how, "%v", err))
	}
	return found
}

// settingsFindings are about what ReadServer returned.
func settingsFindings(server *settings.Server, from settings.Sources, err error) []finding {
	var list policy.Rules
	if err == nil {
		list, err = rules.New(server, from)
	}
	switch {
	case err != nil:
		return []finding{aboutSettings.fail("%v; until this is mended every client is told \"Try again.\"", err)}
	case len(from.Files) == 0:
		return []finding{aboutSettings.ok("%s is absent: the defaults", settings.ServerFile)}
	}
	found := []finding{aboutSettings.ok("%s", strings.Join(from.Files, ", "))}
	if len(list) > 0 {
		found = append(found, aboutSettings.ok("%d rules, with %d tests; what matches none of them is denied",
			len(list), len(server.Tests)))
	}
	return append(found, risks(server, from)...)
}

// risks are settings that do what they say, with a consequence that one may not
// have thought of.
func risks(server *settings.Server, from settings.Sources) []finding {
	where := map[string]settings.Origin{}
	for _, s := range server.Effective(from) {
		where[s.Key] = s.Origin
	}
	var found []finding
	if server.Stderr.OwnHost {
		found = append(found, aboutSettings.note("%v: stderr_own_host = true: whoever reaches port %d can have this host connect to "+
			"any port of its own that stderr_min_port permits, those that only listen for the host itself included", where["stderr_own_host"], execPort))
	}
	everything := func(p netip.Prefix) bool { return p.Bits() == 0 }
	if at := slices.IndexFunc(server.Penalties.Exempt, everything); at >= 0 && server.Penalties.Enabled {
		found = append(found, aboutSettings.note("%v: penalties.exempt has %v, every address there is: nobody who guesses passwords is made to wait",
			where["penalties.exempt"], server.Penalties.Exempt[at]))
	}
	if at := slices.IndexFunc(server.Penalties.Shared, everything); at >= 0 && server.Penalties.Enabled {
		found = append(found, aboutSettings.note("%v: penalties.shared has %v, every address there is: whoever tries a new user name each time is never made to wait",
			where["penalties.shared"], server.Penalties.Shared[at]))
	}
	return found
}
