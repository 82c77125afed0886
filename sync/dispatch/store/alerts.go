package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// LateAfter is the age at delivery from which an event is late: call back, do
// not send blindly.
const LateAfter = 2 * time.Minute

// Alert is an alert as dispatch knows it.
type Alert struct {
	Gateway Gateway
	// Name is what people call the gateway.
	Name string
	// Alert is the fold of everything that came about it. Of an alert that was
	// followed by another at the same place it is the fold of its own events.
	alert.Alert
	// Stands says that a press stands that nobody has cleared.
	Stands bool
	// Pressed is when its first press was, corrected where the gateway's clock
	// could not be trusted.
	Pressed Moment
	// Stored is when its first event was stored here, Changed when the last.
	Stored, Changed time.Time
	// Late says that its newest press was stored more than LateAfter after it
	// was made.
	Late bool
	// Teams are the teams assigned to it, the latest first.
	Teams []Assignment
}

// Gravity returns the highest level and the most serious status: of the presses
// that stand, or, of an alert that is over, of those that it had. Level and
// Status alone would call every closed alert a quiet test.
func (a Alert) Gravity() (alert.Level, alert.Status) {
	level, status := a.Level(), a.Status()
	if a.Open() {
		return level, status
	}
	if a.Emergency >= a.First.Number && a.Emergency > 0 {
		level = alert.LevelEmergency
	}
	switch {
	case a.Actual >= a.First.Number && a.Actual > 0:
		status = alert.Actual
	case a.Exercise >= a.First.Number && a.Exercise > 0:
		status = alert.Exercise
	}
	return level, status
}

// Moment is a time of a gateway as well as we know it.
type Moment struct {
	// At is zero where nothing is known.
	At time.Time
	// Corrected says that the gateway's clock was not synchronised and At was
	// computed from its boot's monotonic clock.
	Corrected bool
	// Estimated says that the boot was never seen synchronised: At is then the
	// latest time that it can have been, going by when the gateway spoke to us,
	// or, without even that, what its clock said.
	Estimated bool
}

// Entry is one event of a timeline.
type Entry struct {
	Event event.Event
	// Data is the event in the gateway's words; zero where Refused.
	Data alert.Event
	// Pressed is when the point was actuated, zero for events that are not
	// presses; Made is when the gateway made (saved) the event.
	Pressed, Made Moment
	// Deliveries are the arrivals here, the first first, one a link.
	Deliveries []Delivery
	// Late says that the first of them was more than LateAfter behind.
	Late bool
	// Refused is why the data could not be understood; empty when it could.
	Refused string
}

// Delivery is one arrival of an event.
type Delivery struct {
	Link string
	At   time.Time
}

// Filter chooses alerts for History. Zero members choose everything.
type Filter struct {
	Site   string
	ID     string // of the gateway
	Kind   alert.Kind
	Status alert.Status
	// From and To bound when the first event was stored.
	From, To time.Time
	// Before is Page.Next of the page before.
	Before int64
	// Limit is the size of a page: at most 500, zero means 50.
	Limit int
}

// Page is one page of History.
type Page struct {
	Alerts []Alert
	// Next goes into Filter.Before; zero on the last page.
	Next int64
}

// stored is one alert as its rows have it, before times are corrected.
type storedAlert struct {
	Alert
	key, gateway int64
	lastStored   time.Time
}

const alertColumns = `SELECT a.key, a.gateway, g.site, g.id, g.name, a.id, a.place, a.stored, a.changed, a.last_stored, a.state,
	coalesce(s.id, ''), coalesce(s.stands, 0), coalesce(s.state, '') FROM alert a JOIN gateway g ON g.key = a.gateway
	LEFT JOIN standing s ON s.gateway = a.gateway AND s.numbering = a.numbering AND s.place = a.place AND s.kind = a.kind `

func scanAlert(scan func(...any) error) (storedAlert, error) {
	var a storedAlert
	var id, place, own, topID, top string
	var stored, changed, lastStored int64
	var stands bool
	if err := scan(&a.key, &a.gateway, &a.Gateway.Site, &a.Gateway.ID, &a.Name, &id, &place, &stored, &changed, &lastStored, &own, &topID, &stands, &top); err != nil {
		return a, err
	}
	a.Stored, a.Changed, a.lastStored = fromMicros(stored), fromMicros(changed), fromMicros(lastStored)
	text := own
	if topID == id {
		// Marks about later presses of the same key count for this alert too.
		text, a.Stands = top, stands
	}
	if err := unmarshal(true, text, &a.Alert.Alert); err != nil {
		return a, err
	}
	if a.ID == "" { // nothing but marks has come of it
		a.ID, a.Place.ID = id, place
	}
	return a, nil
}

