package settings

import (
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// unknown is the error of a key that a table does not have. It names the key
// that was probably meant, or else all there are.
func (d *decoder) unknown(here place, part *unstable.Node) error {
	name := string(part.Data)
	shown := quote([]byte(here.name + name))
	fail := func(format string, args ...any) error {
		return d.errorf(int(part.Raw.Offset), "unknown setting %s: "+format, append([]any{shown}, args...)...)
	}
	if k := d.root.find(name); k != nil && k.value != nil && here.name != "" {
		return fail("%s must come before the first table", name)
	}
	if best := nearest(here.table, name); best != "" {
		return fail("the nearest is %s", best)
	}
	for _, k := range d.root {
		if here.name == "" && k.table.find(name) != nil {
			return fail("%s belongs in the table [%s]", name, k.name)
		}
	}
	var names []string
	for _, k := range here.table {
		switch {
		case k.table != nil:
			names = append(names, "["+k.name+"]")
		case k.list != nil:
			names = append(names, "[["+k.name+"]]")
		default:
			names = append(names, k.name)
		}
	}
	if here.name != "" {
		return fail("the settings of [%s] are %s", strings.TrimSuffix(here.name, "."), strings.Join(names, ", "))
	}
	return fail("the settings are %s", strings.Join(names, ", "))
}

// nearest returns the key that differs from a name by case, or by at most two
// letters of a longer one; "" if there is none.
func nearest(t table, name string) string {
	best, least := "", 3
	for _, k := range t {
		if strings.EqualFold(k.name, name) {
			return k.name
		}
		if n := distance(k.name, name); n < least && n <= len(k.name)/2 {
			best, least = k.name, n
		}
	}
	return best
}

// distance counts the letters to insert, take out or replace to make a word of
// another (Levenshtein).
func distance(a, b string) int {
	if len(b) > 2*len(a)+2 {
		return len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
