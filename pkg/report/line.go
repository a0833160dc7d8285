package report

import (
	"bytes"
	"strconv"
	"strings"
	"time"
)

// parseLine reads a line of a file that syslogd writes, with a timestamp of
// RFC 3164 or RFC 3339:
//
//	Nov 26 06:48:45 host in.rexecd[12]: Accepted password for …
//	2026-11-26T06:48:45.123456+00:00 host in.rexecd[12]: Accepted password for …
//
// Lines of other programs are no decisions. newest is the time after which the
// file has no line: the year of RFC 3164 is the latest with which a line is not
// later.
func parseLine(line []byte, newest time.Time, r *record) (decision, ok bool) {
	if !bytes.Contains(line, []byte(identifiers[0])) && !bytes.Contains(line, []byte(identifiers[1])) {
		return false, false
	}
	text := string(line)
	if strings.HasPrefix(text, "<") {
		_, text, _ = strings.Cut(text, ">")
	}
	stamp, text := cutStamp(text)
	if text == "" {
		return false, false
	}
	// The tag follows the host, which some formats leave out.
	for range 2 {
		word, rest, _ := strings.Cut(text, " ")
		if isTag(word) {
			r.times = 1
			if rest, times := cutRepeated(rest); times > 0 {
				return finishLine(rest, stamp, newest, times, r)
			}
			return finishLine(rest, stamp, newest, 1, r)
		}
		text = rest
	}
	return false, false
}

func finishLine(text, stamp string, newest time.Time, times int, r *record) (decision, ok bool) {
	decision, ok = parseMessage(text, r)
	if !decision || !ok {
		return decision, ok
	}
	r.times = times
	r.at, ok = parseStamp(stamp, newest)
	return true, ok
}

// cutStamp parts a line after its timestamp.
func cutStamp(text string) (stamp, rest string) {
	if len(text) > 19 && text[0] >= '0' && text[0] <= '9' {
		stamp, rest, _ = strings.Cut(text, " ")
		return stamp, rest
	}
	if len(text) > len(time.Stamp) && text[len(time.Stamp)] == ' ' {
		return text[:len(time.Stamp)], text[len(time.Stamp)+1:]
	}
	return "", ""
}

// isTag reports whether a word is "in.rexecd[12]:" or "in.rexecd:".
func isTag(word string) bool {
	name, colon := strings.CutSuffix(word, ":")
	if !colon {
		return false
	}
	name, pid, bracket := strings.Cut(name, "[")
	if bracket {
		digits, closing := strings.CutSuffix(pid, "]")
		if !closing || strings.Trim(digits, "0123456789") != "" {
			return false
		}
	}
	return isServer(name)
}

// cutRepeated reads "message repeated 3 times: [ TEXT]", which rsyslog writes for
// equal lines in a row.
func cutRepeated(text string) (string, int) {
	rest, is := strings.CutPrefix(text, "message repeated ")
	if !is {
		return text, 0
	}
	number, rest, is := strings.Cut(rest, " times: [ ")
	times, err := strconv.Atoi(number)
	if !is || err != nil || times < 1 || times > 1000 {
		return text, 0
	}
	return strings.TrimSuffix(rest, "]"), times
}

// slack is how far clocks may differ.
const slack = 24 * time.Hour

func parseStamp(stamp string, newest time.Time) (time.Time, bool) {
	if stamp[0] >= '0' && stamp[0] <= '9' {
		at, err := time.Parse(time.RFC3339Nano, stamp)
		return at, err == nil && possible(at)
	}
	at, err := time.Parse(time.Stamp, stamp)
	if err != nil {
		return at, false
	}
	for year := newest.Year() + 1; year > newest.Year()-9; year-- {
		full := time.Date(year, at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.Local)
		if full.Day() == at.Day() && !full.After(newest.Add(slack)) { // 29 February is in few years
			return full, true
		}
	}
	return at, false
}

// possible reports whether a time can be one of a record, and has four figures for
// its year in every zone: JSON knows no others.
func possible(at time.Time) bool {
	year := at.UTC().Year()
	return year >= 1970 && year < 9999
}
