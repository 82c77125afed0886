package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/dispatch/cap"
	"nabat/sync/dispatch/store"
)

func (s *Server) alertsPage(w http.ResponseWriter, r *http.Request, v visitor) {
	p := s.newPage(r, v)
	p.Here, p.Path = "alerts", "/dispatch"
	s.render(w, http.StatusOK, "dispatch.html", p)
}

// alertData is what the page of one alert needs.
type alertData struct {
	Card     card
	Open     bool
	Closed   string
	Entries  []entryRow
	Orders   []orderRow
	Teams    []store.Team
	Messages []capRow
	ID       string
}

// entryRow is one event of the timeline.
type entryRow struct {
	What, Detail, Made, Delivered, Links, Delay string
	Late, Refused                               bool
	ID                                          string
}

type capRow struct {
	Serial     int
	Type, Sent string
}

func (s *Server) alertPage(w http.ResponseWriter, r *http.Request, v visitor) {
	ctx, g, id := r.Context(), gatewayOf(r), r.PathValue("id")
	a, err := s.opt.Store.Alert(ctx, g, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		s.refuse(w, r, http.StatusNotFound, "unknown")
		return
	case err != nil:
		s.broken(w, r, "an alert could not be read", err)
		return
	}
	timeline, err := s.opt.Store.Timeline(ctx, g, id)
	if err != nil {
		s.broken(w, r, "a timeline could not be read", err)
		return
	}
	commands, err := s.opt.Store.CommandsOf(ctx, g, id, 50)
	if err != nil {
		s.broken(w, r, "commands could not be read", err)
		return
	}
	shown, err := s.lookAt(ctx, a, commands)
	if err != nil {
		s.broken(w, r, "an alert could not be shown", err)
		return
	}
	info, _ := shown.gateway(g)
	p := s.newPage(r, v)
	p.Here = "alerts"
	d := alertData{Card: s.card(shown, p.words(), a, v.Operator.ID), Open: a.Stands, Teams: shown.Teams, ID: a.ID}
	if !a.Stands {
		d.Closed = p.words().fill("closed.line", "outcome", p.Or("outcome."+string(a.Cleared.Outcome), "–"), "who", cmp.Or(shown.name(a.Cleared.Who), p.Or("origin."+a.Cleared.Origin, "–")), "why", cmp.Or(a.Cleared.Why, "–"))
	}
	for _, e := range timeline {
		d.Entries = append(d.Entries, entry(p, e))
	}
	for _, c := range commands {
		d.Orders = append(d.Orders, s.orderRow(p, c, info))
	}
	list := messages(s.opt.Sender, s.opt.Name, a, timeline)
	for _, m := range list[max(0, len(list)-mostMessages):] {
		d.Messages = append(d.Messages, capRow{m.Serial, string(m.Type), p.Time(m.Sent)})
	}
	p.Data = d
	s.render(w, http.StatusOK, "alert.html", p)
}

// lookAt returns the present picture with what it does not have about an alert
// that may be closed or beyond the cards of the board.
func (s *Server) lookAt(ctx context.Context, a store.Alert, commands []store.Command) (*picture, error) {
	last, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	name := store.AlertName{Gateway: a.Gateway, ID: a.ID}
	p := *last // copied: pictures are never changed
	if p.Takes, err = s.opt.Store.Takes(ctx, name); err != nil {
		return nil, fmt.Errorf("read who took alert %s: %w", a.ID, err)
	}
	p.Commands = map[store.AlertName][]store.Command{name: commands}
	return &p, nil
}

func entry(p page, e store.Entry) entryRow {
	row := entryRow{What: p.Or("event."+e.Event.Type.Short(), e.Event.Type.Short()), Made: p.Moment(e.Made), Late: e.Late, ID: e.Event.ID()}
	if e.Refused != "" {
		row.Refused, row.Detail = true, e.Refused
	}
	var links, details []string
	for i, d := range e.Deliveries {
		if i == 0 {
			row.Delivered = p.Time(d.At)
			if q := quality(e.Made); q == "exact" || q == "corrected" {
				row.Delay = p.words().span(d.At.Sub(e.Made.At))
			}
		}
		links = append(links, d.Link)
	}
	row.Links = strings.Join(links, ", ")
	a := e.Data
	add := func(key, value string) {
		if value != "" {
			details = append(details, p.T(key)+": "+value)
		}
	}
	if a.Level != 0 && (a.Type == alert.Raised || a.Type == alert.Escalated) {
		details = append(details, p.T("level."+a.Level.String()))
	}
	if a.Number > 0 {
		details = append(details, "№ "+strconv.FormatUint(a.Number, 10))
	}
	add("detail.point", a.Point)
	add("detail.to", a.To)
	add("detail.who", a.Who)
	if a.Outcome != "" {
		details = append(details, p.Or("outcome."+string(a.Outcome), string(a.Outcome)))
	}
	add("detail.why", a.Why)
	if !a.ETA.IsZero() {
		add("detail.eta", p.Time(a.ETA))
	}
	if row.Detail == "" {
		row.Detail = strings.Join(details, " · ")
	}
	return row
}

// mostMessages bounds how many CAP messages a page offers, and to how many of
// those before it a message refers: the latest.
const mostMessages = 100

