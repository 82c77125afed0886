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
// browser has drawn it.
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
	page, err := openPage(ctx, b, "http://"+address+"/lobby")
	if err != nil {
		return s, err
	}
	defer page.close()

	var frames, painted samples
	off, within, err := page.offset(ctx)
	if err != nil {
		return s, err
	}
	for i := range b.size.paints {
		// Presses come at any moment between two frames.
		if err := pause(ctx, time.Duration(50+i*7%50)*time.Millisecond); err != nil {
			return s, err
		}
		frame, err := page.twoFrames(ctx)
		if err != nil {
			return s, err
		}
		frames.add(frame)
		took, err := pressAndClear(ctx, c, page, i, off)
		if err != nil {
			return s, err
		}
		painted.add(took)
	}
	after, _, err := page.offset(ctx)
	if err != nil {
		return s, err
	}
	return section{
		title: "Event → painted on the lobby page",
		lines: []line{{
			figure: "event → painted on the lobby page in Chromium, floor: two frames of that browser", target: "reported",
			floor:    fmt.Sprintf("p50 %s, p99 %s", nice(frames.at(0.5)), nice(frames.at(0.99))),
			measured: fmt.Sprintf("p50 %s, p99 %s", nice(painted.at(0.5)), nice(painted.at(0.99))),
			ratio:    fmt.Sprintf("%.2f × at p50", float64(painted.at(0.5))/float64(frames.at(0.5))),
		}},
		how: []string{
			fmt.Sprintf("%d emergencies, each pressed and then cleared, on a full-screen lobby page (1920 × 1080) in Debian's Chromium without a window: from the signal that makes the press certain to the mark that the page sets two frames after it drew. "+
				"The floor asks the same page for two frames and does nothing else.", painted.count()),
			fmt.Sprintf("The page's clock is compared with ours before (within %s) and after (it moved by %s).", nice(within), nice((after - off).Abs())),
		},
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