// alertsWhere reads alerts and all that belongs to them.
func (s *Store) alertsWhere(ctx context.Context, where string, args ...any) ([]storedAlert, error) {
	var list []storedAlert
	db := s.db()
	if err := db.each(ctx, func(scan func(...any) error) error {
		a, err := scanAlert(scan)
		list = append(list, a)
		return err
	}, alertColumns+where, args...); err != nil {
		return nil, err
	}
	clocks, err := s.clocks(ctx, list)
	if err != nil {
		return nil, err
	}
	teams, err := s.teamsOf(ctx, list)
	if err != nil {
		return nil, err
	}
	for i := range list {
		a := &list[i]
		a.Pressed = clocks[bootID{a.gateway, plain(a.First.At.Boot, maxName)}].moment(a.First.At)
		a.Late = late(a.lastStored, clocks[bootID{a.gateway, plain(a.Last.At.Boot, maxName)}].moment(a.Last.At))
		a.Teams = teams[answerID{a.gateway, a.ID}]
	}
	return list, nil
}

// inChunks calls f with the placeholders and arguments of an IN list for some
// of the values at a time, until all have had their turn.
func inChunks(values []string, f func(in string, args []any) error) error {
	slices.Sort(values)
	for part := range slices.Chunk(slices.Compact(values), pageRows) {
		marks, args := make([]string, len(part)), make([]any, len(part))
		for i, v := range part {
			marks[i], args[i] = "$"+strconv.Itoa(i+1), v
		}
		if err := f("("+strings.Join(marks, ", ")+")", args); err != nil {
			return err
		}
	}
	return nil
}

// clocks returns what is known about the boots in which alerts were pressed.
func (s *Store) clocks(ctx context.Context, list []storedAlert) (map[bootID]*anchorRow, error) {
	var boots []string
	for _, a := range list {
		boots = append(boots, plain(a.First.At.Boot, maxName), plain(a.Last.At.Boot, maxName))
	}
	out := make(map[bootID]*anchorRow)
	return out, inChunks(boots, func(in string, args []any) error {
		return s.db().each(ctx, func(scan func(...any) error) error {
			var id bootID
			row := &anchorRow{known: true}
			err := scan(&id.gateway, &id.boot, &row.mono, &row.shift, &row.estimate)
			out[id] = row
			return err
		}, "SELECT gateway, boot, mono, shift, estimate FROM anchor WHERE boot IN "+in, args...)
	})
}

// clock returns what is known about a boot's clock, remembered in clocks.
func (s *Store) clock(ctx context.Context, clocks map[bootID]*anchorRow, gateway int64, boot string) (*anchorRow, error) {
	id := bootID{gateway, plain(boot, maxName)}
	if row, ok := clocks[id]; ok {
		return row, nil
	}
	row := &anchorRow{}
	err := s.db().one(ctx, []any{&row.mono, &row.shift, &row.estimate}, "SELECT mono, shift, estimate FROM anchor WHERE gateway = $1 AND boot = $2", gateway, id.boot)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("clock of boot %s: %w", boot, err)
	}
	row.known = err == nil
	clocks[id] = row
	return row, nil
}

// teamsOf returns the teams of alerts, the latest of each first.
func (s *Store) teamsOf(ctx context.Context, list []storedAlert) (map[answerID][]Assignment, error) {
	var ids []string
	for _, a := range list {
		ids = append(ids, a.ID)
	}
	out := make(map[answerID][]Assignment)
	return out, inChunks(ids, func(in string, args []any) error {
		return s.db().each(ctx, func(scan func(...any) error) error {
			var id answerID
			var a Assignment
			var at, eta, arrived int64
			err := scan(&id.gateway, &id.id, &a.Team.ID, &a.Team.Name, &a.Team.Phone, &a.Team.Retired, &a.By, &at, &eta, &arrived)
			a.At, a.ETA, a.Arrived = fromMicros(at), fromMicros(eta), fromMicros(arrived)
			out[id] = append(out[id], a)
			return err
		}, `SELECT a.gateway, a.alert, t.id, t.name, t.phone, t.retired, a.issuer, a.at, a.eta, a.arrived FROM assignment a JOIN team t ON t.id = a.team
			WHERE a.alert IN `+in+" ORDER BY a.at DESC, t.id", args...)
	})
}

// OpenAlerts returns the alerts of all gateways that nobody has cleared:
// emergencies first, real ones before drills and tests, then the oldest first.
func (s *Store) OpenAlerts(ctx context.Context) ([]Alert, error) {
	list, err := s.alertsWhere(ctx, "WHERE s.stands = 1 AND s.id = a.id")
	if err != nil {
		return nil, fmt.Errorf("open alerts: %w", err)
	}
	sortOpen(list)
	return bare(list), nil
}

