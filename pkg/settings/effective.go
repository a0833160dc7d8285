package settings

import (
	"slices"
	"strconv"
	"strings"
)

// A Setting is one line of what is in force.
type Setting struct {
	Key    string // with its table, as in penalties.min or rule[1].name; rule[1] begins an element
	Value  string // in the grammar of the file; of an element, its header
	Origin Origin
}

// Line is the setting as a line of a file that has all of them in their order.
func (s Setting) Line() string {
	if strings.HasPrefix(s.Value, "[[") && strings.HasSuffix(s.Key, "]") {
		return s.Value
	}
	name := s.Key
	if _, inner, ok := strings.Cut(s.Key, "]."); ok {
		name = inner
	}
	return name + " = " + s.Value
}

// effective lists the values that a table's fields have now. Of the elements of a list
// it has what was given: what was not is left to other settings, and has no value.
func (s Sources) effective(t table, prefix string) []Setting {
	var all []Setting
	for _, k := range t {
		switch name := prefix + k.name; {
		case k.value != nil:
			all = append(all, Setting{name, k.value.String(), s.origins[name]})
		case k.table != nil:
			all = append(all, s.effective(k.table, name+".")...)
		case k.list != nil:
			for i, element := range k.list.elements() {
				path := name + "[" + strconv.Itoa(i+1) + "]"
				all = append(all, Setting{path, "[[" + name + "]]", s.origins[path]})
				all = append(all, s.given(element, path+".")...)
			}
		}
	}
	return all
}

// given lists what a file has of an element.
func (s Sources) given(t table, prefix string) []Setting {
	var all []Setting
	for _, k := range t {
		path := prefix + k.name
		at, ok := s.origins[path]
		switch {
		case k.value != nil && ok:
			all = append(all, Setting{path, k.value.String(), at})
		case k.table != nil:
			all = append(all, s.given(k.table, path+".")...)
		case k.each != nil:
			var names []string
			for path := range s.origins {
				if name, inside := strings.CutPrefix(path, prefix); inside {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			for _, name := range names {
				key := prefix + textValue{&name}.String()
				all = append(all, Setting{key, k.each(name).value.String(), s.origins[prefix+name]})
			}
		}
	}
	return all
}
