package scaletest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/health"
	"nabat/gateway/journal"
	"nabat/sync/central"
	"nabat/sync/cursor/cursortest"
	"nabat/sync/event"
	"nabat/sync/mqtt"
)

// Cycle is after how many events a gateway's story begins anew: in each cycle
// one alert is raised, acknowledged, answered by a team and cleared, which all
// belong to the alarm lane, before routine events. The last one stays open.
const Cycle = 20

// alarms is how many events of a cycle are about its alert.
const alarms = 4

// Open returns how many alerts of a gateway with that many events are open in
// the end, and the number of its last press.
func Open(each int) (open int, number uint64) {
	if each == 0 {
		return 0, 0
	}
	return 1, uint64((each-1)/Cycle + 1)
}

// Gateway is a gateway's far half: a journal in memory that was filled while
// there was no link, and the real links that empty it. Its methods may be
// called from any goroutine.
type Gateway struct {
	Site, ID, Epoch string

	each  int
	rows  []journal.Row
	links []link
	wrong atomic.Pointer[string]

	health health.Registry
}

// link is one way out, with the position of its own in both lanes.
type link struct {
	alarm, routine *cursortest.Memory
	run            func(context.Context) error
}

// passed returns for how many of its events there is a receipt.
func (l link) passed() int { return l.alarm.Passed() + l.routine.Passed() }

// NewGateway makes a gateway with that many events in its journal, of which one
// of five is about alerts, and each of which has about 1 KiB on the wire.
func NewGateway(site, id, epoch string, each int, now time.Time) (*Gateway, error) {
	g := &Gateway{Site: site, ID: id, Epoch: epoch, each: each}
	for i := range each {
		r, err := g.row(uint64(i+1), now.Add(time.Duration(i-each)*time.Second))
		if err != nil {
			return nil, err
		}
		g.rows = append(g.rows, r)
	}
	return g, nil
}

// row makes the event with a sequence.
func (g *Gateway) row(seq uint64, at time.Time) (journal.Row, error) {
	step := (seq - 1) % Cycle
	number := (seq-1)/Cycle + 1
	e := alert.Event{
		Type: alert.PointRestored, Subject: fmt.Sprintf("button-%d", step), Point: fmt.Sprintf("button-%d", step), Origin: "point",
		Place: &alert.Location{ID: "room-204", Path: []string{"Main building", "2nd floor", "Room 204"}},
		At:    alert.Stamp{Wall: at, Boot: "7b1f5c1e-0f1d-4b9a-a2b7-6f0a5f0f7f11", Mono: time.Duration(seq) * time.Second, Synced: true},
	}
	// A cycle begins with its alert; the clear comes only where another follows.
	types := [alarms]alert.Type{alert.Raised, alert.Acknowledged, alert.Responding, alert.Cleared}
	if last := uint64((g.each-1)/Cycle + 1); step < alarms && (types[step] != alert.Cleared || number < last) {
		e.Type, e.Point = types[step], ""
		e.Subject = fmt.Sprintf("0199e6a4-5c1b-7c3e-9a57-%012d", number)
		e.Numbering, e.Number, e.Kind = g.Epoch, number, alert.Intruder
		switch step {
		case 0:
			e.Point, e.Gesture, e.Level, e.Status, e.PressedAt = "button-204", alert.Tap, alert.LevelEmergency, alert.Actual, at
		case alarms - 1:
			e.Outcome = alert.Resolved
		}
	}
	e.Detail = padding
	data, err := json.Marshal(e)
	if err != nil {
		return journal.Row{}, fmt.Errorf("make event %d of %s: %w", seq, g, err)
	}
	return journal.Row{Ref: alert.Ref{Epoch: g.Epoch, Seq: seq}, Type: e.Type, Subject: e.Subject, At: e.At, Data: data}, nil
}

// padding is what a technician may have written.
var padding = strings.Repeat("the line was read again after a gap; check the wire between the housing and the gateway. ", 4) //nolint:gochecknoglobals // a constant that cannot be written as one

