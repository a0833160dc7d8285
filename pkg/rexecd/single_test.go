package rexecd

import (
	"strings"
	"testing"

	"rexecd/pkg/rexec/wire"
)

func TestTheSingleUserIsTheWholeNameAndPassword(t *testing.T) {
	long := strings.Repeat("p", wire.MaxPassword)
	for _, tt := range []struct {
		name, password string
		want           bool
	}{
		{"u", long, true}, {"u", long[1:], false}, {"u", long + "p", false},
		{"u", long[1:] + "q", false}, {"u", "q" + long[1:], false},
		{"u", "", false}, {"", long, false}, {"U", long, false},
		{"u\x00", long, false}, {"u", long[1:] + "\x00", false}, {"v", "x", false},
	} {
		s := &Single{User: "u", Password: []byte(long)}
		if got := s.is(&wire.Request{User: tt.name, Password: []byte(tt.password)}); got != tt.want {
			t.Errorf("%q with %d bytes: %v", tt.name, len(tt.password), got)
		}
	}
	if (&Single{User: "u", Password: []byte("p")}).is(&wire.Request{User: "u", Password: []byte("p\x00\x00")}) {
		t.Error("NULs at the end of the password do not count")
	}
}
