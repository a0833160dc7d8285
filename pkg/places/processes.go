package places

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ProcessOf returns the id of a process that runs with a user ID, of its four any;
// 0 if there is none. A zombie runs no more.
func ProcessOf(uid int) (int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("look for processes: %w", err)
	}
	seen := false
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + e.Name() + "/status")
		if err != nil {
			continue // it has ended meanwhile
		}
		seen = true
		if runsAs(string(text), strconv.Itoa(uid)) {
			return pid, nil
		}
	}
	if !seen {
		return 0, fmt.Errorf("look for processes: /proc shows none")
	}
	return 0, nil
}

func runsAs(status, uid string) bool {
	runs := false
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case name == "State" && len(fields) > 0 && fields[0] == "Z":
			return false
		case name == "Uid":
			for _, id := range fields {
				runs = runs || id == uid
			}
		}
	}
	return runs
}