// String returns SITE/GATEWAY.
func (g *Gateway) String() string { return g.Site + "/" + g.ID }

// lanes returns the gateway's journal as one link sees it.
func (g *Gateway) lanes() link {
	l := link{alarm: cursortest.NewMemory(journal.Alarm), routine: cursortest.NewMemory(journal.Routine)}
	var alarm, routine []journal.Row
	for _, r := range g.rows {
		if journal.LaneOf(r.Type) == journal.Alarm {
			alarm = append(alarm, r)
		} else {
			routine = append(routine, r)
		}
	}
	l.alarm.Append(alarm...)
	l.routine.Append(routine...)
	return l
}

// status says what still waits for a link, as the real one does: a receipt that was lost
// with a dispatch process is said again to those for whom rows wait.
func (g *Gateway) status(l link) func() event.Status {
	return func() event.Status {
		return event.Status{Epoch: g.Epoch, LastSeq: uint64(g.each), QueueDepth: uint64(g.each - l.passed())}
	}
}

// trust refuses what the journal has not written, as the real one does.
func (g *Gateway) trust(r event.Receipt) bool {
	ok := r.Epoch == g.Epoch && r.Through <= uint64(g.each)
	for _, n := range r.Above {
		ok = ok && n <= uint64(g.each)
	}
	if !ok {
		s := fmt.Sprintf("%s was given a receipt of others: %s through %d", g, r.Epoch, r.Through)
		g.wrong.Store(&s)
	}
	return ok
}

// OverMQTT adds a link with receipts. The options say where the broker is and
// who calls; the rest is the gateway's. Call it before Run.
func (g *Gateway) OverMQTT(o mqtt.Options) error {
	l := g.lanes()
	o.Site, o.Gateway, o.Alarm, o.Routine = g.Site, g.ID, l.alarm.Lane(), l.routine.Lane()
	o.Receipts, o.Trust, o.Status, o.Health = true, g.trust, g.status(l), &g.health
	o.Command = func([]byte, bool) {}
	p, err := mqtt.New(o)
	if err != nil {
		return fmt.Errorf("%s: %w", g, err)
	}
	l.run = p.Run
	g.links = append(g.links, l)
	return nil
}

// OverHTTPS adds a link to the central service, as OverMQTT does.
func (g *Gateway) OverHTTPS(o central.Options) error {
	l := g.lanes()
	o.Site, o.Gateway, o.Alarm, o.Routine = g.Site, g.ID, l.alarm.Lane(), l.routine.Lane()
	o.Trust, o.Status, o.Health = g.trust, g.status(l), &g.health
	o.Now = func() alert.Stamp { return alert.Stamp{Wall: time.Now(), Synced: true} }
	c, err := central.New(o)
	if err != nil {
		return fmt.Errorf("%s: %w", g, err)
	}
	l.run = c.Run
	g.links = append(g.links, l)
	return nil
}

// Delivered returns how many events dispatch has given a receipt for, by the
// slowest link.
func (g *Gateway) Delivered() int {
	least := g.each
	for _, l := range g.links {
		least = min(least, l.passed())
	}
	return least
}

// Check returns what went wrong: rows that were given up, or a lane that was
// not passed in its order.
func (g *Gateway) Check() error {
	var errs []error
	if s := g.wrong.Load(); s != nil {
		errs = append(errs, errors.New(*s))
	}
	for _, l := range g.links {
		for _, m := range []*cursortest.Memory{l.alarm, l.routine} {
			for ref, why := range m.Parked() {
				errs = append(errs, fmt.Errorf("%s gave up event %d: %s", g, ref.Seq, why))
			}
			for _, w := range m.Wrong() {
				errs = append(errs, fmt.Errorf("%s: %s", g, w))
			}
		}
	}
	return errors.Join(errs...)
}

// Run delivers until ctx ends.
func (g *Gateway) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make([]error, len(g.links))
	for i, l := range g.links {
		wg.Go(func() { errs[i] = l.run(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
