package settings

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// A decoder applies one file to the tables of a struct.
type decoder struct {
	file    string
	text    []byte
	root    table
	parser  unstable.Parser
	origins map[string]Origin
	seen    map[string]definition // by path

	counted, lines int // up to where position has counted, and what
}

// A definition is where a key or a table was first defined.
type definition struct {
	offset int
	how    how
	count  int   // of a list's elements
	latest table // the keys of the latest element
}

// how a table came to be rules how it may be continued.
type how uint8

const (
	byValue  how = iota // a value, or a table in braces: complete
	byHeader            // [table]: complete, but for tables in it
	byPath              // [table.x] or [table.x.y]: may still be opened
	byDots              // table.x = 1: takes more of the same
	byList              // [[table]]
)

// A place is a table that is being filled.
type place struct {
	table table
	path  string // unique, with the number of a list's element: "rule[2]."
	name  string // for people: "rule."
}

func (d *decoder) decode() error {
	d.parser.Reset(d.text)
	here := place{table: d.root}
	for d.parser.NextExpression() {
		n, err := d.parser.Expression(), error(nil)
		switch n.Kind {
		case unstable.Table, unstable.ArrayTable:
			here, err = d.open(n)
		default:
			err = d.assign(here, n)
		}
		if err != nil {
			return err
		}
	}
	var syntax *unstable.ParserError
	if err := d.parser.Error(); errors.As(err, &syntax) {
		return d.syntaxError(here, syntax)
	} else if err != nil {
		return fmt.Errorf("%s: %w", d.file, err)
	}
	return nil
}

// open returns the place of a header, [a.b] or [[a.b]].
func (d *decoder) open(n *unstable.Node) (place, error) {
	here := place{table: d.root}
	for parts := n.Key(); parts.Next(); {
		part, last := parts.Node(), parts.IsLast()
		way := byPath
		switch {
		case last && n.Kind == unstable.ArrayTable:
			way = byList
		case last:
			way = byHeader
		}
		var err error
		if here, err = d.enter(here, part, way); err != nil {
			return here, err
		}
	}
	return here, nil
}

// enter goes from a place to a table in it.
func (d *decoder) enter(here place, part *unstable.Node, way how) (place, error) {
	name, offset := string(part.Data), int(part.Raw.Offset)
	k := here.table.find(name)
	switch {
	case k == nil:
		return here, d.unknown(here, part)
	case k.value != nil:
		return here, d.errorf(offset, "%s = a table: must be %s", here.name+name, k.value.allowed())
	case way == byList && k.list == nil:
		return here, d.errorf(offset, "%s = a list of tables: must be one table, [%[1]s]", here.name+name)
	case way != byList && way != byPath && k.list != nil:
		return here, d.errorf(offset, "%s = a table: must be a list of tables, [[%[1]s]]", here.name+name)
	}
	there := place{k.table, here.path + name + ".", here.name + name + "."}
	def, defined := d.seen[there.path]
	switch {
	case !defined:
		def = definition{offset: offset, how: way}
	case way == byList && def.how == byList,
		way == byDots && def.how == byDots,
		way == byPath && def.how != byValue:
	case way == byHeader && def.how == byPath:
		def.how = byHeader
	default:
		return here, d.twice(offset, here.name+name, def)
	}
	path := there.path
	if way == byList {
		if def.count++; def.count == 1 {
			d.reset(here, k)
		}
		def.latest = k.list.next()
	}
	if k.list != nil {
		if there.table = def.latest; there.table == nil {
			return here, d.errorf(offset, "%s = a table: must be a list of tables, [[%[1]s]]", here.name+name)
		}
		element := here.path + name + "[" + strconv.Itoa(def.count) + "]"
		if there.path = element + "."; way == byList {
			d.origins[element] = d.origin(offset)
		}
	}
	d.seen[path] = def
	return there, nil
}

// assign takes one line, key = value.
func (d *decoder) assign(here place, n *unstable.Node) error {
	var part *unstable.Node
	for parts := n.Key(); parts.Next(); {
		if part = parts.Node(); !parts.IsLast() {
			var err error
			if here, err = d.enter(here, part, byDots); err != nil {
				return err
			}
		}
	}
	name, offset := string(part.Data), int(part.Raw.Offset)
	k := here.table.find(name)
	switch {
	case k == nil:
		return d.unknown(here, part)
	case k.value == nil:
		return d.assignTable(here, k, n, part)
	}
	path := here.path + name
	if def, defined := d.seen[path]; defined {
		return d.twice(offset, here.name+name, def)
	}
	d.seen[path] = definition{offset: offset}
	if wrong := k.value.set(n.Value()); wrong != nil {
		shown := d.show(wrong)
		if wrong != n.Value() {
			shown = "[" + shown + "]"
		}
		return d.errorf(d.offset(wrong, part), "%s = %s: must be %s", here.name+name, shown, k.value.allowed())
	}
	d.origins[path] = d.origin(offset)
	return nil
}

// reset empties a list, whose elements an earlier file may have set.
func (d *decoder) reset(here place, k *key) {
	k.list.reset()
	for path := range d.origins {
		if strings.HasPrefix(path, here.path+k.name+"[") {
			delete(d.origins, path)
		}
	}
}

// assignTable takes a table in braces, or a list of them.
func (d *decoder) assignTable(here place, k *key, n, part *unstable.Node) error {
	v := n.Value()
	if k.list == nil {
		if v.Kind != unstable.InlineTable {
			return d.errorf(d.offset(v, part), "%s = %s: must be a table, [%[1]s]", here.name+k.name, d.show(v))
		}
		return d.assignBraces(here, v, part)
	}
	if v.Kind != unstable.Array {
		return d.errorf(d.offset(v, part), "%s = %s: must be a list of tables, [[%[1]s]]", here.name+k.name, d.show(v))
	}
	path := here.path + k.name + "."
	if def, defined := d.seen[path]; defined {
		return d.twice(int(part.Raw.Offset), here.name+k.name, def)
	}
	d.reset(here, k)
	for all := v.Children(); all.Next(); {
		e := all.Node()
		if e.Kind != unstable.InlineTable {
			return d.errorf(d.offset(e, part), "%s = [%s]: must be a list of tables, [[%[1]s]]", here.name+k.name, d.show(e))
		}
		there, err := d.enter(here, part, byList)
		if err == nil {
			err = d.assignAll(there, e)
		}
		if err != nil {
			return err
		}
	}
	def := d.seen[path]
	def.offset, def.how = int(part.Raw.Offset), byValue
	d.seen[path] = def
	return nil
}

func (d *decoder) assignBraces(here place, v, part *unstable.Node) error {
	there, err := d.enter(here, part, byValue)
	if err != nil {
		return err
	}
	return d.assignAll(there, v)
}

// assignAll takes what stands in braces.
func (d *decoder) assignAll(here place, v *unstable.Node) error {
	for all := v.Children(); all.Next(); {
		if err := d.assign(here, all.Node()); err != nil {
			return err
		}
	}
	return nil
}

// offset returns where a value begins. The parser gives lists no range: they
// begin after the equals sign of their key.
func (d *decoder) offset(v, part *unstable.Node) int {
	if v.Raw.Length > 0 {
		return int(v.Raw.Offset)
	}
	at := int(part.Raw.Offset + part.Raw.Length)
	rest := bytes.TrimLeft(d.text[at:], " \t")
	rest = bytes.TrimLeft(bytes.TrimPrefix(rest, []byte("=")), " \t")
	return len(d.text) - len(rest)
}
