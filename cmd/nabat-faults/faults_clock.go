package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nabat/sync/dispatch/store"
)

const tenYears = 10 * 365 * 24 * time.Hour

func clockScenarios() []scenario {
	return []scenario{
		{
			name: "clock/boot-at-1970", short: true, with: shiftedClock(),
			fault:      "the gateway boots without a clock: it is 1970",
			protection: "order is by number, and dispatch corrects the times of a boot once that boot's clock is synchronised",
			without:    []change{{file: "sync/event/encode.go", old: "	if row.At.Boot != \"\" {\n", replacement: "	if row.At.Boot == \"none\" {\n"}},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
				if err != nil {
					return err
				}
				s.gateway.boot = "boot-one"
				if err := s.gateway.setClock(since1970(), false); err != nil {
					return err
				}
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				begun := time.Now()
				if err := s.gateway.press(ctx, 4); err != nil {
					return err
				}
				pressed := time.Now()
				if err := s.gateway.setClock(0, true); err != nil {
					return err
				}
				if err := s.gateway.clockIs(ctx, 0, true); err != nil {
					return err
				}
				if err := s.gateway.condition(ctx, "clock-unsynchronised", false); err != nil {
					return err
				}
				w.did("4 presses in 1970, then the clock was synchronised; dispatch was asked when they were made")
				if err := s.settle(ctx); err != nil {
					return err
				}
				return s.pressedBetween(ctx, begun.Add(-time.Second), pressed.Add(time.Second), true)
			},
		},
		{
			name: "clock/steps-of-ten-years-in-mid-queue", short: true, with: shiftedClock(),
			fault:      "the clock jumps ten years ahead, and back, while events wait",
			protection: "waits and ages are monotonic; nothing is dropped for its date",
			bare:       "what is old by its date is deleted",
			without:    deletesByDate(),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, central: true, stopped: true})
				if err != nil {
					return err
				}
				s.gateway.boot = "boot-one"
				if err := s.gateway.fill(ctx, w.times(20_000, 1000), "mqtt", "central"); err != nil {
					return err
				}
				if err := s.gateway.setClock(0, true); err != nil {
					return err
				}
				s.net.down()
				if err := s.dispatch.kill(); err != nil {
					return err
				}
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				for _, shift := range []time.Duration{tenYears, -tenYears, since1970(), 0} {
					if err := s.gateway.press(ctx, 4); err != nil {
						return err
					}
					if err := s.gateway.setClock(shift, true); err != nil {
						return err
					}
					if err := s.gateway.clockIs(ctx, shift, true); err != nil {
						return err
					}
					if shift == tenYears {
						// Time for the journal to look after what is old.
						if err := pause(ctx, 3*time.Second); err != nil {
							return err
						}
					}
				}
				if err := s.gateway.press(ctx, 4); err != nil {
					return err
				}
				if err := s.dispatch.run(ctx); err != nil {
					return err
				}
				if err := s.net.up(); err != nil {
					return err
				}
				w.did("a backlog and 20 presses while the clock stepped by +10 years, -10 years, to 1970 and back; then both links came up")
				return s.settle(ctx)
			},
		},
		{
			name: "clock/certificate-not-yet-valid", short: true, with: shiftedClock(),
			fault:      "at boot the service's certificate lies in the future; then the time service answers",
			protection: "wrong dates are tried again, not given up",
			bare:       "wrong dates are an administrator's business: no more is tried for an hour",
			without: []change{
				{file: "sync/central/reason.go", old: "	case troubleNone, troubleDown, troubleDates, troubleForeign:\n		return err\n	}\n", replacement: "	case troubleDates:\n		return fmt.Errorf(\"%w: %w\", cursor.ErrRefused, err)\n	case troubleNone, troubleDown, troubleForeign:\n		return err\n	}\n"},
				{file: "sync/cursor/runner.go", old: "	case <-r.alarm.wake:\n	case <-network:", replacement: "	case <-network:"},
				{file: "sync/cursor/backoff.go", old: "Refused: time.Minute,", replacement: "Refused: time.Hour,"},
			},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{tls: true, central: true, stopped: true})
				if err != nil {
					return err
				}
				s.gateway.boot = "boot-one"
				if err := s.gateway.setClock(since1970(), false); err != nil {
					return err
				}
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 4); err != nil {
					return err
				}
				if err := s.gateway.condition(ctx, "link-certificate", true); err != nil {
					return err
				}
				if err := s.gateway.setClock(0, true); err != nil {
					return err
				}
				w.did("4 presses in 1970 over TLS, until the gateway complained of the certificate's dates; then the clock was set")
				return s.settle(ctx)
			},
		},
	}
}

// pressedBetween asks the ended dispatch when the presses were made.
func (s *stand) pressedBetween(ctx context.Context, from, to time.Time, corrected bool) (err error) {
	db, err := store.Open(ctx, store.Options{URL: s.dispatch.database})
	if err != nil {
		return fmt.Errorf("read dispatch's database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	open, err := db.OpenAlerts(ctx)
	if err != nil {
		return fmt.Errorf("read dispatch's alerts: %w", err)
	}
	for _, a := range open {
		if a.Pressed.At.Before(from) || a.Pressed.At.After(to) || a.Pressed.Corrected != corrected {
			return fmt.Errorf("dispatch says that %s was pressed at %s (corrected: %v), it was between %s and %s",
				a.Place.ID, a.Pressed.At.Format(time.RFC3339), a.Pressed.Corrected, from.Format(time.RFC3339), to.Format(time.RFC3339))
		}
	}
	if len(open) == 0 {
		return errors.New("dispatch knows no open alert")
	}
	return nil
}
