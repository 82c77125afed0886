package web

import (
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/argon2"

	"nabat/gateway/alert"
	"nabat/gateway/health"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testPIN = "480262"

// patience is how long a test waits for a state that comes at once on a machine
// with nothing else to do.
const patience = time.Minute

// house stands for the engine and its journal, which this room may not import.
// The fold is the real one; only the disk is pretended.
type house struct {
	begun time.Time

	mu      sync.Mutex // guards all below
	view    *alert.View
	changed chan struct{}
	number  uint64
	broken  error         // what the journal answers
	stalled chan struct{} // non-nil: the disk waits for it
	asked   []alert.Decision
	drills  []alert.Drill
}

func newHouse() *house {
	h := &house{begun: time.Now(), changed: make(chan struct{})}
	h.view = &alert.View{State: alert.NewState(), Truths: map[alert.Key]alert.Truth{}, Proofs: map[alert.Key]alert.Truth{}, Points: map[string]alert.PointStatus{}}
	for _, b := range testSite().Buttons {
		h.view.Points[b.ID] = alert.PointStatus{ID: b.ID, Armed: true, LastProven: h.now()}
	}
	for _, l := range testSite().Lamps {
		h.view.Points[l.ID] = alert.PointStatus{ID: l.ID, Armed: true, LastProven: h.now()}
	}
	return h
}

// now pretends that the machine has been up for an hour when the test begins.
func (h *house) now() alert.Stamp {
	return alert.Stamp{Wall: time.Now().UTC().Round(0), Boot: "boot-1", Mono: time.Hour + time.Since(h.begun), Synced: true}
}

func (h *house) View() *alert.View {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.view
}

func (h *house) Changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.changed
}

// change replaces the view, as the engine does: copied, never edited.
func (h *house) change(f func(v *alert.View)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := *h.view
	v.Version++
	v.At = h.now()
	v.Truths, v.Proofs, v.Points = maps.Clone(v.Truths), maps.Clone(v.Proofs), maps.Clone(v.Points)
	f(&v)
	v.Open = v.State.Open()
	h.view = &v
	close(h.changed)
	h.changed = make(chan struct{})
}

type raise struct {
	kind   alert.Kind
	place  string
	level  alert.Level
	status alert.Status
	ago    time.Duration
	hold   bool
	truth  alert.Truth
}

// press raises an alert and returns it.
func (h *house) press(r raise) alert.Alert {
	var a alert.Alert
	h.change(func(v *alert.View) {
		h.number++
		at := h.now()
		at.Mono -= r.ago
		at.Wall = at.Wall.Add(-r.ago)
		loc := testSite().Places[r.place].In(alert.Russian)
		key := alert.Key{Numbering: "n1", Place: r.place, Kind: r.kind}
		id := "0199e6a4-5c1b-7c3e-9a57-" + strconv.FormatUint(100000000000+h.number, 10)
		if old, ok := v.State.Alert(key); ok && old.Open() {
			id = old.ID
		}
		e := alert.Event{
			Type: alert.Raised, Subject: id, At: at, Numbering: "n1", Number: h.number, Kind: r.kind, Level: r.level,
			Status: r.status, Place: &loc, Point: "button-" + r.place, Gesture: alert.Tap,
		}
		if e.Status == "" {
			e.Status = alert.Actual
		}
		if r.hold {
			e.Gesture = alert.Hold
		}
		v.State = v.State.Next(e)
		v.Truths[key], v.Proofs[key] = r.truth, min(r.truth, alert.TruthReceived)
		a, _ = v.State.Alert(key)
	})
	return a
}

func (h *house) Acknowledge(ctx context.Context, d alert.Decision) error {
	return h.decide(ctx, alert.Acknowledged, d)
}

func (h *house) Clear(ctx context.Context, d alert.Decision) error {
	return h.decide(ctx, alert.Cleared, d)
}

func (h *house) StartDrill(_ context.Context, d alert.Drill) error {
	if err := h.heardOf(d); err != nil {
		return err
	}
	h.press(raise{kind: d.Kind, place: d.Place, level: d.Level, status: alert.Exercise, truth: alert.TruthSaved})
	return nil
}

func (h *house) EndDrill(_ context.Context, d alert.Drill) error {
	if err := h.heardOf(d); err != nil {
		return err
	}
	ended := false
	h.change(func(v *alert.View) {
		for _, a := range v.State.Open() {
			if a.Status() == alert.Exercise && (d.Kind == "" || a.Kind == d.Kind) && (d.Place == "" || a.Key.Place == d.Place) {
				v.State = v.State.Next(alert.Event{Type: alert.Cleared, Numbering: a.Numbering, Number: a.Last.Number, Kind: a.Kind, Place: &a.Place, Outcome: alert.TestComplete})
				ended = true
			}
		}
	})
	if !ended {
		return alert.ErrNoDrill
	}
	return nil
}

func (h *house) Announce(_ context.Context, n alert.Notice) error {
	h.mu.Lock()
	broken := h.broken
	h.mu.Unlock()
	if broken != nil {
		return broken
	}
	h.change(func(v *alert.View) {
		if n.ID == "" {
			n.ID = "notice-" + strconv.FormatUint(v.Version, 10)
		}
		n.Began = h.now()
		v.Notices = append([]alert.Notice{n}, v.Notices...)
	})
	return nil
}

func (h *house) EndAnnouncement(_ context.Context, d alert.Decision) error {
	h.mu.Lock()
	h.asked = append(h.asked, d)
	broken := h.broken
	h.mu.Unlock()
	if broken != nil {
		return broken
	}
	err := alert.ErrNoNotice
	h.change(func(v *alert.View) {
		var left []alert.Notice
		for _, n := range v.Notices {
			if n.ID == d.Alert {
				err = nil
				continue
			}
			left = append(left, n)
		}
		v.Notices = left
	})
	return err
}

