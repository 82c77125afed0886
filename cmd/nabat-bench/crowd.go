package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"nabat/gateway/alert"
)

// calm is the rest before each press: longer than the time for which a stream
// gathers changes, because both sides of the comparison would wait for it.
const calm = 50 * time.Millisecond

// measureCrowd compares how long a press takes to the slowest of many lobby
// screens with how long it takes to one.
func measureCrowd(ctx context.Context, b *bench) (s section, err error) {
	c, err := b.newChain(ctx, "crowd", alert.LevelEmergency)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	c.site.Screens = unlike(b.size.screens)
	address, stop, err := servePages(ctx, c)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	var one, last, each samples
	presses := 0
	// turn opens screens, presses, and notes how long it took to the slowest.
	turn := func(screens int, slowest, every *samples) func(context.Context, bool) error {
		return func(ctx context.Context, first bool) error {
			slowest.begin(first)
			crowd, err := openScreens(ctx, address, screens)
			if err != nil {
				return err
			}
			for range b.size.presses {
				if err := pause(ctx, calm); err != nil {
					return errors.Join(err, crowd.close())
				}
				presses++
				times, err := crowd.press(ctx, c, presses)
				if err != nil {
					return errors.Join(err, crowd.close())
				}
				worst := times[0]
				for _, t := range times {
					worst = max(worst, t)
					every.add(t)
				}
				slowest.add(worst)
			}
			return crowd.close()
		}
	}
	if err := turns(ctx, b.size.rounds, b.size.crowds, turn(1, &one, new(samples)), turn(b.size.screens, &last, &each)); err != nil {
		return s, err
	}
	return section{
		title: "Many lobby screens",
		lines: []line{atMost(fmt.Sprintf("press → the slowest of %d lobby screens has it, floor: one screen", b.size.screens), 3, 0.99, &last, &one)},
		how: []string{fmt.Sprintf("%d emergencies with one screen and as many with %d, in turns: from the signal that makes the press certain until the last screen has read the whole event of its stream over loopback; each is cleared before the next. The screens are of three zones and two orders of languages.",
			one.count(), b.size.screens)},
		also: []string{
			fmt.Sprintf("p50: %s to the slowest of %d, %s with one.", nice(last.at(0.5)), b.size.screens, nice(one.at(0.5))),
			fmt.Sprintf("Of all streams together: p50 %s, p99 %s.", nice(each.at(0.5)), nice(each.at(0.99))),
		},
		hidden: []string{"painting: each screen has a machine of its own, and one page's painting is the figure above."},
	}, nil
}

// unlike are screens of several zones and languages, as a school has them: what
// all show alike may be made once, what they show differently may not.
func unlike(n int) []alert.Screen {
	list := make([]alert.Screen, n)
	for i := range list {
		list[i].ID = fmt.Sprintf("s-%d", i)
		list[i].Zones = [][]string{nil, {"north"}, {"south"}}[i%3]
		list[i].Languages = [][]alert.Language{{alert.Russian, alert.Kazakh, alert.English}, {alert.Kazakh, alert.Russian}}[i%2]
	}
	return list
}

// screens are streams of lobby pages, read by one goroutine each.
type screens struct {
	close func() error
	heard chan seen
	count int
}

// seen is one state that a stream has read whole.
type seen struct {
	at    time.Time
	alert bool // it shows an alert
	err   error
}

func openScreens(ctx context.Context, address string, n int) (*screens, error) {
	run, cancel := context.WithCancel(ctx)
	s := &screens{heard: make(chan seen, 8*n), count: n}
	transport := &http.Transport{}
	done := make(chan struct{}, n)
	s.close = func() error {
		cancel()
		for range n {
			<-done
		}
		transport.CloseIdleConnections()
		return nil
	}
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			if err := s.listen(run, transport, fmt.Sprintf("http://%s/api/v1/events?audience=lobby&screen=s-%d", address, i)); err != nil && run.Err() == nil {
				s.heard <- seen{err: err}
			}
		}()
	}
	if _, err := s.all(ctx, false); err != nil { // each begins with a calm state
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// listen reads one stream and tells of each state.
func (s *screens) listen(ctx context.Context, transport http.RoundTripper, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("open a lobby stream: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("open a lobby stream: %s: %w", resp.Status, errWrong)
	}
	state := false
	// Lines are read in place: what the listeners leave behind would be swept up
	// while the next press is measured.
	r := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		line, err := r.ReadSlice('\n')
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("a lobby stream ended: %w", errWrong)
		}
		if err != nil {
			return fmt.Errorf("read a lobby stream: %w", err)
		}
		switch {
		case bytes.HasPrefix(line, []byte("event:")):
			state = bytes.Contains(line, []byte("state"))
		case state && bytes.HasPrefix(line, []byte("data:")):
			s.heard <- seen{at: time.Now(), alert: !bytes.Contains(line, []byte(`"cards":[]`))}
		}
	}
}

// all waits until every stream has said once whether there is an alert.
func (s *screens) all(ctx context.Context, want bool) ([]seen, error) {
	list := make([]seen, 0, s.count)
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for len(list) < s.count {
		select {
		case got := <-s.heard:
			switch {
			case got.err != nil:
				return nil, got.err
			case got.alert == want:
				list = append(list, got)
			}
		case <-limit.C:
			return nil, fmt.Errorf("%d of %d screens heard of it within %v: %w", len(list), s.count, patience, errWrong)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return list, nil
}

// press presses, waits until all screens know, clears, and waits again.
func (s *screens) press(ctx context.Context, c *chain, i int) ([]time.Duration, error) {
	begun, _, err := c.press(ctx, i)
	if err != nil {
		return nil, err
	}
	heard, err := s.all(ctx, true)
	if err != nil {
		return nil, err
	}
	if err := c.release(ctx, i); err != nil {
		return nil, err
	}
	open := c.engine.View().State.Open()
	if len(open) != 1 {
		return nil, fmt.Errorf("%d alerts are open after a press: %w", len(open), errWrong)
	}
	if err := c.engine.Clear(ctx, alert.Decision{Alert: open[0].ID, Number: open[0].Last.Number, Outcome: alert.Resolved}); err != nil {
		return nil, fmt.Errorf("clear: %w", err)
	}
	<-c.answers // of the clear
	if _, err := s.all(ctx, false); err != nil {
		return nil, err
	}
	times := make([]time.Duration, len(heard))
	for i, h := range heard {
		times[i] = h.at.Sub(begun)
	}
	return times, nil
}
