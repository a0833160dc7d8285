package lab

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"
)

// JournalJSON is the log as journalctl -o json would print it, with the fields that journald adds
// for a root process. journalctl's own form is tests/platform/systemd's to compare.
func (l *Log) JournalJSON(t testing.TB) string {
	t.Helper()
	var out []byte
	for i, r := range l.Records() {
		entry := map[string]any{
			"__REALTIME_TIMESTAMP": strconv.FormatInt(time.Now().UnixMicro(), 10),
			"__CURSOR":             "s=" + strconv.Itoa(i), "_UID": "0", "_TRANSPORT": "journal", "_EXE": "/usr/sbin/in.rexecd",
		}
		for name, value := range r {
			entry[name] = journalValue(value)
		}
		b, err := json.Marshal(entry)
		if err != nil {
			t.Fatal(err)
		}
		out = append(append(out, b...), '\n')
	}
	return string(out)
}

// journalValue is a field as journalctl prints it: printable text as a string, a long one as null,
// other bytes as an array of numbers.
func journalValue(value string) any {
	if len(value) > 4096 {
		return nil
	}
	for _, b := range []byte(value) {
		if b < ' ' && b != '\n' && b != '\t' || b > '~' {
			numbers := make([]int, len(value))
			for i, b := range []byte(value) {
				numbers[i] = int(b)
			}
			return numbers
		}
	}
	return value
}