func (h *house) heardOf(d alert.Drill) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drills = append(h.drills, d)
	return h.broken
}

func (h *house) decide(ctx context.Context, t alert.Type, d alert.Decision) error {
	h.mu.Lock()
	h.asked = append(h.asked, d)
	broken, stalled := h.broken, h.stalled
	h.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if broken != nil {
		return broken
	}
	found := false
	h.change(func(v *alert.View) {
		var a alert.Alert
		if a, found = v.State.Find(d.Alert); !found {
			return
		}
		loc := a.Place
		v.State = v.State.Next(alert.Event{
			Type: t, Subject: a.ID, At: h.now(), Numbering: a.Numbering, Number: d.Number, Kind: a.Kind, Place: &loc,
			Outcome: d.Outcome, Origin: d.Origin, Who: d.Who, Why: d.Why,
		})
		if t == alert.Acknowledged {
			v.Truths[a.Key] = alert.TruthAccepted
		}
	})
	if !found {
		return errors.New("no such alert")
	}
	return nil
}

func (h *house) decisions() []alert.Decision {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]alert.Decision(nil), h.asked...)
}

func text(ru, kk, en string) alert.Text { return alert.Text{RU: ru, KK: kk, EN: en} }

func testSite() *alert.Site {
	main, second, first := text("Главный корпус", "Бас ғимарат", "Main building"), text("2 этаж", "2-қабат", "2nd floor"), text("1 этаж", "1-қабат", "1st floor")
	places := map[string]alert.Place{}
	for id, path := range map[string][]alert.Text{
		"room-204": {main, second, text("Кабинет 204", "204-кабинет", "Room 204")},
		"room-207": {main, second, text("Кабинет 207", "207-кабинет", "Room 207")},
		"gym":      {main, first, text("Спортивный зал", "Спорт залы", "Gym")},
		"canteen":  {main, first, text("Столовая", "Асхана", "Canteen")},
		"entrance": {main, first, text("Главный вход", "Бас кіреберіс", "Main entrance")},
		"secret":   {main, first, text("Кабинет психолога", "Психолог кабинеті", "Counsellor's office")},
	} {
		places[id] = alert.Place{ID: id, Path: path}
	}
	quiet := func(k alert.Kind) alert.Action { return alert.Action{Kind: k, Level: alert.LevelHelp} }
	loud := func(k alert.Kind) alert.Action { return alert.Action{Kind: k, Level: alert.LevelEmergency} }
	return &alert.Site{
		ID: "school-12", Gateway: "main", Language: alert.Russian,
		Name:   text("Школа-гимназия № 12", "№ 12 мектеп-гимназия", "School No. 12"),
		Places: places,
		Buttons: []alert.Button{
			{ID: "button-204", Place: "room-204", Tap: quiet(alert.Help), Hold: loud(alert.Intruder)},
			{ID: "button-207", Place: "room-207", Tap: quiet(alert.Help), Hold: loud(alert.Violence)},
			{ID: "button-gym", Place: "gym", Tap: quiet(alert.Help), Hold: loud(alert.Medical)},
			{ID: "button-canteen", Place: "canteen", Tap: loud(alert.Fire)},
			{ID: "button-entrance", Place: "entrance", Tap: quiet(alert.Stranger), Hold: loud(alert.Intruder)},
		},
		Lamps: []alert.Lamp{
			{ID: "lamp-204", Place: "room-204"}, {ID: "lamp-207", Place: "room-207"},
			{ID: "lamp-gym", Place: "gym"}, {ID: "lamp-canteen", Place: "canteen"}, {ID: "lamp-entrance", Place: "entrance"},
		},
		Kinds: map[alert.Kind]alert.Text{"gas": text("Запах газа", "Газ иісі", "Smell of gas")},
		Plans: []alert.Plan{
			{Kind: alert.Violence, Level: alert.LevelEmergency, Screens: []string{"guard"}, ShowPlace: true, Lamps: true},
			{Kind: alert.MissingChild, Level: alert.LevelEmergency, Screens: []string{"*"}, ShowPlace: false, Lamps: true},
			// A mistake in a plan must not make a quiet alert public.
			{Kind: alert.Help, Level: alert.LevelHelp, Screens: []string{"*"}, ShowPlace: true, Lamps: true},
		},
	}
}

func testStats() Stats {
	return Stats{
		Links:       []LinkStats{{Name: "mqtt", Up: true, For: 4 * time.Hour}},
		Journal:     JournalStats{Durable: true, Epoch: "3f9c2a7e51d04b68", Last: 1042},
		ClockSynced: true,
	}
}

// testPINHash is the cheapest hash of testPIN that is accepted.
func testPINHash(t testing.TB) string {
	t.Helper()
	salt := []byte("saltsalt")
	key := argon2.IDKey([]byte(testPIN), salt, 1, 8192, 1, 32)
	b64 := base64.RawStdEncoding
	return "$argon2id$v=19$m=8192,t=1,p=1$" + b64.EncodeToString(salt) + "$" + b64.EncodeToString(key)
}

func newTestServer(t testing.TB, h *house, change func(*Options)) *Server {
	t.Helper()
	opt := Options{
		Site: testSite(), Source: h, Now: h.now, Desk: h, Health: &health.Registry{}, Stats: testStats, PINHash: testPINHash(t),
		Hosts: []string{"gateway.test", "example.com"}, // the browser's name and httptest's
	}
	if change != nil {
		change(&opt)
	}
	s, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func serve(t testing.TB, s *Server) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	return srv
}
