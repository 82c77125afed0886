package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/clock"
	"nabat/gateway/engine"
	"nabat/gateway/press"
	"nabat/hw/point"
)

// chain is the way of a press inside one process: gestures, engine, journal.
type chain struct {
	*store
	dir     string // of the journal
	clk     *clock.System
	engine  *engine.Engine
	site    *alert.Site
	signals chan point.Signal
	answers chan answer
	cancel  context.CancelFunc
	ended   chan error
	// at is the time in the signals. It runs ahead of the clock, because a
	// measurement does not wait for the debouncing of every press.
	at time.Duration
}

// buttons is how many buttons the wall of a chain has.
const buttons = 16

func buttonID(i int) string { return fmt.Sprintf("button-%d", i%buttons) }
func roomID(i int) string   { return fmt.Sprintf("room-%d", i%buttons) }

// newChain runs gestures and engine over an empty journal in a folder of its
// own, which name begins. level is what a tap asks for.
func (b *bench) newChain(ctx context.Context, name string, level alert.Level) (*chain, error) {
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	clk, err := clock.NewSystem()
	if err != nil {
		return nil, err
	}
	s, err := openStore(ctx, dir, clk.Now)
	if err != nil {
		return nil, err
	}
	c := &chain{
		store: s, dir: dir, clk: clk, site: wallOfButtons(level),
		signals: make(chan point.Signal), answers: make(chan answer, 1024), ended: make(chan error, 2),
	}
	state, saved := s.Recorded()
	eng, err := engine.New(engine.Options{
		Site: c.site, Journal: watched{s, c.answers}, Clock: clk, Numbering: s.Epoch(), State: state, Saved: saved,
	})
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	c.engine = eng
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	go func() { c.ended <- eng.Run(run) }()
	go func() { c.ended <- press.Run(run, c.signals, eng.Gesture) }()
	c.at = clock.Monotonic()
	for i := range buttons {
		c.signals <- point.Signal{Point: buttonID(i), Change: point.Inactive, At: c.at, Settled: true, Initial: true}
	}
	return c, nil
}

// stop ends gestures, engine and journal.
func (c *chain) stop() error {
	c.cancel()
	return errors.Join(<-c.ended, <-c.ended, c.store.stop())
}

// watched is a journal whose answers are seen on their way to the engine.
type watched struct {
	engine.Journal
	answers chan<- answer
}

// Append appends, and tells both when it is committed.
func (w watched) Append(e alert.Event, done func(alert.Ref, error)) {
	w.Journal.Append(e, func(ref alert.Ref, err error) {
		w.answers <- answer{ref, time.Now(), err}
		done(ref, err)
	})
}

// press presses button i and lets it go. Between the two times lies the way
// from the signal that makes the press certain to its commit.
func (c *chain) press(ctx context.Context, i int) (begun time.Time, committed answer, err error) {
	id := buttonID(i)
	c.at += 100 * time.Millisecond
	if err := c.signal(ctx, point.Signal{Point: id, Change: point.Active, At: c.at}); err != nil {
		return begun, committed, err
	}
	begun = time.Now()
	if err := c.signal(ctx, point.Signal{Point: id, Change: point.Active, At: c.at + press.Debounce, Settled: true}); err != nil {
		return begun, committed, err
	}
	select {
	case committed = <-c.answers:
		err = committed.err
	case <-ctx.Done():
		err = ctx.Err()
	}
	return begun, committed, err
}

// release lets button i go.
func (c *chain) release(ctx context.Context, i int) error {
	c.at += 100 * time.Millisecond
	return errors.Join(
		c.signal(ctx, point.Signal{Point: buttonID(i), Change: point.Inactive, At: c.at}),
		c.signal(ctx, point.Signal{Point: buttonID(i), Change: point.Inactive, At: c.at + press.Debounce, Settled: true}))
}

func (c *chain) signal(ctx context.Context, s point.Signal) error {
	select {
	case c.signals <- s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wallOfButtons is a school of which every room has a button.
func wallOfButtons(tap alert.Level) *alert.Site {
	s := &alert.Site{ID: "school-12", Gateway: "main", Language: alert.English, Places: make(map[string]alert.Place)}
	for i := range buttons {
		room := roomID(i)
		s.Places[room] = alert.Place{ID: room, Path: []alert.Text{{EN: "Main building"}, {EN: "2nd floor"}, {EN: fmt.Sprintf("Room %d", i)}}}
		s.Buttons = append(s.Buttons, alert.Button{
			ID: buttonID(i), Place: room,
			Tap:  alert.Action{Kind: alert.Intruder, Level: tap},
			Hold: alert.Action{Kind: alert.Intruder, Level: alert.LevelEmergency},
		})
	}
	return s
}
