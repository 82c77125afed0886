package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"nabat/gateway/alert"
)

// measureLive compares a press on its way to a subscriber with a bare publish
// of the same bytes through the same broker.
func measureLive(ctx context.Context, b *bench) (s section, err error) {
	br, err := startBroker(ctx, b)
	if err != nil {
		return s, err
	}
	defer br.stop()
	c, err := b.newChain(ctx, "live", alert.LevelHelp)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	read := make(chan time.Time, 16)
	l, err := openLink(ctx, c.store, br, "live", c.engine.Sent, func(at time.Time) { read <- at })
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, l.stop()) }()
	bare, err := newBarePublisher(br, "floor")
	if err != nil {
		return s, err
	}
	defer bare.stop()
	got, err := listen(br, "live")
	if err != nil {
		return s, err
	}
	defer got.stop()
	gotBare, err := listen(br, "floor")
	if err != nil {
		return s, err
	}
	defer gotBare.stop()

	disk, err := newBare(filepath.Join(c.dir, "floor"), 0)
	if err != nil {
		return s, err
	}
	defer disk.close()

	var floor, stored, pressed, committed, reading, travel samples
	m := &maker{now: c.clk.Now, numbering: "0123456789abcdef"}
	presses, publishes := 0, 0
	bareOne := func(ctx context.Context) error {
		e := m.alarm()
		e.Why = "" // as short as a press
		data, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encode the floor's event: %w", err)
		}
		// The second time after a bare write and sync: what any program pays
		// that keeps an event before it sends it.
		for _, into := range []*samples{&floor, &stored} {
			publishes++
			payload := wire(e, data, uint64(publishes))
			if err := pause(ctx, b.size.rest); err != nil {
				return err
			}
			begun := time.Now()
			if into == &stored {
				if err := disk.write(new(samples)); err != nil {
					return err
				}
			}
			if err := bare.publish(e.Type, payload); err != nil {
				return err
			}
			if err := gotBare.wait(ctx, publishes, answerWithin); err != nil {
				return err
			}
			into.add(gotBare.last().Sub(begun))
			if err := bare.flush(); err != nil {
				return err
			}
		}
		return nil
	}
	pressOne := func(ctx context.Context) error {
		if err := pause(ctx, b.size.rest); err != nil {
			return err
		}
		begun, answer, err := c.press(ctx, presses)
		if err != nil {
			return err
		}
		presses++
		if err := got.wait(ctx, presses, answerWithin); err != nil {
			return err
		}
		pressed.add(got.last().Sub(begun))
		committed.add(answer.at.Sub(begun))
		at := <-read // before it was sent, and so before it came
		reading.add(at.Sub(answer.at))
		travel.add(got.last().Sub(at))
		return c.release(ctx, presses-1)
	}
	repeat := func(one func(context.Context) error, s ...*samples) func(context.Context, bool) error {
		return func(ctx context.Context, first bool) error {
			for _, s := range s {
				s.begin(first)
			}
			for range b.size.presses {
				if err := one(ctx); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if err := turns(ctx, b.size.rounds, b.size.swaps, repeat(bareOne, &floor, &stored), repeat(pressOne, &pressed, &committed, &reading, &travel)); err != nil {
		return s, err
	}
	if err := errors.Join(got.check(presses), gotBare.check(publishes)); err != nil {
		return s, err
	}
	_, spread := pressed.against(&stored, 0.5)
	return section{
		title: "Press → subscriber",
		lines: []line{atMost("press → subscriber of a local mosquitto, against a bare QoS 1 publish → subscriber", 2, 0.5, &pressed, &floor)},
		how: []string{fmt.Sprintf("%d presses one after the other through gestures, engine, journal (committed first) and link in one process, to a subscriber behind Debian's mosquitto on loopback, "+
			"from the signal that makes a press certain to the subscriber's handler. The floor publishes an event of about the same bytes with QoS 1 through the same broker, with nothing stored. Before each, %s of rest: a press finds the machine idle.", presses, b.size.rest)},
		also: []string{
			fmt.Sprintf("p99 %s against %s of the floor.", nice(pressed.at(0.99)), nice(floor.at(0.99))),
			fmt.Sprintf("p50 of the parts: %s until it is committed, %s until the link has read the row, %s through link, broker and subscriber.", nice(committed.at(0.5)), nice(reading.at(0.5)), nice(travel.at(0.5))),
			fmt.Sprintf("a bare 4 KiB write + fdatasync, followed by the bare publish, takes p50 %s: what anyone pays who keeps an event before sending it. Against that the press takes %s.", nice(stored.at(0.5)), spread),
			"every press came exactly once and in order.",
		},
		hidden: []string{"a network: loopback has no delay and loses nothing; TLS; and the 10 ms of debouncing, which are not waited for."},
	}, nil
}

func listen(br *broker, gateway string) (*arrivals, error) {
	filter, err := eventsOf(gateway)
	if err != nil {
		return nil, err
	}
	return subscribe(br, "subscriber-"+gateway, filter)
}
