package control

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"nabat/gateway/alert"
)

// Print writes the status for a person, in aligned columns. What needs
// attention is in capitals, and nothing in it can move a terminal's cursor.
func Print(w io.Writer, s Status, l alert.Language) error {
	p := &printer{t: textsIn(l), w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	p.head(s)
	p.points(s.Points)
	p.alerts(s.Alerts)
	p.notices(s.Notices)
	p.sounding(s.Sounding)
	p.screens(s.Screens)
	p.links(s.Links)
	p.queue(s.Queue)
	p.conditions(s)
	synced := "synced"
	if !s.Clock.Synced {
		synced = "unsynced"
	}
	p.title("clock", s.Clock.Now.UTC().Format("2006-01-02 15:04:05 UTC")+", "+p.t.get(synced))
	durable := "durable"
	if !s.Journal.Durable {
		durable = "memory"
	}
	p.title("journal", fmt.Sprintf(p.t.get("event"), clean(s.Journal.Epoch), s.Journal.LastSeq)+", "+p.t.get(durable))
	if s.Assigned != "" {
		p.title("config", fmt.Sprintf(p.t.get("assigned"), clean(s.Assigned[:min(len(s.Assigned), 12)])))
	}
	if p.err != nil {
		return fmt.Errorf("print the status: %w", p.err)
	}
	if err := p.w.Flush(); err != nil {
		return fmt.Errorf("print the status: %w", err)
	}
	return nil
}

// printer writes lines of cells and remembers the first error.
type printer struct {
	t   texts
	w   *tabwriter.Writer
	err error
}

// line writes cells in columns; columns align with the lines directly around.
func (p *printer) line(cells ...string) {
	if p.err != nil {
		return
	}
	for len(cells) > 0 && cells[len(cells)-1] == "" {
		cells = cells[:len(cells)-1] // nothing but blanks would follow
	}
	for i := range cells {
		cells[i] = clean(cells[i])
	}
	_, p.err = io.WriteString(p.w, strings.Join(cells, "\t")+"\n")
}

// title begins a section; it stands in columns of its own.
func (p *printer) title(key, summary string) {
	// The width of a title is fixed, so that the summaries of all sections align.
	const width = 21
	name := p.t.get(key)
	if summary != "" {
		name += strings.Repeat(" ", max(width-len([]rune(name)), 1))
	}
	p.line(name + summary)
}

func (p *printer) head(s Status) {
	board := p.t.get("board." + s.Board)
	if board == "" {
		board = s.Board
	}
	p.line(fmt.Sprintf("Nabat %s · %s/%s · %s · %s %s", s.Version, s.Site, s.Gateway, board, p.t.get("uptime"), p.age(s.UptimeSeconds)))
}

func (p *printer) points(points []Point) {
	armed := 0
	for _, pt := range points {
		if pt.Armed {
			armed++
		}
	}
	p.title("points", fmt.Sprintf(p.t.get("armed"), armed, len(points)))
	for _, pt := range points {
		if pt.Armed {
			continue
		}
		why := p.t.get("unread")
		if pt.Fault != "" {
			why = p.t.or("fault."+pt.Fault, pt.Fault)
		}
		if pt.Detail != "" {
			why += " (" + pt.Detail + ")"
		}
		p.line("  "+p.t.get("unarmed"), pt.ID, where(pt.Place), why)
	}
}

func (p *printer) alerts(alerts []Alert) {
	p.title("alerts", p.count(len(alerts)))
	for _, a := range alerts {
		kind := a.KindName.In(p.t.language)
		if kind == "" {
			kind = p.t.or("kind."+string(a.Kind), string(a.Kind))
		}
		kind += p.unreal(a.Status)
		truth := p.t.get(a.Truth)
		if truth == "" {
			truth = p.t.get("unknown")
		}
		p.line("  "+p.t.or("level."+a.Level.String(), a.Level.String()), kind, where(a.Place), a.Point, truth, p.age(a.AgeSeconds), p.team(a.Team))
	}
}

// unreal is what a status adds to a name: nothing for what is real.
func (p *printer) unreal(st alert.Status) string {
	switch st {
	case alert.Actual:
		return ""
	case alert.Exercise:
		return " (" + p.t.get("drill") + ")"
	case alert.Test:
		return " (" + p.t.get("test") + ")"
	}
	return ""
}

// team says what dispatch has said of one.
func (p *printer) team(t *Team) string {
	if t == nil {
		return ""
	}
	key := "coming"
	if t.Arrived {
		key = "there"
	}
	said := p.t.get(key) + ": " + t.Who
	if !t.Arrived && !t.ETA.IsZero() {
		said += ", " + fmt.Sprintf(p.t.get("expected"), t.ETA.UTC().Format("15:04 UTC"))
	}
	return said + " (" + p.age(t.AgeSeconds) + ")"
}

func (p *printer) notices(notices []Notice) {
	if len(notices) == 0 {
		return
	}
	p.title("notices", p.count(len(notices)))
	for _, n := range notices {
		p.line("  "+n.Text.In(p.t.language)+p.unreal(n.Status), n.Who, fmt.Sprintf(p.t.get("left"), p.age(n.LeftSeconds)), n.ID)
	}
}

// sounding says what each zone says now, or would say.
func (p *printer) sounding(zones []alert.Sounding) {
	if len(zones) == 0 {
		return
	}
	p.title("sounding", p.count(len(zones)))
	for _, z := range zones {
		heard := fmt.Sprintf(p.t.get("speakers"), z.Speakers)
		if z.Speakers == 0 {
			heard = p.t.get("unheard")
		}
		if z.Silent > 0 {
			heard += ", " + fmt.Sprintf(p.t.get("broken"), z.Silent)
		}
		p.line("  "+z.Zone, p.t.or("priority."+z.Priority.String(), z.Priority.String())+p.unreal(z.Status), z.Text.In(p.t.language), heard)
	}
}

func (p *printer) screens(screens []Screen) {
	if len(screens) == 0 {
		return
	}
	good := 0
	for _, c := range screens {
		if c.State == ScreenOK {
			good++
		}
	}
	p.title("screens", fmt.Sprintf(p.t.get("proven"), good, len(screens)))
	for _, c := range screens {
		if c.State == ScreenOK {
			continue
		}
		state, seen := p.t.get("screen."+c.State), p.t.get("never")
		if state == "" {
			state = c.State
		}
		if c.SeenSeconds >= 0 {
			seen = fmt.Sprintf(p.t.get("seen"), p.age(c.SeenSeconds))
		}
		p.line("  "+c.ID, state, seen)
	}
}

func (p *printer) links(links []Link) {
	if len(links) == 0 {
		p.title("links", p.t.get("none"))
		return
	}
	p.title("links", "")
	for _, l := range links {
		state := p.t.get("down")
		if l.Up {
			state = p.t.get("up")
		}
		p.line("  "+l.Name, state, p.age(l.ForSeconds), l.Detail)
	}
}

func (p *printer) queue(queue []Queue) {
	if len(queue) == 0 {
		p.title("queue", p.t.get("none"))
		return
	}
	p.title("queue", "")
	for _, q := range queue {
		lane := p.t.get(q.Lane)
		if lane == "" {
			lane = q.Lane
		}
		oldest, parked := "", ""
		if q.Depth > 0 {
			oldest = fmt.Sprintf(p.t.get("oldest"), p.age(q.OldestSeconds))
		}
		if q.Parked > 0 {
			parked = fmt.Sprintf(p.t.get("parked"), q.Parked)
		}
		p.line("  "+q.Consumer, lane, fmt.Sprintf(p.t.get("waiting"), q.Depth), oldest, parked)
	}
}

func (p *printer) conditions(s Status) {
	p.title("conditions", p.count(len(s.Conditions)))
	for _, c := range s.Conditions {
		name, object, _ := strings.Cut(c.Name, ":")
		text := strings.ReplaceAll(p.t.or("condition."+name, ""), "{object}", object)
		age := ""
		if !c.Since.IsZero() && !s.Clock.Now.IsZero() {
			age = p.age(int64(max(s.Clock.Now.Sub(c.Since), 0).Seconds()))
		}
		p.line("  "+c.Name, age, text)
		if c.Detail != "" {
			p.line("    " + c.Detail)
		}
	}
}

func (p *printer) count(n int) string {
	if n == 0 {
		return p.t.get("none")
	}
	return fmt.Sprint(n)
}

// age writes a time span in its one or two greatest units.
func (p *printer) age(seconds int64) string {
	seconds = max(seconds, 0)
	unit := func(n int64, key string) string { return fmt.Sprintf("%d %s", n, p.t.get(key)) }
	two := func(n int64, key string, m int64, less string) string {
		if m == 0 {
			return unit(n, key)
		}
		return unit(n, key) + " " + unit(m, less)
	}
	switch minutes, hours := seconds/60, seconds/3600; {
	case seconds < 60:
		return unit(seconds, "s")
	case minutes < 60:
		return unit(minutes, "min")
	case hours < 24:
		return two(hours, "h", minutes%60, "min")
	default:
		return two(hours/24, "d", hours%24, "h")
	}
}

func where(place []string) string { return strings.Join(place, " / ") }

// clean takes out what a terminal would obey: site names, error texts of the
// kernel and answers of a stranger's gateway end up here.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
