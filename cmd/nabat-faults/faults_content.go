package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"nabat/gateway/clock"

	_ "modernc.org/sqlite" // the journal's engine, to spoil a row
)

func contentScenarios() []scenario {
	return []scenario{
		{
			name: "content/undecodable-row", short: true,
			fault:      "a bit flips in a row that waits",
			protection: "each row has a checksum; one that is wrong is parked and shown, the rest goes on",
			bare:       "the checksum is not looked at",
			without:    []change{{file: "gateway/journal/row.go", old: "	if sum := r.checksum(); w.synced&^1 != 0 || int64(sum) != w.crc {\n", replacement: "	if sum := r.checksum(); w.synced&^1 != 0 && int64(sum) != w.crc {\n"}},
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
				res, err := db.ExecContext(ctx, `UPDATE routine SET data = CAST(replace(CAST(data AS TEXT), 'routine event 77"', 'routine event 7%"') AS BLOB)
					WHERE instr(CAST(data AS TEXT), 'routine event 77"') > 0`)
				n := int64(0)
				if err == nil {
					n, err = res.RowsAffected()
				}
				if err := errors.Join(err, db.Close()); err != nil || n != 1 {
					return fmt.Errorf("spoil a row: %d rows were changed: %w", n, err)
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
				list, err := s.dispatch.stored(ctx)
				if err != nil {
					return err
				}
				for _, a := range list {
					if strings.Contains(a.data, "routine event 7%") {
						return fmt.Errorf("the damaged row %s was delivered as if it were whole", a.id)
					}
				}
				return s.onlyParkedLost(1)
			},
		},
		{
			name: "content/configuration-changed-with-a-backlog", short: true,
			fault:      "the configuration is changed while events wait",
			protection: "the queue belongs to the journal, not to a connection's settings",
			bare:       "the place in the queue belongs to the address of the connection; a new one begins with what comes next",
			without: []change{
				{file: "cmd/nabat/link.go", old: "const mqttConsumer = \"mqtt\"\n", replacement: "var mqttConsumer = \"mqtt\"\n"},
				{file: "cmd/nabat/link.go", old: "	if g.config.MQTT.Enabled {\n		list = append(list, mqttConsumer)\n", replacement: "	if g.config.MQTT.Enabled {\n		mqttConsumer = \"mqtt-\" + g.config.MQTT.Host\n		list = append(list, mqttConsumer)\n"},
				{file: "gateway/journal/book.go", old: "		m.pos = max(b.first[k.lane]-1, 0)\n", replacement: "		m.pos = b.last[k.lane]\n"},
			},
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
		{
			name: "content/oversize", short: true,
			fault:      "the broker hangs up on an event that is larger than it takes, each time",
			protection: "an unusually large event that ended three sessions is parked and shown, the rest goes on",
			bare:       "it is sent until the broker takes it",
			without:    []change{{file: "sync/mqtt/session.go", old: "	case s.p.strikes[row.Ref] >= maxStrikes:\n", replacement: "	case s.p.strikes[row.Ref] >= 1<<20:\n"}},
			run:        oversize,
		},
	}
}

// oversize queues one event that is larger than the broker takes.
func oversize(ctx context.Context, w *world) error {
	s, err := w.stand(ctx, ways{mqtt: true, stopped: true})
	if err != nil {
		return err
	}
	clk, err := clock.NewSystem()
	if err != nil {
		return err
	}
	const rows = 200
	if err := s.gateway.fillWith(ctx, rows, clk.Now, func(i int) string {
		if i == rows/2 {
			return strings.Repeat("x", brokerLimit)
		}
		return fmt.Sprintf("routine event %d", i)
	}, "mqtt"); err != nil {
		return err
	}
	if err := s.gateway.run(ctx); err != nil {
		return err
	}
	if err := s.gateway.press(ctx, 10); err != nil {
		return err
	}
	w.did("200 rows queued, one of them of more than %d bytes, at which the broker hangs up; 10 presses on top", brokerLimit)
	if err := s.delivered(ctx); err != nil {
		return err
	}
	if err := s.parked(ctx, 1); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	return s.onlyParkedLost(1)
}

// parked checks how many rows were parked.
func (s *stand) parked(ctx context.Context, want int64) error {
	st, err := s.gateway.client.Status(ctx)
	if err != nil {
		return err
	}
	n := int64(0)
	for _, q := range st.Queue {
		n += q.Parked
	}
	if n != want {
		return fmt.Errorf("%d rows were parked, want %d", n, want)
	}
	return nil
}

// onlyParkedLost checks that nothing but parked rows is lost: they stand in the
// journal, with the reason, and a person is told.
func (s *stand) onlyParkedLost(want int) error {
	if len(s.tally.lost) != want {
		return fmt.Errorf("%d rows did not arrive, want the %d that were parked", len(s.tally.lost), want)
	}
	s.tally.lost = nil
	s.did("of the queued rows %d was parked and shown, all others arrived", want)
	return nil
}
