package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"nabat/gateway/alert"
)

// Drill says what an exercise pretends, or which one is to end.
type Drill = alert.Drill

// drillNumbering is the numbering of the presses that drills pretend. They are
// counted apart from real ones, so that an exercise and a real press at the
// same place are two alerts: whatever was accepted, escalated or cleared of
// the one says nothing about the other.
func drillNumbering(numbering string) string { return numbering + "-drill" }

// StartDrill raises an alert that is an exercise. It acts at once, and answers
// when it is recorded. None begins while a real emergency is open anywhere, or
// a real alert of the same place and kind.
func (e *Engine) StartDrill(ctx context.Context, d Drill) error {
	if err := e.checkDrill(d); err != nil {
		return err
	}
	return e.ask(ctx, fmt.Sprintf("drill %q at %q", d.Kind, d.Place), func(answer func(error)) {
		for _, a := range e.state.Open() {
			if a.Status() == alert.Actual && (a.Level() == alert.LevelEmergency || a.Kind == d.Kind && a.Key.Place == d.Place) {
				answer(fmt.Errorf("drill %q at %q: %w", d.Kind, d.Place, alert.ErrRealAlert))
				return
			}
		}
		key := alert.Key{Numbering: drillNumbering(e.numbering), Place: d.Place, Kind: d.Kind}
		id := newID()
		if a, ok := e.state.Alert(key); ok && a.Open() {
			if a.Level() >= d.Level {
				answer(fmt.Errorf("drill %q at %q: %w", d.Kind, d.Place, alert.ErrDrillRuns))
				return
			}
			id = a.ID
		}
		e.number++
		place := e.site.Places[d.Place].In(e.site.Language)
		place.ID = d.Place
		ev := alert.Event{
			Type: alert.DrillStarted, Subject: id, At: e.clock.Now(), Numbering: key.Numbering, Number: e.number,
			Kind: d.Kind, Level: d.Level, Status: alert.Exercise, Place: &place,
			Origin: d.Origin, Who: d.Who, Why: d.Why, Command: d.Command,
		}
		e.append(ev, nil)
		ev.Type = alert.Raised
		e.actThen(ev, answer)
	})
}

func (e *Engine) checkDrill(d Drill) error {
	_, place := e.site.Places[d.Place]
	switch {
	case !d.Kind.Known(slices.Collect(maps.Keys(e.site.Kinds))...):
		return fmt.Errorf("drill of kind %q: the site has no such kind: %w", d.Kind, alert.ErrDrill)
	case d.Level != alert.LevelHelp && d.Level != alert.LevelEmergency:
		return fmt.Errorf("drill of level %v: want help or emergency: %w", d.Level, alert.ErrDrill)
	case !place:
		return fmt.Errorf("drill at %q: the site has no such place: %w", d.Place, alert.ErrDrill)
	}
	return nil
}

// EndDrill ends the exercises of d's kind and place, where an empty kind or
// place means any. They are recorded as cleared first, and end then; it answers
// when all are recorded. An alert with a real press in it is never touched.
func (e *Engine) EndDrill(ctx context.Context, d Drill) error {
	return e.ask(ctx, "end of a drill", func(answer func(error)) {
		var running []alert.Alert
		for _, a := range e.state.Open() {
			if a.Status() == alert.Exercise && (d.Kind == "" || a.Kind == d.Kind) && (d.Place == "" || a.Key.Place == d.Place) {
				running = append(running, a)
			}
		}
		if len(running) == 0 {
			answer(alert.ErrNoDrill)
			return
		}
		left, worst := len(running), error(nil)
		for _, a := range running {
			e.endDrill(a, d, func(err error) {
				if worst == nil || errors.Is(err, ErrNotRecorded) {
					worst = err
				}
				if left--; left == 0 {
					answer(worst)
				}
			})
		}
	})
}

// endDrill ends one exercise. It calls then in the engine.
func (e *Engine) endDrill(a alert.Alert, d Drill, then func(error)) {
	ev := e.decision(alert.Cleared, a, alert.Decision{Number: a.Last.Number, Origin: d.Origin, Who: d.Who, Why: d.Why, Command: d.Command})
	ev.Outcome = alert.TestComplete
	e.append(ev, func(ref alert.Ref, err error) {
		if ref.Seq == 0 {
			then(verdict(ref, err))
			return
		}
		e.clear(ev)
		ended := ev
		ended.Type = alert.DrillEnded
		e.append(ended, func(ref alert.Ref, err error) { then(verdict(ref, err)) })
	})
}
