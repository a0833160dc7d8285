package report

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// version is that of the JSON object. It changes when a member goes or gets another
// meaning; new members do not change it.
const version = 1

// A Report is what a log says. It is the object that -json prints: rexecd-report(8)
// describes its members. Names are as in the log, with every byte that peers sent:
// whoever shows them must escape them.
type Report struct {
	Version  int       `json:"version"`
	Host     string    `json:"host"`
	Made     time.Time `json:"made"`
	Log      string    `json:"log"`      // "journal", or the files
	Verified bool      `json:"verified"` // the journal vouches for who wrote the records
	// Incomplete is why the log was not read to its end, empty if it was.
	Incomplete string `json:"incomplete,omitempty"`

	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	User  string    `json:"user,omitempty"`
	From  string    `json:"from,omitempty"`

	Lines      int `json:"lines"`
	Unreadable int `json:"unreadable"` // records among them, cut off or malformed
	Forged     int `json:"forged"`     // written by others under the server's name

	Totals   Totals    `json:"totals"`
	Pairs    []Pair    `json:"pairs"` // who uses it: users at sources
	More     *More     `json:"more,omitempty"`
	Failing  []Named   `json:"failing_sources"` // that never got in
	Strange  []Named   `json:"failing_users"`   // likewise
	Dropped  *Dropped  `json:"dropped,omitempty"`
	Sources  []Named   `json:"sources"`
	Users    []Named   `json:"users"`
	Commands []Command `json:"commands"`
	Change   *Change   `json:"change,omitempty"`

	Hours []Hour     `json:"hours"`
	Week  [7][24]int `json:"week"` // sessions by day, Monday first, and hour, in local time
	Runs  []Run      `json:"runs"`
}

// Totals are exact, but for the number of sources and users where Estimated.
type Totals struct {
	Sessions       int       `json:"sessions"`
	Ended          int       `json:"ended"`
	Failed         int       `json:"failed"`
	Refused        int       `json:"refused"`   // those by penalties among them
	Penalised      int       `json:"penalised"` // or for too many sessions
	ProtocolErrors int       `json:"protocol_errors"`
	ConfigErrors   int       `json:"configuration_errors"`
	InternalErrors int       `json:"internal_errors"`
	Sources        int       `json:"sources"`
	Users          int       `json:"users"`
	Estimated      bool      `json:"estimated"`
	First          time.Time `json:"first,omitzero"`
	Last           time.Time `json:"last,omitzero"`
	Median         float64   `json:"median_seconds"`
	Longest        float64   `json:"longest_seconds"`
	Ran            float64   `json:"run_seconds"` // all runs
	CPU            float64   `json:"cpu_seconds"`
	Peak           int64     `json:"peak_bytes"`
}

// Counts are the records of one user, source or pair of both.
type Counts struct {
	Sessions       int       `json:"sessions"`
	Failed         int       `json:"failed"`
	Refused        int       `json:"refused"`
	ProtocolErrors int       `json:"protocol_errors"`
	First          time.Time `json:"first"`
	Last           time.Time `json:"last"`
	AtLeast        bool      `json:"at_least,omitempty"` // earlier records may be missing
}

// Bad is how many of the records are no session.
func (c *Counts) Bad() int { return c.Failed + c.Refused + c.ProtocolErrors }

// A Named is a user or a source.
type Named struct {
	Name string `json:"name"`
	Counts
}

// A Pair is a user at a source. Without a user are the records that precede its
// name. The median of more than 32 runs is within 5 %.
type Pair struct {
	Source string `json:"source"`
	User   string `json:"user"`
	Counts
	Ended    int       `json:"ended"`
	Median   float64   `json:"median_seconds"`
	Longest  float64   `json:"longest_seconds"`
	CPU      float64   `json:"cpu_seconds"`
	Peak     int64     `json:"peak_bytes"`
	Commands []Command `json:"commands,omitempty"` // the most frequent
}

// More are the pairs that were not kept.
type More struct {
	Pairs          int `json:"pairs"` // estimated
	Sessions       int `json:"sessions"`
	Failed         int `json:"failed"`
	Refused        int `json:"refused"`
	ProtocolErrors int `json:"protocol_errors"`
}

// Dropped are estimates of how many names the lists do not have. All that were
// let in are in them, unless there were thousands.
type Dropped struct {
	Sources int `json:"sources"`
	Users   int `json:"users"`
}

// A Command is one that sessions were started with.
type Command struct {
	Text  string `json:"command"`
	Times int    `json:"times"`
}

// A Change compares with the span before, which is as long: what it had, and
// which users at which sources have begun and ceased to have sessions.
type Change struct {
	Since    time.Time `json:"since"`
	Sessions int       `json:"sessions"`
	Failed   int       `json:"failed"`
	Refused  int       `json:"refused"`
	Sources  int       `json:"sources"`
	Users    int       `json:"users"`
	New      []Use     `json:"new"`
	Gone     []Use     `json:"gone"`
	Unknown  bool      `json:"unknown,omitempty"` // who is new or gone is not known in full
}

// A Use is that a user had sessions from a source.
type Use struct {
	Source   string `json:"source"`
	User     string `json:"user"`
	Sessions int    `json:"sessions"`
}

// An Hour has the records of one hour. Hours without any are left out.
type Hour struct {
	Begin    time.Time `json:"begin"`
	Sessions int       `json:"sessions"`
	Failed   int       `json:"failed"`
	Refused  int       `json:"refused"`
	Errors   int       `json:"protocol_errors"`
}

// A Run is how many sessions ran shorter than a time, and not shorter than the
// one before.
type Run struct {
	Below    float64 `json:"below_seconds,omitempty"` // 0: without a bound
	Sessions int     `json:"sessions"`
}

// Sorts are the orders of pairs.
var Sorts = []string{"sessions", "failed", "refused", "source", "user", "first", "last", "median", "longest", "cpu", "peak"}

func compare(order string, a, b *Pair) int {
	switch order {
	case "failed":
		return cmp.Compare(b.Failed, a.Failed)
	case "refused":
		return cmp.Compare(b.Refused, a.Refused)
	case "source":
		x, _ := netip.ParseAddr(a.Source)
		y, _ := netip.ParseAddr(b.Source)
		return x.Compare(y)
	case "user":
		return strings.Compare(a.User, b.User)
	case "first":
		return b.First.Compare(a.First)
	case "last":
		return b.Last.Compare(a.Last)
	case "median":
		return cmp.Compare(b.Median, a.Median)
	case "longest":
		return cmp.Compare(b.Longest, a.Longest)
	case "cpu":
		return cmp.Compare(b.CPU, a.CPU)
	case "peak":
		return cmp.Compare(b.Peak, a.Peak)
	}
	return 0
}

// sortPairs sorts in the order, and by what happened most within it.
func sortPairs(pairs []Pair, order string) {
	slices.SortFunc(pairs, func(a, b Pair) int {
		return cmp.Or(compare(order, &a, &b), cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(b.Bad(), a.Bad()),
			compare("source", &a, &b), strings.Compare(a.User, b.User))
	})
}

// address is a source as text, empty for a record without one.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
