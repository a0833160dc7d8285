package session

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestACommandWhoseTimeIsOverIsEnded(t *testing.T) {
	for _, tt := range []struct {
		script string
		want   Status
	}{
		{"echo ready; sleep 1000", Status{Exit: -1, Signal: unix.SIGTERM, Limited: true}},
		{"trap 'exit 8' TERM; echo ready; while :; do sleep 0.01; done", Status{Exit: 8, Limited: true}},
		{"echo ready; exit 3", Status{Exit: 3}},
	} {
		r, err := begin(t, sh(tt.script))
		if err != nil {
			t.Fatal(err)
		}
		r.line(t)
		status, err := r.attendTo(Attention{Stop: noStop(t), Limit: time.Second})
		if err != nil || status != tt.want {
			t.Errorf("%s: %+v, %v; want %+v", tt.script, status, err, tt.want)
		}
	}
}

// The group is ended with it, whatever its members do about SIGTERM.
func TestNeitherACommandNorItsChildrenCanIgnoreTheLimit(t *testing.T) {
	r, err := begin(t, sh("trap '' TERM; sleep 1000 & echo $!; while :; do sleep 0.1; done"))
	if err != nil {
		t.Fatal(err)
	}
	r.line(t)
	began := time.Now()
	status, err := r.attendTo(Attention{Stop: noStop(t), Limit: time.Second})
	if want := (Status{Exit: -1, Signal: unix.SIGKILL, Limited: true}); err != nil || status != want {
		t.Errorf("%+v, %v; want %+v", status, err, want)
	}
	if took := time.Since(began); took < time.Second+limitPatience {
		t.Errorf("it had %v to end", took)
	}
	all(t, r.primary) // ends once nobody holds it
}

func TestNothingOfTheGroupOutlivesACommandThatTheLimitEnded(t *testing.T) {
	r, err := begin(t, sh("(trap '' TERM; echo ready; while :; do sleep 0.1; done) & trap 'exit 4' TERM; wait"))
	if err != nil {
		t.Fatal(err)
	}
	r.line(t)
	status, err := r.attendTo(Attention{Stop: noStop(t), Limit: time.Second})
	if want := (Status{Exit: 4, Limited: true}); err != nil || status != want {
		t.Errorf("%+v, %v; want %+v", status, err, want)
	}
	all(t, r.primary)
}

// A limit of 25 to 49 days, as an int of milliseconds, would be for ever.
func TestEveryLimitIsATimeOfPoll(t *testing.T) {
	for limit := 24 * time.Hour; limit <= 8760*time.Hour; limit += 24 * time.Hour {
		w := &watch{limit: time.Now().Add(limit)}
		if got := w.timeout(false); got <= 0 || got != int(int32(got)) || time.Duration(got)*time.Millisecond > limit {
			t.Errorf("%v: poll would wait for %d", limit, int32(got))
		}
	}
}
