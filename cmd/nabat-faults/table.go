package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// markdown returns the page for docs.
func markdown(results []result) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# Faults

Written by `+"`make faults`"+` on %s; do not edit. Each line happened to a real gateway of this kind. Every scenario runs the real nabat,
nabat-dispatch and mosquitto, and compares the gateway's journal with what dispatch has stored: what is missing there is lost, what is there twice is
doubled, what was stored after a later one of its lane is reordered. "Seen to fail" is what happened to the same scenario with programs that were
built from the same sources without the protection; the change is beside the scenario in cmd/nabat-faults.

`, time.Now().UTC().Format("2006-01-02"))
	group := ""
	for _, r := range results {
		g, name, _ := strings.Cut(r.scenario.name, "/")
		if g != group {
			group = g
			fmt.Fprintf(&b, "## %s\n\n| scenario | what was done | protection | lost, doubled, reordered | seen to fail without it |\n|---|---|---|---|---|\n", strings.ToUpper(g[:1])+g[1:])
		}
		control := "not tried in this run"
		switch {
		case len(r.scenario.without) == 0:
			control = "–"
		case r.tried && r.control == nil:
			control = "**it did not fail**"
		case r.tried:
			control = shorten(firstLine(r.control))
		}
		verdict := fmt.Sprintf("%d, %d, %d of %d", len(r.tally.lost), len(r.tally.doubled), len(r.tally.reordered), r.tally.events)
		if r.err != nil {
			verdict = "**failed**: " + shorten(firstLine(r.err))
		}
		fmt.Fprintf(&b, "| **%s**: %s | %s | %s | %s | %s |\n", cell(name), cell(r.scenario.fault), cell(strings.Join(r.did, "; ")), cell(r.scenario.protection), cell(verdict), cell(control))
	}
	return b.Bytes()
}

// cell keeps a text inside its cell.
func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ")
}

// shorten keeps long lists of ids out of the table.
func shorten(s string) string {
	const most = 160
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
