package engine

import (
	"fmt"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/press"
	"nabat/hw/point"
)

// originPoint marks what the wall itself reported.
const originPoint = "point"

func (e *Engine) gesture(g press.Gesture) {
	button, known := e.site.Button(g.Point)
	if !known {
		e.log.Error("a gesture came from a point that is not configured", "point", g.Point)
		return
	}
	now := e.clock.Now()
	status := e.points[g.Point]
	status.ID = g.Point
	switch g.Kind {
	case press.Tap:
		status.Armed, status.Active, status.LastProven = status.Fault == "", true, now
		e.raise(button, button.Tap, alert.Tap, g, now)
	case press.Hold:
		status.LastProven = now
		e.hold(button, g, now)
	case press.Released:
		status.Active, status.LastProven = false, now
	case press.Proven:
		e.proven(button, &status, now)
	case press.Faulted:
		e.pointFault(button, &status, g, now)
	case press.Restored:
		e.pointRestored(button, &status, g, now)
	}
	e.points[g.Point] = status
	e.dirty = true
}

// raise makes and acts on a press. A press while the alert of its place and
// kind is open belongs to that alert.
func (e *Engine) raise(b alert.Button, action alert.Action, gesture alert.Gesture, g press.Gesture, now alert.Stamp) {
	if action.Kind == "" {
		return
	}
	ev := e.pressEvent(alert.Raised, b, action, gesture, g, now)
	e.act(ev)
}

// hold upgrades a press: it escalates the alert that the tap raised, or raises
// one of its own if that was cleared meanwhile or is of another kind.
func (e *Engine) hold(b alert.Button, g press.Gesture, now alert.Stamp) {
	if b.Hold.Kind == "" {
		return
	}
	typ := alert.Raised
	key := alert.Key{Numbering: e.numbering, Place: b.Place, Kind: b.Hold.Kind}
	if a, ok := e.state.Alert(key); ok && a.Open() && b.Hold.Kind == b.Tap.Kind {
		typ = alert.Escalated
	}
	e.act(e.pressEvent(typ, b, b.Hold, alert.Hold, g, now))
}

func (e *Engine) pressEvent(typ alert.Type, b alert.Button, action alert.Action, gesture alert.Gesture, g press.Gesture, now alert.Stamp) alert.Event {
	e.number++
	place := e.site.Places[b.Place].In(e.site.Language)
	place.ID = b.Place
	key := alert.Key{Numbering: e.numbering, Place: b.Place, Kind: action.Kind}
	id := newID()
	if a, ok := e.state.Alert(key); ok && a.Open() {
		id = a.ID
	}
	return alert.Event{
		Type: typ, Subject: id, At: now,
		Numbering: e.numbering, Number: e.number,
		Kind: action.Kind, Level: action.Level, Status: alert.Actual,
		Place: &place, Point: b.ID, Gesture: gesture,
		PressedAt: wallOf(g.At, now), PressedMono: g.At,
		Origin: originPoint,
	}
}

// wallOf translates a moment of the monotonic clock to the wall clock of now.
func wallOf(mono time.Duration, now alert.Stamp) time.Time {
	return now.Wall.Add(mono - now.Mono)
}

func (e *Engine) pointFault(b alert.Button, status *alert.PointStatus, g press.Gesture, now alert.Stamp) {
	if status.Fault != "" && status.Fault != string(g.Fault) {
		e.health.Clear(pointCondition(status.Fault, b.ID))
	}
	lastProven := status.LastProven.Wall
	// A stuck button is pressed; of any other fault nothing is known.
	status.Armed, status.Active = false, g.Fault == point.FaultStuck
	status.Fault, status.Detail = string(g.Fault), g.Detail
	e.health.Set(pointCondition(status.Fault, b.ID), fmt.Sprintf("button %s: %s", b.ID, g.Detail))
	e.append(alert.Event{
		Type: alert.PointFault, Subject: b.ID, At: now, Point: b.ID, Place: e.location(b),
		Fault: string(g.Fault), Detail: g.Detail, LastProven: lastProven, Origin: originPoint,
	}, nil)
}

func (e *Engine) pointRestored(b alert.Button, status *alert.PointStatus, g press.Gesture, now alert.Stamp) {
	fault := status.Fault
	status.Armed, status.LastProven = true, now
	status.Fault, status.Detail = "", ""
	if fault == "" {
		return // the first good reading after start is no event
	}
	e.health.Clear(pointCondition(fault, b.ID))
	e.append(alert.Event{
		Type: alert.PointRestored, Subject: b.ID, At: now, Point: b.ID, Place: e.location(b),
		Fault: fault, Detail: g.Detail, Origin: originPoint,
	}, nil)
}

func (e *Engine) location(b alert.Button) *alert.Location {
	place := e.site.Places[b.Place].In(e.site.Language)
	place.ID = b.Place
	return &place
}

func pointCondition(fault, id string) string { return "point-" + fault + ":" + id }

// faultSilent is the engine's own fault: nothing has been heard of a point for
// so long that its reader must hang.
const faultSilent = "silent"

// silentAfter is three times the distance at which a healthy point is proven.
const silentAfter = 3 * press.ProveEvery

// silence takes points for faulty that have not been proven for too long.
func (e *Engine) silence() {
	now := e.clock.Now()
	for id, status := range e.points {
		if !status.Armed || now.Since(status.LastProven) <= silentAfter {
			continue
		}
		if b, ok := e.site.Button(id); ok {
			e.pointFault(b, &status, press.Gesture{Point: id, Fault: faultSilent, Detail: "nothing has been heard of it for minutes: its driver hangs; restart the gateway"}, now)
			e.points[id] = status
			e.dirty = true
		}
	}
}

// proven notes that a point was read without error.
func (e *Engine) proven(b alert.Button, status *alert.PointStatus, now alert.Stamp) {
	if status.Fault == faultSilent {
		e.pointRestored(b, status, press.Gesture{Point: b.ID}, now)
	}
	status.Armed, status.LastProven = status.Fault == "", now
}
