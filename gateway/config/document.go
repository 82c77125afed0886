package config

import (
	"bytes"
	"slices"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// shape is what a value looks like in the file.
type shape uint8

const (
	shapeText shape = iota
	shapeInteger
	shapeFloat
	shapeBool
	shapeTime
	shapeArray
	shapeTable
)

// String names the shape as a message does.
func (s shape) String() string {
	switch s {
	case shapeText:
		return "a text"
	case shapeInteger:
		return "a number"
	case shapeFloat:
		return "a number with a fraction"
	case shapeBool:
		return "true or false"
	case shapeTime:
		return "a date or time"
	case shapeArray:
		return "a list"
	case shapeTable:
		return "a table"
	}
	return "something else"
}

// node is one value of the document with its line. Unlike a decoded struct it
// keeps the position of everything, so that a check of meaning, long after the
// decoding, can still name the line.
type node struct {
	shape  shape
	line   int
	key    int              // line of its key, where it has one
	data   string           // of scalars: text without quotes, digits as written
	fields map[string]*node // of tables
	keys   []string         // of tables, in the order of the file
	items  []*node          // of arrays
}

func newTable(line int) *node {
	return &node{shape: shapeTable, line: line, fields: map[string]*node{}}
}

func (n *node) set(key string, line int, v *node) {
	if _, ok := n.fields[key]; !ok {
		n.keys = append(n.keys, key)
		v.key = line
	}
	n.fields[key] = v
}

// parseDocument reads TOML. Only the first mistake in the syntax is reported,
// because after it nothing certain can be said about the rest.
func parseDocument(b []byte) (*node, *Problem) {
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // which editors on Windows write
	var plain map[string]any
	if err := toml.Unmarshal(b, &plain); err != nil {
		return nil, notTOML(b, err)
	}
	d := &document{lines: lineStarts(b)}
	d.p.Reset(b)
	root := newTable(1)
	table := root
	for d.p.NextExpression() {
		e := d.p.Expression()
		switch e.Kind {
		case unstable.KeyValue:
			d.assign(table, e)
		case unstable.Table:
			table = d.open(root, e, false)
		case unstable.ArrayTable:
			table = d.open(root, e, true)
		case unstable.Invalid, unstable.Comment, unstable.Key, unstable.Array, unstable.InlineTable, unstable.String, unstable.Bool,
			unstable.Float, unstable.Integer, unstable.LocalDate, unstable.LocalTime, unstable.LocalDateTime, unstable.DateTime:
			// Comments are not kept, and nothing else stands on its own.
		}
	}
	if err := d.p.Error(); err != nil {
		return nil, notTOML(b, err)
	}
	return root, nil
}

type document struct {
	p     unstable.Parser
	lines []int // offset of the first byte of each line
}

func lineStarts(b []byte) []int {
	starts := []int{0}
	for i, c := range b {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func (d *document) line(n *unstable.Node) int {
	i, found := slices.BinarySearch(d.lines, int(n.Raw.Offset))
	if found {
		return i + 1
	}
	return i
}

// open walks to the table of a [header] or [[header]], making what is missing.
func (d *document) open(root *node, e *unstable.Node, array bool) *node {
	n := root
	for it := e.Key(); it.Next(); {
		key, line := string(it.Node().Data), d.line(it.Node())
		last := it.IsLast()
		child, ok := n.fields[key]
		switch {
		case last && array:
			if !ok || child.shape != shapeArray {
				child = &node{shape: shapeArray, line: line}
				n.set(key, line, child)
			}
			table := newTable(line)
			child.items = append(child.items, table)
			n = table
		case !ok:
			n.set(key, line, newTable(line))
			n = n.fields[key]
		case child.shape == shapeArray && len(child.items) > 0:
			n = child.items[len(child.items)-1]
		default:
			if last {
				child.line = line
			}
			n = child
		}
		if n.shape != shapeTable { // the decoder has refused such a file already
			return newTable(line)
		}
	}
	return n
}

// assign sets key = value, or a.b.c = value, in table.
func (d *document) assign(table *node, e *unstable.Node) {
	for it := e.Key(); it.Next(); {
		key, line := string(it.Node().Data), d.line(it.Node())
		if it.IsLast() {
			table.set(key, line, d.value(e.Value(), line))
			return
		}
		child, ok := table.fields[key]
		if !ok || child.shape != shapeTable {
			child = newTable(line)
			table.set(key, line, child)
		}
		table = child
	}
}

// value copies one value; line is that of its key, or of the list around it.
func (d *document) value(v *unstable.Node, line int) *node {
	n := &node{line: line, data: string(v.Data)}
	if v.Raw.Length > 0 {
		n.line = d.line(v)
	}
	switch v.Kind {
	case unstable.String:
		n.shape = shapeText
	case unstable.Integer:
		n.shape = shapeInteger
	case unstable.Float:
		n.shape = shapeFloat
	case unstable.Bool:
		n.shape = shapeBool
	case unstable.LocalDate, unstable.LocalTime, unstable.LocalDateTime, unstable.DateTime:
		n.shape = shapeTime
	case unstable.Array:
		n.shape = shapeArray
		for it := v.Children(); it.Next(); {
			if it.Node().Kind != unstable.Comment {
				n.items = append(n.items, d.value(it.Node(), n.line))
			}
		}
	case unstable.InlineTable:
		n.shape, n.fields = shapeTable, map[string]*node{}
		for it := v.Children(); it.Next(); {
			if it.Node().Kind == unstable.KeyValue {
				d.assign(n, it.Node())
			}
		}
	case unstable.Invalid, unstable.Comment, unstable.Key, unstable.Table, unstable.ArrayTable, unstable.KeyValue:
		n.shape = shapeTime // never values; a shape that no setting has
	}
	return n
}
