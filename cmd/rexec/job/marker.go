package job

import (
	"bytes"
	"crypto/rand"
	"io"
	"strconv"
	"strings"
)

// A marker brings an exit status back: rexecd(8) has none on the wire, so the
// remote shell writes it to its standard error after a word made up for this
// one command, and a filter here takes both out again.
//
// Whoever knows the word can forge a status. Other users of the host see the
// arguments of every process there, so the word travels as the first line of
// the command's input, which only a shell of the user's own reads, and it
// stays in that shell's memory: echo is built into every sh, printf is not.
type marker struct {
	token string
	begin []byte // up to the digits
}

const markerBegin = 0x1e // ASCII's record separator

func newMarker() *marker {
	token := rand.Text()
	return &marker{token: token, begin: []byte("\x1erexec " + token + " ")}
}

// wrap makes the command line that runs the script of the same marker. The
// server logs it, so it is little else than the command, and it means the same
// to every login shell. sh's read takes no byte after the line.
func wrap(command string) string {
	line := `exec /bin/sh -c 'read -r r;eval "$r"' rexec`
	for part := range strings.SplitSeq(command, "\n") { // csh has no newlines between quotes
		line += " " + quote(part)
	}
	return line
}

// quote quotes a line for any login shell. Between single quotes csh goes on
// to replace ! and fish to read backslashes; outside of them a backslash makes
// each of the three plain everywhere.
func quote(line string) string {
	return "'" + strings.NewReplacer(`'`, `'\''`, `\`, `'\\'`, `!`, `'\!'`).Replace(line) + "'"
}

// script is the first line of the input: it runs the command by the user's own
// shell, writes the marker, and ends as the command did, for the server's
// record.
//
// The shell outlives the signals for the command's process group. Whether a
// signal killed the command or it exited with 128+n is not in $?: ksh93 says
// 256+n, yash 384+n, most others print a line, which is caught here (not about
// INT and PIPE, though), and bash and zsh are taken at their number.
func (m *marker) script() string {
	const stay = `trap : HUP INT QUIT USR1 USR2 ALRM TERM;`
	return `unset r t m s n;t='` + string(m.begin) + `';` + stay +
		`n=$(echo;echo x);n=${n%x};c=$1;shift;for m do c=$c$n$m;done;` +
		`exec 3>&1 4>&2;` +
		`m=$(exec 2>&1;` + stay + `(exec "${SHELL:-/bin/sh}" -c "$c" >&3 2>&4 3>&- 4>&-);echo " $?")||exit;` +
		`s=${m##* };m=${m% *};` +
		`if [ "$s" -gt 255 ];then s=$((s%128+128));m=k;fi;` +
		`case $s in 130|141)m=k;esac;` +
		`n=0;` +
		`if [ "$s" -gt 128 ];then n=${m:+$((s-128))};[ -n "$n${BASH_VERSION-}${ZSH_VERSION-}" ]&&n=$((s-128));` +
		`elif [ -n "$m" ];then printf "%s\n" "$m" >&2;fi;` +
		`echo "$t$s" >&2;` +
		// By default these end a process, whatever the system's numbers.
		`case $n in [1-9]|1[0-6]|2[4-7]|29|3[01])trap - HUP INT QUIT USR1 USR2 ALRM TERM;ulimit -c 0;kill -$n $$;esac 2>/dev/null;` +
		`exit "$s"` + "\n"
}

// A filter passes on what is written to it, without markers. Of several
// markers the last one counts: nothing that runs in the command's time comes after
// the one that the shell wrote.
type filter struct {
	*marker
	out      io.Writer
	buffered []byte // the end of what came so far, if it could be the marker's begin
	status   int    // of the last marker
	found    bool
	off      func() bool // standard error has a connection of its own: markers come there only
}

// Write buffers only bytes that could be the marker's begin.
func (f *filter) Write(p []byte) (int, error) {
	if f.off != nil && f.off() {
		return f.out.Write(p)
	}
	data := p
	if len(f.buffered) > 0 {
		data = append(f.buffered, p...)
		f.buffered = nil
	}
	for len(data) > 0 {
		at, length, status := f.find(data)
		if at > 0 {
			if _, err := f.out.Write(data[:at]); err != nil {
				return 0, err
			}
		}
		data = data[at:]
		if length == 0 {
			f.buffered = bytes.Clone(data)
			break
		}
		f.status, f.found = status, true
		data = data[length:]
	}
	return len(p), nil
}

// flush passes on what was buffered and is not the marker after all.
func (f *filter) flush() error {
	if len(f.buffered) == 0 {
		return nil
	}
	_, err := f.out.Write(f.buffered)
	f.buffered = nil
	return err
}

// find looks for the marker in data: where it is and how long (and the status
// in it), or where it may have begun, or the end of data.
func (m *marker) find(data []byte) (at, length, status int) {
	for from := 0; ; from++ {
		i := bytes.IndexByte(data[from:], markerBegin)
		if i < 0 {
			return len(data), 0, 0
		}
		from += i
		length, status, possible := m.match(data[from:])
		if possible {
			return from, length, status
		}
	}
}

// match reports whether data begins with the marker, or could if it went on.
func (m *marker) match(data []byte) (length, status int, possible bool) {
	if len(data) <= len(m.begin) {
		return 0, 0, bytes.HasPrefix(m.begin, data)
	}
	digits, found := bytes.CutPrefix(data, m.begin)
	if !found {
		return 0, 0, false
	}
	digits, _, ended := bytes.Cut(digits, []byte{'\n'})
	status, err := strconv.Atoi(string(digits))
	switch {
	case len(digits) == 0 && !ended:
		return 0, 0, true
	case err != nil || len(digits) > 3 || digits[0] == '-' || digits[0] == '+' || status > 255:
		return 0, 0, false
	case !ended:
		return 0, 0, true
	}
	return len(m.begin) + len(digits) + 1, status, true
}
