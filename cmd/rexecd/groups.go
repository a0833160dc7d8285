package main

import (
	"slices"
	"strings"

	"rexecd/pkg/settings"
)

// checkGroups looks at each group that a rule names: without it, the server may not
// know whom the rules exclude, and then refuses everybody.
func (o options) checkGroups() []finding {
	const about = topic("rules")
	set, from, err := settings.ReadServer(o.config)
	if err != nil {
		return nil
	}
	var found []finding
	var seen []string
	for i := range set.Rules {
		for _, text := range set.Rules[i].User {
			name, ok := strings.CutPrefix(strings.TrimPrefix(text, "!"), "@")
			if !ok || name == "" || slices.Contains(seen, name) {
				continue
			}
			seen = append(seen, name)
			if len(getent("group", name)) < 3 {
				found = append(found, about.find(o.absent(), "%v: the group %q does not exist: nobody is in it, and while a rule excludes or denies it, every client is told \"Try again.\"",
					from.Place("rule", i, "user"), name))
			}
		}
	}
	return found
}