// messages makes the CAP messages of an alert, in the order in which its
// events were stored here, so that a number means the same message for ever:
// the first is an Alert, one that closes it a Cancel, each other an Update.
func messages(sender, name string, a store.Alert, timeline []store.Entry) []cap.Message {
	var told []store.Entry
	for _, e := range timeline {
		if e.Refused == "" && len(e.Deliveries) > 0 && tells(e.Data.Type) {
			told = append(told, e)
		}
	}
	slices.SortStableFunc(told, func(x, y store.Entry) int {
		return cmp.Or(x.Deliveries[0].At.Compare(y.Deliveries[0].At), cmp.Compare(x.Event.Ref.Epoch, y.Event.Ref.Epoch), cmp.Compare(x.Event.Ref.Seq, y.Event.Ref.Seq))
	})
	var list []cap.Message
	var earlier []cap.Reference
	fold := alert.NewState()
	for i, e := range told {
		event := e.Data
		event.Type, event.Subject, event.At = e.Event.Type, e.Event.Subject, e.Event.At
		fold = fold.Next(event)
		now, ok := fold.Alert(a.Key)
		if !ok {
			now = a.Alert
		}
		m := cap.Message{Type: cap.TypeUpdate, Sender: sender, SenderName: name, Serial: i + 1, Sent: e.Deliveries[0].At, Alert: capAlert(a, now),
			Earlier: earlier[max(0, i-mostMessages):i:i]} // shared: references are only ever added
		switch {
		case i == 0:
			m.Type = cap.TypeAlert
		case event.Type == alert.Cleared && !now.Open():
			m.Type = cap.TypeCancel
		}
		list = append(list, m)
		earlier = append(earlier, cap.Reference{Serial: m.Serial, Sent: m.Sent})
	}
	return list
}

// tells reports whether an event changes what a city's service should know.
func tells(t alert.Type) bool {
	switch t {
	case alert.Raised, alert.Escalated, alert.Acknowledged, alert.Responding, alert.Arrived, alert.Cleared:
		return true
	case alert.Received, alert.DrillStarted, alert.DrillEnded, alert.PointFault, alert.PointRestored, alert.AnnouncementStarted, alert.AnnouncementEnded,
		alert.AnnouncementSaid, alert.GatewayStarted, alert.GatewayStopped, alert.LinkUp, alert.LinkDown, alert.ConfigApplied, alert.ConfigRefused,
		alert.CommandAccepted, alert.CommandRefused, alert.ClockSynchronised, alert.JournalGap, alert.JournalParked, alert.JournalRecovered:
		return false
	}
	return false
}

// capAlert tells of the alert a as it was when its fold was now.
func capAlert(a store.Alert, now alert.Alert) cap.Alert {
	c := cap.Alert{
		ID: a.ID, Site: a.Gateway.Site, Gateway: a.Gateway.ID, SiteName: alert.Text{RU: a.Name, KK: a.Name, EN: a.Name},
		Kind: a.Kind, Level: now.Level(), Status: now.Status(), Place: a.Place, Point: now.Last.Point, Presses: presses(now),
		Pressed: a.Pressed.At, Clock: cap.ClockUnknown, Late: a.Late, Stage: cap.StageOpen,
	}
	switch quality(a.Pressed) {
	case "exact":
		c.Clock = cap.ClockSynchronised
	case "corrected":
		c.Clock = cap.ClockCorrected
	}
	switch {
	case !now.Open():
		// A fold that is closed has no level and status of its own any more.
		c.Stage, c.Outcome = cap.StageClosed, now.Cleared.Outcome
		if now.Emergency >= now.First.Number && now.Emergency > 0 {
			c.Level = alert.LevelEmergency
		}
		switch {
		case now.Actual >= now.First.Number && now.Actual > 0:
			c.Status = alert.Actual
		case now.Exercise >= now.First.Number && now.Exercise > 0:
			c.Status = alert.Exercise
		}
	case now.Covers(now.Arrived):
		c.Stage = cap.StageArrived
	case now.Covers(now.Responding):
		c.Stage = cap.StageResponding
	case now.Covers(now.Acknowledged):
		c.Stage = cap.StageTaken
	}
	return c
}

// capMessage answers with one CAP message of an alert: ?message=N, the latest
// without it.
func (s *Server) capMessage(w http.ResponseWriter, r *http.Request, v visitor) {
	g, id := gatewayOf(r), r.PathValue("id")
	a, err := s.opt.Store.Alert(r.Context(), g, id)
	if errors.Is(err, store.ErrNotFound) {
		s.refuse(w, r, http.StatusNotFound, "unknown")
		return
	}
	var timeline []store.Entry
	if err == nil {
		timeline, err = s.opt.Store.Timeline(r.Context(), g, id)
	}
	if err != nil {
		s.broken(w, r, "an alert could not be read", err)
		return
	}
	list := messages(s.opt.Sender, s.opt.Name, a, timeline)
	n := len(list)
	if text := r.URL.Query().Get("message"); text != "" {
		if n, err = strconv.Atoi(text); err != nil {
			n = 0
		}
	}
	if n < 1 || n > len(list) {
		s.refuse(w, r, http.StatusNotFound, "unknown")
		return
	}
	b, err := list[n-1].Encode()
	if err != nil {
		s.broken(w, r, "a CAP message could not be made", err)
		return
	}
	s.audited(r.Context(), v, "cap", g.String(), "alert "+id+" message "+strconv.Itoa(n))
	w.Header().Set("Content-Type", "application/cap+xml")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="nabat-%s-%d.cap.xml"`, fileName(id), n))
	// A failed write means that the browser has gone; nobody is left to tell.
	_, _ = w.Write(b)
}

// fileName keeps of an id what every system takes in a file's name.
func fileName(id string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, id)
}

// day reads a date of a form, in the operators' zone; zero for none.
func (s *Server) day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, text, s.opt.Zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("date %.20q: %w", text, err)
	}
	return t, nil
}
