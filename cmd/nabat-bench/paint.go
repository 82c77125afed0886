package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"nabat/gateway/alert"
	"nabat/gateway/web"
)

// measurePaint measures how long a press takes until the lobby page of a real
// browser has drawn it, against a page that a bare server feeds.
func measurePaint(ctx context.Context, b *bench) (s section, err error) {
	c, err := b.newChain(ctx, "paint", alert.LevelEmergency)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	address, stop, err := servePages(ctx, c)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	bare, err := serveBareSSE(ctx)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, bare.stop()) }()
	lobby, err := openPage(ctx, b, "http://"+address+"/lobby")
	if err != nil {
		return s, err
	}
	defer lobby.close()
	floorPage, err := openPage(ctx, b, "http://"+bare.address+"/")
	if err != nil {
		return s, err
	}
	defer floorPage.close()
	if err := until(ctx, patience, "the floor's page listens", func() (bool, error) { return bare.count() > 0, nil }); err != nil {
		return s, err
	}

	var floor, painted, frames samples
	presses := 0
	// Pages begin each turn with their clocks compared anew.
	var off, offFloor, within time.Duration
	one := func(first bool, p *page, ahead *time.Duration, into *samples) (err error) {
		into.begin(first)
		if first {
			if *ahead, within, err = p.offset(ctx); err != nil {
				return err
			}
		}
		presses++ // presses come at any moment between two frames
		return pause(ctx, time.Duration(50+presses*7%50)*time.Millisecond)
	}
	bareOne := func(ctx context.Context, first bool) error {
		for _, word := range []string{"Room 204", ""} { // it comes and goes, as an alert does
			if err := one(first && word != "", floorPage, &offFloor, &floor); err != nil {
				return err
			}
			if err := floorPage.expect(ctx); err != nil {
				return err
			}
			begun := bare.say(word)
			at, _, err := floorPage.painted(ctx)
			if err != nil {
				return err
			}
			if word != "" {
				floor.add(at.Sub(begun) - offFloor)
			}
		}
		return nil
	}
	ours := func(ctx context.Context, first bool) error {
		if err := one(first, lobby, &off, &painted); err != nil {
			return err
		}
		took, err := pressAndClear(ctx, c, lobby, presses, off)
		if err != nil {
			return err
		}
		painted.add(took)
		frame, err := lobby.twoFrames(ctx)
		frames.add(frame)
		return err
	}
	if err := turns(ctx, b.size.rounds, b.size.paints, bareOne, ours); err != nil {
		return s, err
	}
	return section{
		title: "Press → painted on the lobby page",
		lines: []line{atMost("press → painted on the lobby page in Chromium, floor: a page fed by a bare server of events", 1.5, 0.99, &painted, &floor)},
		how: []string{
			fmt.Sprintf("%d emergencies, each pressed and then cleared, on a full-screen lobby page (1920 × 1080) in Debian's Chromium without a window: from the signal that makes the press certain to the mark that the page sets two frames after it drew. "+
				"Floor, in turns: a server that does nothing but hand one word to a page, from the call to the mark of the same kind, in a Chromium of its own.", painted.count()),
			fmt.Sprintf("The pages' clocks are compared with ours at the start of each turn (within %s).", nice(within)),
		},
		also:   []string{fmt.Sprintf("p50: ours %s, floor %s; two frames of that browser take p50 %s, p99 %s.", nice(painted.at(0.5)), nice(floor.at(0.5)), nice(frames.at(0.5)), nice(frames.at(0.99)))},
		hidden: []string{"the monitor itself, a graphics card (Chromium draws in software here), and a network."},
	}, nil
}

// pressAndClear returns how long a press took to the page, and then clears it.
func pressAndClear(ctx context.Context, c *chain, page *page, i int, off time.Duration) (time.Duration, error) {
	if err := page.expect(ctx); err != nil {
		return 0, err
	}
	begun, _, err := c.press(ctx, i)
	if err != nil {
		return 0, err
	}
	at, cards, err := page.painted(ctx)
	if err != nil {
		return 0, err
	}
	if cards != 1 {
		return 0, fmt.Errorf("the page shows %d alerts after a press: %w", cards, errWrong)
	}
	if err := c.release(ctx, i); err != nil {
		return 0, err
	}
	open := c.engine.View().State.Open()
	if len(open) != 1 {
		return 0, fmt.Errorf("%d alerts are open after a press: %w", len(open), errWrong)
	}
	if err := page.expect(ctx); err != nil {
		return 0, err
	}
	err = c.engine.Clear(ctx, alert.Decision{Alert: open[0].ID, Number: open[0].Last.Number, Outcome: alert.Resolved})
	if err != nil {
		return 0, fmt.Errorf("clear: %w", err)
	}
	<-c.answers // of the clear
	if _, cards, err = page.painted(ctx); err == nil && cards != 0 {
		err = fmt.Errorf("the page shows %d alerts after the clear: %w", cards, errWrong)
	}
	return at.Sub(begun) - off, err
}

// servePages serves the gateway's pages on a port of loopback.
func servePages(ctx context.Context, c *chain) (address string, stop func() error, err error) {
	server, err := web.New(web.Options{Site: c.site, Source: c.engine, Now: c.clk.Now, Desk: c.engine})
	if err != nil {
		return "", nil, fmt.Errorf("make the pages: %w", err)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the browser: %w", err)
	}
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- server.Serve(run, ln) }()
	return ln.Addr().String(), func() error { cancel(); return <-served }, nil
}