func sortOpen(list []storedAlert) {
	rank := map[alert.Status]int{alert.Actual: 0, alert.Exercise: 1, alert.Test: 2}
	slices.SortFunc(list, func(a, b storedAlert) int {
		return cmp.Or(cmp.Compare(b.Level(), a.Level()), cmp.Compare(rank[a.Status()], rank[b.Status()]),
			a.Stored.Compare(b.Stored), cmp.Compare(a.key, b.key))
	})
}

// OpenAlertsUpTo is OpenAlerts with at most so many alerts of each gateway,
// their newest, and how many others are open: one gateway that claims a hundred
// thousand of them must not take the time that all others need.
func (s *Store) OpenAlertsUpTo(ctx context.Context, ofOne int) (_ []Alert, more int, err error) {
	wrap := func(err error) error { return fmt.Errorf("open alerts: %w", err) }
	var crowded []int64
	if err := s.db().each(ctx, func(scan func(...any) error) error {
		var gateway int64
		var n int
		err := scan(&gateway, &n)
		if n > ofOne {
			crowded, more = append(crowded, gateway), more+n
		}
		return err
	}, "SELECT gateway, count(*) FROM standing WHERE stands = 1 GROUP BY gateway"); err != nil {
		return nil, 0, wrap(err)
	}
	where := "WHERE s.stands = 1 AND s.id = a.id"
	others, args := "", make([]any, len(crowded))
	for i, gateway := range crowded {
		args[i] = gateway
		others += ", $" + strconv.Itoa(i+1)
	}
	if len(crowded) > 0 {
		others = " AND s.gateway NOT IN (" + others[2:] + ")"
	}
	list, err := s.alertsWhere(ctx, where+others, args...)
	if err != nil {
		return nil, 0, wrap(err)
	}
	for _, gateway := range crowded {
		some, err := s.alertsWhere(ctx, where+" AND a.gateway = $1 ORDER BY a.key DESC LIMIT "+strconv.Itoa(ofOne), gateway)
		if err != nil {
			return nil, 0, wrap(err)
		}
		list, more = append(list, some...), more-len(some)
	}
	sortOpen(list)
	return bare(list), max(more, 0), nil
}

func bare(list []storedAlert) []Alert {
	out := make([]Alert, len(list))
	for i := range list {
		out[i] = list[i].Alert
	}
	return out
}

// Alert returns one alert, open or not, or ErrNotFound.
func (s *Store) Alert(ctx context.Context, g Gateway, id string) (Alert, error) {
	list, err := s.alertsWhere(ctx, "WHERE g.site = $1 AND g.id = $2 AND a.id = $3 ORDER BY a.key LIMIT 1", g.Site, g.ID, plain(id, maxName))
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Alert{}, fmt.Errorf("alert %.64s of %s: %w", id, g, err)
	}
	return list[0].Alert, nil
}

// Bounds of a page of History.
const (
	defaultPage = 50
	largestPage = 500
)

// History returns alerts, open and closed, those stored last first.
func (s *Store) History(ctx context.Context, f Filter) (Page, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, largestPage)
	var where strings.Builder
	where.WriteString("WHERE 1 = 1")
	var args []any
	add := func(text string, v any) {
		args = append(args, v)
		where.WriteString(" AND " + text + "$" + strconv.Itoa(len(args)))
	}
	if f.Site != "" {
		add("g.site = ", plain(f.Site, maxKey))
	}
	if f.ID != "" {
		add("g.id = ", plain(f.ID, maxKey))
	}
	if f.Kind != "" {
		add("a.kind = ", plain(string(f.Kind), maxKey))
	}
	if f.Status != "" {
		add("a.status = ", plain(string(f.Status), maxKey))
	}
	if !f.From.IsZero() {
		add("a.stored >= ", micros(f.From))
	}
	if !f.To.IsZero() {
		add("a.stored < ", micros(f.To))
	}
	if f.Before > 0 {
		add("a.key < ", f.Before)
	}
	list, err := s.alertsWhere(ctx, where.String()+" ORDER BY a.key DESC LIMIT "+strconv.Itoa(limit+1), args...)
	if err != nil {
		return Page{}, fmt.Errorf("history: %w", err)
	}
	var p Page
	if len(list) > limit {
		list = list[:limit]
		p.Next = list[limit-1].key
	}
	p.Alerts = bare(list)
	return p, nil
}

// ExportAlerts iterates over the alerts that History would show.
func (s *Store) ExportAlerts(ctx context.Context, f Filter) iter.Seq2[Alert, error] {
	return func(yield func(Alert, error) bool) {
		f.Limit = largestPage
		for {
			p, err := s.History(ctx, f)
			if err != nil {
				yield(Alert{}, fmt.Errorf("export: %w", err))
				return
			}
			for _, a := range p.Alerts {
				if !yield(a, nil) {
					return
				}
			}
			if p.Next == 0 {
				return
			}
			f.Before = p.Next
		}
	}
}
