package main

import (
	"bytes"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// keyLines returns the line of every key and table of a TOML text, by its
// dotted name; of repeated tables the first one's. A text that is not TOML
// gives what stands before the mistake.
func keyLines(b []byte) map[string]int {
	lines := make(map[string]int)
	var p unstable.Parser
	p.Reset(b)
	table := ""
	for p.NextExpression() {
		e := p.Expression()
		var names []string
		at := 0
		if e.Kind != unstable.Table && e.Kind != unstable.ArrayTable && e.Kind != unstable.KeyValue {
			continue
		}
		for it := e.Key(); it.Next(); {
			if at == 0 {
				at = 1 + bytes.Count(b[:it.Node().Raw.Offset], []byte{'\n'})
			}
			names = append(names, string(it.Node().Data))
		}
		name := strings.Join(names, ".")
		if e.Kind == unstable.KeyValue {
			if table != "" {
				name = table + "." + name
			}
		} else {
			table = name
		}
		if _, ok := lines[name]; !ok {
			lines[name] = at
		}
	}
	return lines
}
