package lab

import (
	"fmt"
	"os"
	"strings"
)

// PrivateDirty is the memory in kB that a process shares with no other; none once it has ended.
func PrivateDirty(pid int) (kb int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "Private_Dirty: %d kB", &kb); err == nil {
			return kb
		}
	}
	return 0
}
