package sms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/cursor/cursortest"
	"nabat/sync/sms"
	"nabat/sync/sms/modemtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that must happen.
const patience = time.Minute

func site() *alert.Site {
	return &alert.Site{
		ID: "school-12", Gateway: "main", Language: alert.Russian,
		Name: alert.Text{RU: "Школа № 12", KK: "№ 12 мектеп", EN: "School No. 12"},
		Places: map[string]alert.Place{"room-204": {ID: "room-204", Path: []alert.Text{
			{RU: "Главный корпус", KK: "Бас ғимарат", EN: "Main building"},
			{RU: "Кабинет 204", KK: "204-кабинет", EN: "Room 204"},
		}}},
	}
}

func contacts() []sms.Contact {
	return []sms.Contact{
		{ID: "head-ru", Role: "head", Number: "+77010000001", Language: alert.Russian},
		{ID: "head-kk", Role: "head", Number: "+77010000002", Language: alert.Kazakh},
		{ID: "guard", Role: "second-channel", Number: "+77010000003", Language: alert.English},
	}
}

// logbook keeps what was logged, to look for what must not be there.
type logbook struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func stamp() alert.Stamp {
	return alert.Stamp{Wall: time.Date(2026, 11, 21, 8, 15, 0, 0, time.Local), Boot: "b1", Mono: time.Hour, Synced: true}
}

// rig is a deliverer with a lane, a clock that tests move, and a modem.
type rig struct {
	t      *testing.T
	o      sms.Options
	modem  *modemtest.Modem
	lane   *cursortest.Memory
	health *health.Registry
	log    *logbook
	d      *sms.Deliverer
	stop   func()

	mu    sync.Mutex // guards the fields below
	now   alert.Stamp
	state alert.State
	seq   uint64
}

func newRig(t *testing.T, change ...func(*sms.Options)) *rig {
	t.Helper()
	r := &rig{
		t: t, modem: modemtest.New(t), lane: cursortest.NewMemory(journal.Alarm), health: &health.Registry{}, log: &logbook{},
		now: stamp(),
	}
	r.o = sms.Options{
		Site: site(), Contacts: contacts(), Device: r.modem.Device(), PerHour: 100, Stale: 10 * time.Minute,
		Path: filepath.Join(t.TempDir(), "sms.db"), Alarms: r.lane.Lane(), Alert: r.alert, Now: r.clock, Health: r.health,
		Log: slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Timing: sms.Timing{
			Command: 20 * time.Second, Submit: time.Minute, Settle: time.Millisecond, Poll: 50 * time.Millisecond,
			Register: 10 * time.Millisecond, Reopen: 10 * time.Millisecond, Again: 10 * time.Millisecond, Grace: time.Millisecond,
		},
	}
	for _, c := range change {
		c(&r.o)
	}
	t.Cleanup(func() {
		r.end()
		for _, w := range r.lane.Wrong() {
			t.Error(w)
		}
		for _, c := range r.o.Contacts {
			if strings.Contains(r.log.text.String(), strings.TrimPrefix(c.Number, "+")) {
				t.Errorf("the number of %s is in the log:\n%s", c.ID, r.log.text.String())
			}
		}
		if t.Failed() {
			t.Log(r.log.text.String())
		}
	})
	return r
}

func (r *rig) start() {
	r.t.Helper()
	var err error
	r.d, err = sms.New(r.o)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.d.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Error("Run:", err)
		}
	}
}

func (r *rig) end() {
	if r.stop != nil {
		r.stop()
		r.stop = nil
	}
}

func (r *rig) clock() alert.Stamp {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

// pass lets time go by.
func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now.Mono += d
	r.now.Wall = r.now.Wall.Add(d)
}

func (r *rig) alert(id string) (alert.Alert, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.Find(id)
}

// happen makes an event, folds it and commits it to the lane.
func (r *rig) happen(typ alert.Type, id string, number uint64, change ...func(*alert.Event)) alert.Ref {
	r.t.Helper()
	r.mu.Lock()
	e := alert.Event{
		Type: typ, Subject: id, At: r.now, Numbering: "e1", Number: number, Kind: alert.Intruder, Level: alert.LevelEmergency,
		Status: alert.Actual, Place: &alert.Location{ID: "room-204", Path: []string{"Главный корпус", "Кабинет 204"}},
	}
	for _, c := range change {
		c(&e)
	}
	r.state = r.state.Next(e)
	r.seq++
	ref := alert.Ref{Epoch: "e1", Seq: r.seq}
	r.mu.Unlock()
	r.lane.Append(row(r.t, ref, e))
	return ref
}

func row(t *testing.T, ref alert.Ref, e alert.Event) journal.Row {
	t.Helper()
	data, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return journal.Row{Ref: ref, Type: e.Type, Subject: e.Subject, At: e.At, Data: data}
}

func to(role string) func(*alert.Event) {
	return func(e *alert.Event) { e.To, e.Step, e.Plan = role, 1, alert.LevelEmergency }
}

func with(s alert.Status) func(*alert.Event) {
	return func(e *alert.Event) { e.Status = s }
}

func outcome(o alert.Outcome) func(*alert.Event) {
	return func(e *alert.Event) { e.Outcome = o }
}

// until waits until ok holds.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("not in time: %s; messages %v, conditions %v, %+v", what, r.modem.Messages(), r.health.List(), r.d.Stats())
		}
	}
}

func (r *rig) condition(name string) bool {
	for _, c := range r.health.List() {
		if c.Name == name {
			return true
		}
	}
	return false
}

// idle waits until everything that was committed has been dealt with.
func (r *rig) idle() {
	r.t.Helper()
	r.until("all is dealt with", func() bool {
		return r.lane.Passed() == int(r.seq) && r.d.Stats() == sms.Stats{Ready: true}
	})
}

// came returns what came to a number.
func (r *rig) came(number string) []string {
	var texts []string
	for _, m := range r.modem.Messages() {
		if m.Number == number {
			texts = append(texts, m.Text)
		}
	}
	return texts
}

// expect waits for exactly these messages in any order.
func (r *rig) expect(want map[string][]string) {
	r.t.Helper()
	total := 0
	for _, texts := range want {
		total += len(texts)
	}
	r.until(fmt.Sprintf("%d messages", total), func() bool { return len(r.modem.Messages()) >= total })
	r.idle()
	for _, m := range r.modem.Messages() {
		if len(want[m.Number]) == 0 {
			r.t.Errorf("unexpected message to %s: %q", m.Number, m.Text)
		}
	}
	for number, texts := range want {
		if got := r.came(number); fmt.Sprint(got) != fmt.Sprint(texts) {
			r.t.Errorf("to %s came\n%q, want\n%q", number, got, texts)
		}
	}
}
