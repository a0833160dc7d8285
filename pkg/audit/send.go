package audit

import (
	"log/syslog"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// patience bounds one record. journald takes some microseconds; one that is
// stopped or hangs has a full queue, and a write to it would wait for ever.
const patience = 2 * time.Second

// send writes the record to journald, or to syslog where there is no journald,
// and tells whether that was done in time. A host that has neither is no reason
// to wait.
func send(e *Event) bool {
	done := make(chan struct{})
	go func() {
		defer close(done)
		k := kinds[e.Kind]
		if journal.Send(e.Message(), journal.Priority(k.severity), e.fields()) == nil {
			return
		}
		w, err := syslog.New(syslog.LOG_AUTHPRIV|syslog.Priority(k.severity), Identifier)
		if err != nil {
			return
		}
		defer w.Close()
		w.Write([]byte(e.Message()))
	}()
	select {
	case <-done:
		return true
	case <-time.After(patience):
		return false
	}
}

// signalName is the name that kill -l gives, as "SIGTERM".
func signalName(sig syscall.Signal) string {
	if name := unix.SignalName(sig); name != "" {
		return name
	}
	return "unknown"
}
