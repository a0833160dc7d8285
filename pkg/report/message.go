package report

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// parseMessage reads the text of a record, as package audit writes it. It reports
// whether the text is a decision, and whether that can be read to the peer's
// address: a line that was cut before it cannot be counted. What follows the
// port and is not known is passed over: later versions say more.
func parseMessage(text string, r *record) (decision, ok bool) {
	begin := func(prefix string, k kind) bool {
		rest, found := strings.CutPrefix(text, prefix)
		if found {
			text, r.kind = rest, k
		}
		return found
	}
	switch {
	case begin("Accepted ", accepted): // "password for", "none for", "rhosts for"
		method, rest, found := strings.Cut(text, " for ")
		if text = rest; !found || strings.ContainsAny(method, ` "`) {
			return true, false
		}
	case begin("Failed ", failed):
		method, rest, found := strings.Cut(text, " for ")
		if text = rest; !found || strings.ContainsAny(method, ` "`) {
			return true, false
		}
		if rest, is := strings.CutPrefix(text, "invalid user "); is {
			text = rest
		}
	case begin("Refused connection from ", penalised), begin("Protocol error from ", protocolError):
		_, ok = parsePeer(text, r)
		return true, ok
	case begin("Refused ", refused), begin("Session closed for ", closed):
	case begin("Protocol error", protocolError), begin("Configuration error", configError),
		begin("Internal error", internalError):
		if rest, from := strings.CutPrefix(text, " from "); from {
			parsePeer(rest, r)
		}
		return true, true
	default:
		return false, false
	}
	if r.user, text, ok = cutName(text); !ok {
		return true, false
	}
	rest, from := strings.CutPrefix(text, " from ")
	if !from {
		return true, false
	}
	if rest, ok = parsePeer(rest, r); !ok {
		return true, false
	}
	if client, is := strings.CutPrefix(rest, " as "); is { // rsh's: whom the peer says it is
		_, rest, _ = cutName(client)
	}
	parseTail(rest, r)
	return true, true
}

// parsePeer reads "ADDRESS port NUMBER".
func parsePeer(text string, r *record) (rest string, ok bool) {
	addr, rest, found := strings.Cut(text, " port ")
	peer, err := netip.ParseAddr(addr)
	if !found || err != nil {
		return "", false
	}
	r.peer = peer.Unmap()
	return strings.TrimLeft(rest, "0123456789"), true
}

// parseTail reads what follows the port. Each part begins with ": ", and names
// and commands in it are quoted.
func parseTail(text string, r *record) {
	for first := true; text != ""; first = false {
		text = strings.TrimPrefix(text, ": ")
		word, rest, _ := strings.Cut(text, " ")
		switch {
		case word == "account" && first:
			name, after, ok := cutName(rest)
			// A reason may begin with the same word, but nothing follows it.
			if ok && (r.kind == accepted || strings.HasPrefix(after, ": ")) {
				r.account = name
			}
			text = after
		case word == "command" && r.kind == accepted:
			r.command, _ = cutQuoted(rest)
			return
		case r.kind == closed:
			parseEnd(text, r)
			return
		case strings.HasPrefix(rest, `"`):
			_, text = cutQuoted(rest)
		default:
			_, text, _ = strings.Cut(text, ": ")
		}
	}
}

// parseEnd reads "exit status 0 after 1.3s, cpu 0.9s, 34 MB".
func parseEnd(text string, r *record) {
	text, _, _ = strings.Cut(text, ": ") // the reason
	status, rest, found := strings.Cut(text, " after ")
	if !found || status == "command still running" {
		return
	}
	for i, part := range strings.Split(rest, ", ") {
		part, isCPU := strings.CutPrefix(part, "cpu ")
		if size, isSize := strings.CutSuffix(part, " MB"); isSize {
			if n, err := strconv.ParseInt(size, 10, 40); err == nil && n > 0 {
				r.peak = n * 1_000_000
			}
			continue
		}
		number, isTime := strings.CutSuffix(part, "s")
		seconds, err := strconv.ParseFloat(number, 64)
		switch {
		case !isTime || err != nil || !(seconds >= 0 && seconds < 1e9): // cut off, or no number
		case isCPU:
			r.cpu = time.Duration(seconds * float64(time.Second))
		case i == 0:
			r.ran, r.timed = time.Duration(seconds*float64(time.Second)), true
		}
	}
}

// cutName reads a name, which is quoted unless it consists of harmless characters.
func cutName(text string) (name, rest string, ok bool) {
	if strings.HasPrefix(text, `"`) {
		quoted, err := strconv.QuotedPrefix(text)
		if err != nil {
			return "", "", false
		}
		name, err = strconv.Unquote(quoted)
		return name, text[len(quoted):], err == nil
	}
	end := strings.IndexAny(text, " :")
	if end < 0 {
		end = len(text)
	}
	return text[:end], text[end:], end > 0
}

// cutQuoted reads a quoted text, of which a log may have cut the end off.
func cutQuoted(text string) (value, rest string) {
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		value, err = strconv.Unquote(quoted)
		if err == nil {
			return value, text[len(quoted):]
		}
	}
	const longestEscape = len(`\U0010ffff`)
	for cut := 0; cut < min(longestEscape, len(text)); cut++ {
		if value, err := strconv.Unquote(text[:len(text)-cut] + `"`); err == nil {
			return value, ""
		}
	}
	return "", ""
}
