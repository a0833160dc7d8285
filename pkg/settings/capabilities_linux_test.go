package settings

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The kernel's own header has the names, in capitals.
func TestEveryCapabilityHasItsNameAtItsNumber(t *testing.T) {
	if len(CapabilityNames) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names; want %d", len(CapabilityNames), unix.CAP_LAST_CAP+1)
	}
	header := readText(t, "/usr/include/linux/capability.h")
	found := regexp.MustCompile(`(?m)^#define (CAP_[A-Z_]+)\s+([0-9]+)\s*$`).FindAllStringSubmatch(header, -1)
	if len(found) < len(CapabilityNames) {
		t.Fatalf("%d capabilities in the header; want at least %d", len(found), len(CapabilityNames))
	}
	for _, m := range found {
		if n, _ := strconv.Atoi(m[2]); n < len(CapabilityNames) && CapabilityNames[n] != strings.ToLower(m[1]) {
			t.Errorf("capability %d is %s; want %s", n, CapabilityNames[n], strings.ToLower(m[1]))
		}
	}
}
