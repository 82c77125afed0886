package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// verdict says whether a target was reached.
type verdict uint8

const (
	reportedOnly verdict = iota
	reachedIt
	missedIt
)

func verdictOf(ok bool) verdict {
	if ok {
		return reachedIt
	}
	return missedIt
}

// line is one row of the table.
type line struct {
	figure, target, floor, measured, ratio string
	verdict                                verdict
}

func (l line) reached() string {
	switch l.verdict {
	case reportedOnly:
		return "reported"
	case reachedIt:
		return "yes"
	case missedIt:
		return "no"
	}
	return "unknown"
}

// section is what one figure's measurement found.
type section struct {
	title string
	lines []line
	// how says what was done; also tells what else was seen; hidden names what
	// the figure does not show.
	how, also, hidden []string
	took              time.Duration
}

// report is one run.
type report struct {
	machine      machine
	version      string
	begun, ended time.Time
	quick        bool
	sections     []section
}

// table prints the figures for a terminal.
func (r report) table(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "FIGURE\tTARGET\tFLOOR\tMEASURED\tRATIO\tREACHED")
	for _, s := range r.sections {
		for _, l := range s.lines {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", l.figure, l.target, cell(l.floor), l.measured, cell(l.ratio), l.reached())
		}
	}
	tw.Flush()
	if r.quick {
		fmt.Fprintln(w, "A quick run: it shows that everything works, not how fast it is.")
	}
}

// markdown returns the page for docs.
func (r report) markdown() []byte {
	var b bytes.Buffer
	fmt.Fprint(&b, "# Figures\n\nWritten by `make bench`; do not edit. Each figure is a ratio against a floor that was measured in the same run, taking\n"+
		"turns with it. Compare ratios, not times: the floors differ from machine to machine.\n\n")
	if r.quick {
		fmt.Fprint(&b, "**A quick run: it shows that everything works, not how fast it is.**\n\n")
	}
	m := r.machine
	fmt.Fprint(&b, "| | |\n|---|---|\n")
	for _, f := range [][2]string{
		{"date", r.begun.UTC().Format("2006-01-02 15:04 UTC") + fmt.Sprintf(", took %s", r.ended.Sub(r.begun).Round(time.Second))},
		{"version", r.version},
		{"processor", fmt.Sprintf("%s, %d cores", m.cpu, m.cores)},
		{"memory", m.memory},
		{"kernel", m.kernel},
		{"Go", m.golang},
		{"disk", m.disk},
		{"broker", m.broker},
		{"browser", m.browser},
		{"load average (1, 5, 15 min)", fmt.Sprintf("%s at the start, %s at the end", m.loadAtStart, m.loadAtEnd)},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", f[0], cell(f[1]))
	}
	fmt.Fprint(&b, "\n| figure | target | floor | measured | ratio | reached |\n|---|---|---|---|---|---|\n")
	for _, s := range r.sections {
		for _, l := range s.lines {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", cell(l.figure), cell(l.target), cell(l.floor), cell(l.measured), cell(l.ratio), l.reached())
		}
	}
	fmt.Fprint(&b, "\n\"turns\" is the lowest and the highest ratio of the single turns, and their median: how much the machine's noise moves it.\n")
	for _, s := range r.sections {
		fmt.Fprintf(&b, "\n## %s\n\n", s.title)
		paragraph(&b, "How:", s.how)
		paragraph(&b, "Also seen:", s.also)
		paragraph(&b, "Does not show:", s.hidden)
	}
	return b.Bytes()
}

func paragraph(b *bytes.Buffer, head string, points []string) {
	for _, p := range points {
		fmt.Fprintf(b, "- %s %s\n", head, p)
	}
}

// cell keeps a text inside its cell.
func cell(s string) string {
	if s == "" {
		return "–"
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", "\\|"), "\n", " ")
}
