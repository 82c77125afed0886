package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	_ "modernc.org/sqlite" // the journal's engine, to spoil a row
)

func contentScenarios() []scenario {
	return []scenario{
		{
			name: "content/undecodable-row", short: true,
			fault:      "a bit flips in a row that waits",
			protection: "each row has a checksum; one that is wrong is parked and shown, the rest goes on",
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
				if err != nil {
					return err
				}
				if err := s.gateway.fill(ctx, 200, "mqtt"); err != nil {
					return err
				}
				db, err := sql.Open("sqlite", filepath.Join(s.gateway.dir, "journal.db"))
				if err != nil {
					return fmt.Errorf("spoil a row: %w", err)
				}
				_, err = db.ExecContext(ctx, "UPDATE routine SET data = replace(data, 'routine event 77', 'routine event 7%') WHERE data LIKE '%routine event 77\"%'")
				if err := errors.Join(err, db.Close()); err != nil {
					return fmt.Errorf("spoil a row: %w", err)
				}
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				if err := s.gateway.press(ctx, 10); err != nil {
					return err
				}
				w.did("one of 200 queued rows was changed behind the journal's back; 10 presses on top")
				if err := s.settle(ctx); err != nil {
					return err
				}
				if len(s.tally.lost) > 1 {
					return fmt.Errorf("%d rows did not arrive, want the damaged one at most", len(s.tally.lost))
				}
				s.tally.lost = nil
				return nil
			},
		},
		{
			name: "content/configuration-changed-with-a-backlog", short: true,
			fault:      "the configuration is changed while events wait",
			protection: "the queue belongs to the journal, not to a connection's settings",
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true})
				if err != nil {
					return err
				}
				s.net.down()
				if err := s.gateway.press(ctx, 20); err != nil {
					return err
				}
				if err := s.gateway.stop(ctx); err != nil {
					return err
				}
				// Another way to the same broker, and a second link besides.
				other, err := w.startNetwork(ctx, s.broker.address)
				if err != nil {
					return err
				}
				if s.middle, err = w.startMiddle(ctx, s.dispatch.url, s.dispatch.trust, nil); err != nil {
					return err
				}
				links := fmt.Sprintf("[mqtt]\nurl = \"mqtt://%s\"\nclient_id = \"another-name\"\n[central]\nurl = %q\ntoken_file = %q\n", other.address, s.middle.url, s.dispatch.token)
				if err := s.gateway.configure(ctx, links+s.dispatch.commandKey()); err != nil {
					return err
				}
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				w.did("20 presses without a network, then a configuration with another broker address, another client id and a second link")
				return s.settle(ctx)
			},
		},
	}
}
