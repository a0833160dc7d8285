package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// longest is how much of a line is read: of syslog's, which are shorter, the
// beginning; an entry of the journal that is longer cannot be read. The journal's
// longest field that journalctl shows unasked has 4096 bytes.
const longest = 1 << 20

// often is after how many lines the progress is told.
const often = 1 << 12

// Read adds up what a log says, until its end. It is the output of journalctl -o
// export, or each line is an entry of journalctl -o json or one that syslogd wrote;
// newest is a time after which the
// log has no line, by which years are found that a line does not give. progress, if
// not nil, is called now and then with the time of the latest record. An error is
// one of reading; a line that cannot be read is counted.
func (t *Tally) Read(log io.Reader, newest time.Time, progress func(time.Time)) error {
	lines := bufio.NewReaderSize(log, 1<<16)
	if begin, _ := lines.Peek(len(exportBegin)); string(begin) == exportBegin {
		return t.readExport(lines, progress)
	}
	var buf []byte
	for n := 1; ; n++ {
		line, whole, err := readLine(lines, buf[:0])
		buf = line
		if len(line) > 0 {
			t.addLine(line, whole, newest)
		}
		if n%often == 0 && progress != nil {
			progress(t.latest)
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("read log: %w", err)
		}
	}
}

// readLine reads a line, and reports whether it is whole.
func readLine(r *bufio.Reader, buf []byte) (line []byte, whole bool, err error) {
	whole = true
	for {
		part, err := r.ReadSlice('\n')
		if room := longest - len(buf); len(part) > room {
			part, whole = part[:room], false
		}
		buf = append(buf, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimRight(buf, "\r\n"), whole, err
		}
	}
}

// addLine adds a line, or counts why it does not.
func (t *Tally) addLine(line []byte, whole bool, newest time.Time) {
	t.lines++
	var r record
	var decision, ok bool
	if line[0] != '{' {
		decision, ok = parseLine(line, newest, &r)
	} else {
		var e entry
		if !whole || json.Unmarshal(line, &e) != nil {
			t.unreadable++
			return
		}
		t.addEntry(&e)
		return
	}
	t.addRecord(&r, decision, ok)
}

// addEntry adds an entry of the journal.
func (t *Tally) addEntry(e *entry) {
	if e.Cursor != "" {
		if string(e.Cursor) == t.after {
			return
		}
		t.cursor = string(e.Cursor)
	}
	if !isServer(string(e.Identifier)) {
		return
	}
	var r record
	decision, ok := e.record(&r)
	if decision && ok && !e.servers() {
		if t.inSpan(r.at) {
			t.forged++
		}
		return
	}
	t.addRecord(&r, decision, ok)
}

func (t *Tally) addRecord(r *record, decision, ok bool) {
	switch {
	case decision && !ok:
		t.unreadable++
	case decision:
		t.add(r)
	}
}
