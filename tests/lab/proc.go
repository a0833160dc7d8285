package lab

import (
	"path/filepath"
	"strconv"
	"strings"
)

// ProcStatus returns a field of /proc/PID/status; "" once the process has ended.
func ProcStatus(pid int, field string) string {
	for line := range strings.Lines(Read("/proc/" + strconv.Itoa(pid) + "/status")) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Children returns the processes whose parent is pid.
func Children(pid int) []int {
	var list []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		child, _ := strconv.Atoi(filepath.Base(dir))
		if ProcStatus(child, "PPid") == strconv.Itoa(pid) {
			list = append(list, child)
		}
	}
	return list
}
