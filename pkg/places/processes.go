package places

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// looks is how often /proc is read before processes that come and go are an answer.
const looks = 5

// ProcessOf returns the id of a process that runs with a user ID, of its four any;
// 0 if there is none. A zombie runs no more.
//
// /proc alone can be fooled: a process that forks and exits without a pause has
// ended by the time that its entry is read, and its child was not in the list yet.
// getpriority(2) goes through the kernel's own list, to whose end a child is added
// before its parent leaves it. It counts zombies, and what it finds has to be
// explained by those that stay: one that forks leaves others each time.
func ProcessOf(uid int) (int, error) {
	zombies := ""
	for range looks {
		s, err := look(strconv.Itoa(uid))
		if err != nil || s.pid != 0 {
			return s.pid, err
		}
		if s.zombies != "" && s.zombies == zombies && !s.missed {
			return 0, nil
		}
		zombies = s.zombies
		if _, err := unix.Getpriority(unix.PRIO_USER, uid); err == unix.ESRCH {
			return 0, nil
		}
	}
	return 0, errors.New("processes come and go, some of them its")
}

// A sight is what /proc shows of a user.
type sight struct {
	pid     int    // of a process that runs
	zombies string // their ids
	missed  bool   // a process had ended before it could be seen whose it was
}

func look(uid string) (s sight, err error) {
	// Names alone: os.ReadDir leaves out what has ended meanwhile.
	proc, err := os.Open("/proc")
	if err != nil {
		return s, fmt.Errorf("look for processes: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return s, fmt.Errorf("look for processes: %w", err)
	}
	seen := false
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + name + "/status")
		if err != nil {
			s.missed = true
			continue
		}
		seen = true
		switch its, zombie := belongs(string(text), uid); {
		case its && !zombie:
			s.pid = pid
			return s, nil
		case its:
			s.zombies += name + " "
		}
	}
	if !seen {
		return s, errors.New("look for processes: /proc shows none")
	}
	return s, nil
}

// belongs reads a process's status. A zombie with further threads is a process whose
// first thread has ended: it runs.
func belongs(status, uid string) (its, zombie bool) {
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		switch {
		case name == "State" && len(fields) > 0:
			zombie = fields[0] == "Z"
		case name == "Uid":
			for _, id := range fields {
				its = its || id == uid
			}
		case name == "Threads" && len(fields) > 0: // after State
			zombie = zombie && (fields[0] == "0" || fields[0] == "1")
		}
	}
	return its, zombie
}
