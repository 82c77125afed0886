package main

import (
	"context"
	"fmt"
	"time"

	"nabat/gateway/alert"
)

func loadScenarios() []scenario {
	return []scenario{
		{
			name: "load/press-behind-a-backlog", short: true,
			fault:      "a press waits behind everything that was queued before",
			protection: "alarms have a lane of their own, looked at before every single row",
			bare:       "one window for both lanes, and the older rows first",
			without: []change{
				{file: "sync/cursor/runner.go", old: "[]*queue{&r.alarm, &r.routine}", replacement: "[]*queue{&r.routine, &r.alarm}"},
				{file: "sync/cursor/runner.go", old: "		if len(q.flights) >= r.o.Window {\n			continue\n", replacement: "		if r.inFlight() >= r.o.Window {\n			continue\n"},
			},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
				if err != nil {
					return err
				}
				rows := w.times(100_000, 10_000)
				if err := s.gateway.fill(ctx, rows, "mqtt"); err != nil {
					return err
				}
				s.net.down()
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 1); err != nil {
					return err
				}
				if err := s.net.up(); err != nil {
					return err
				}
				if err := s.untilWithin(ctx, 4*time.Minute, "everything is delivered", s.empty(ctx)); err != nil {
					return err
				}
				w.did("%d routine rows queued, then one press, then the network came up", rows)
				if err := s.settle(ctx); err != nil {
					return err
				}
				list, err := s.dispatch.stored(ctx)
				if err != nil {
					return err
				}
				ahead := 0
				for _, a := range list {
					if a.urgent {
						break
					}
					ahead++
				}
				if ahead > rows/10 {
					return fmt.Errorf("the press was stored behind %d of %d routine events", ahead, rows)
				}
				w.did("%d of %d routine events were stored before it", ahead, rows)
				return nil
			},
		},
		{
			name: "load/a-week-of-retries-in-the-log", short: true,
			fault:      "the log of a long outage fills the disk",
			protection: "an outage is one line when it begins and one when it ends",
			// A week has 10,080 attempts at one a minute; here they come fast.
			with: []change{{file: "sync/cursor/backoff.go", old: "Base: time.Second, Cap: time.Minute, Urgent: 2 * time.Second,", replacement: "Base: time.Millisecond, Cap: time.Millisecond, Urgent: time.Millisecond,"}},
			without: []change{
				{file: "sync/mqtt/report.go", old: "	if r.known && r.last == t {\n", replacement: "	if r.known && r.last == t && t == troubleNone {\n"},
				{file: "sync/mqtt/report.go", old: "	if !r.limit.Allow() {\n", replacement: "	if !r.limit.Allow() && t == troubleNone {\n"},
			},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true})
				if err != nil {
					return err
				}
				s.net.down()
				if err := s.gateway.condition(ctx, "link-down", true); err != nil {
					return err
				}
				before := s.gateway.said.count()
				d := time.Duration(w.times(30, 8)) * time.Second
				if err := pause(ctx, d); err != nil {
					return err
				}
				lines := s.gateway.said.count() - before
				w.did("%s of attempts a thousand times as often as usual: %d lines in the log", d, lines)
				const most = 20
				if lines > most {
					return fmt.Errorf("%d lines in the log, want %d at most", lines, most)
				}
				if err := s.net.up(); err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 4); err != nil {
					return err
				}
				return s.settle(ctx)
			},
		},
		{
			name:       "load/boot-with-100000-rows",
			fault:      "a start reads the whole queue before anything works",
			protection: "a start reads counters and open alerts only",
			bare:       "a start looks at every row, for a millisecond each",
			without: []change{{
				file: "gateway/journal/journal.go", old: "	j.adopt(st, b)\n	if b.fresh && old != \"\" {\n",
				replacement: "	for range b.last[Routine] {\n		time.Sleep(time.Millisecond)\n	}\n	j.adopt(st, b)\n	if b.fresh && old != \"\" {\n",
			}},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
				if err != nil {
					return err
				}
				if err := s.gateway.fill(ctx, 100_000, "mqtt"); err != nil {
					return err
				}
				s.net.down()
				begun := time.Now()
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				took := time.Since(begun)
				if err := s.gateway.press(ctx, 4); err != nil {
					return err
				}
				if err := s.net.up(); err != nil {
					return err
				}
				w.did("started with 100,000 rows queued: every button armed after %s", took.Round(time.Millisecond))
				if err := s.untilWithin(ctx, 4*time.Minute, "everything is delivered", s.empty(ctx)); err != nil {
					return err
				}
				return s.settle(ctx)
			},
		},
	}
}

// refusals counts refused commands in the journal, by reason.
func (g *gateway) refusals(ctx context.Context) (map[string]uint64, error) {
	rows, err := g.journal(ctx)
	if err != nil {
		return nil, err
	}
	n := make(map[string]uint64)
	for _, r := range rows {
		if r.typ == alert.CommandRefused {
			n[r.event.Fault] += max(r.event.Count, 1)
		}
	}
	return n, nil
}
