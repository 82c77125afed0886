package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"nabat/gateway/alert"
	"nabat/sync/event"
)

// offlineForMonths queues rows of an earlier boot that are older than what is
// kept of delivered ones.
func offlineForMonths() scenario {
	return scenario{
		name: "power/offline-for-months", short: true,
		fault:      "a gateway is switched on again after four months, with a queue from before",
		protection: "what was not delivered is never deleted for its age",
		bare:       "what is old by its date is deleted",
		without:    deletesByDate(),
		run: func(ctx context.Context, w *world) error {
			s, err := w.stand(ctx, ways{mqtt: true, central: true, stopped: true})
			if err != nil {
				return err
			}
			begun, old := time.Now(), time.Now().AddDate(0, -4, 0)
			if err := s.gateway.fillWith(ctx, w.times(5000, 500), func() alert.Stamp {
				d := time.Since(begun)
				return alert.Stamp{Wall: old.Add(d).UTC(), Boot: "boot-of-spring", Mono: time.Hour + d, Synced: true}
			}, func(i int) string { return fmt.Sprintf("routine event %d", i) }, "mqtt", "central"); err != nil {
				return err
			}
			s.net.down()
			if err := s.dispatch.kill(); err != nil {
				return err
			}
			if err := s.gateway.run(ctx); err != nil {
				return err
			}
			// Long enough for the journal to look after what is too old.
			if err := s.gateway.press(ctx, 4); err != nil {
				return err
			}
			if err := pause(ctx, 3*time.Second); err != nil {
				return err
			}
			if err := s.dispatch.run(ctx); err != nil {
				return err
			}
			if err := s.net.up(); err != nil {
				return err
			}
			w.did("rows of an earlier boot, four months old, 4 presses, then both links came up")
			return s.settle(ctx)
		},
	}
}

// restartedTwice looks at the wire: dispatch would hide repetitions.
func restartedTwice() scenario {
	return scenario{
		name: "power/restarted-twice", short: true,
		fault:      "each restart sends everything again (floods of duplicates)",
		protection: "the cursor stands in the journal, and dispatch's retained receipt says what need not come again",
		bare:       "the cursor lives in memory, receipts count for nothing",
		without: append(withoutReceipts(),
			change{file: "gateway/journal/write.go", old: "	for k, pos := range marks {\n		if _, err", replacement: "	for k, pos := range map[cursorKey]int64{} {\n		if _, err"}),
		run: func(ctx context.Context, w *world) error {
			s, err := w.stand(ctx, ways{mqtt: true})
			if err != nil {
				return err
			}
			seen, err := s.watchWire()
			if err != nil {
				return err
			}
			for range 2 {
				if err := s.gateway.press(ctx, 10); err != nil {
					return err
				}
				if err := s.delivered(ctx); err != nil {
					return err
				}
				if err := s.gateway.restart(ctx); err != nil {
					return err
				}
				if err := s.linked(ctx); err != nil {
					return err
				}
			}
			if err := s.settle(ctx); err != nil {
				return err
			}
			all, again := seen.alarms()
			w.did("20 presses delivered, with two restarts (SIGTERM): %d alarms on the wire, %d of them more than once", all, again)
			if again > 0 {
				return fmt.Errorf("%d of %d alarms were sent more than once, although they had been delivered before the restart", again, all)
			}
			return nil
		},
	}
}

// wire counts what passes through the broker.
type wire struct {
	mu  sync.Mutex // guards ids
	ids map[string]int
}

// watchWire listens to every alarm at the broker until the world ends.
func (s *stand) watchWire() (*wire, error) {
	w := &wire{ids: make(map[string]int)}
	c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + s.broker.address).SetClientID("watcher").SetConnectTimeout(5 * time.Second))
	if t := c.Connect(); !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		return nil, fmt.Errorf("connect to the broker: %w", t.Error())
	}
	s.atEnd(func() error { c.Disconnect(100); return nil })
	t := c.Subscribe("nabat/1/+/+/event/#", 1, func(_ paho.Client, m paho.Message) {
		e, err := event.Decode(m.Payload())
		if err != nil || !e.Type.Urgent() {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.ids[e.ID()]++
	})
	if !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		return nil, fmt.Errorf("listen at the broker: %w", t.Error())
	}
	return w, nil
}

// alarms returns how many alarms passed, and how many of them more than once.
func (w *wire) alarms() (all, again int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.ids {
		if n > 1 {
			again++
		}
	}
	return len(w.ids), again
}

// killedInMigration kills dispatch while it makes its tables, which is where a
// newer program spends its first start.
func killedInMigration() scenario {
	const split = "strings.SplitAfter(steps[v-1]+\"\\nPRAGMA user_version = \"+strconv.Itoa(v), \";\\n\")"
	slow := change{ // so that a kill meets it
		file: "sync/dispatch/store/sqlite.go", old: "			if _, err := l.conn.ExecContext(ctx, steps[v-1]+\"\\nPRAGMA user_version = \"+strconv.Itoa(v)); err != nil {\n				return fmt.Errorf(\"schema step %d: %w\", v, err)\n			}\n",
		replacement: "			for _, part := range " + split + " {\n				if _, err := l.conn.ExecContext(ctx, part); err != nil {\n					return fmt.Errorf(\"schema step %d: %w\", v, err)\n				}\n				time.Sleep(20 * time.Millisecond)\n			}\n",
	}
	return scenario{
		name:       "power/killed-in-a-migration",
		fault:      "dispatch is killed while it changes its tables to a newer form",
		protection: "every step, with its number, is one transaction",
		bare:       "each statement for itself",
		with:       []change{slow, {file: "sync/dispatch/store/sqlite.go", old: "	\"strconv\"\n", replacement: "	\"strconv\"\n	\"strings\"\n"}},
		without: []change{
			{file: "sync/dispatch/store/sqlite.go", old: "	if _, err := l.conn.ExecContext(ctx, \"BEGIN IMMEDIATE\"); err != nil {\n		return fmt.Errorf(\"begin: %w\", err)\n	}\n", replacement: ""},
			{file: "sync/dispatch/store/sqlite.go", old: "		_, err := l.conn.ExecContext(ctx, \"COMMIT\")\n		return err\n	}()\n", replacement: "		return nil\n	}()\n"},
		},
		run: func(ctx context.Context, w *world) error {
			s, err := w.stand(ctx, ways{central: true, stopped: true})
			if err != nil {
				return err
			}
			if err := s.dispatch.stop(ctx); err != nil {
				return err
			}
			kills := w.times(8, 4)
			for i := range kills {
				if err := s.dispatch.forgetTables(); err != nil {
					return err
				}
				// The tables take half a second at least.
				if err := s.dispatch.killSoon(ctx, time.Duration(40+40*i)*time.Millisecond); err != nil {
					return err
				}
				if err := s.dispatch.run(ctx); err != nil {
					return fmt.Errorf("after a kill in the middle of a migration: %w", err)
				}
				if err := s.dispatch.stop(ctx); err != nil {
					return err
				}
			}
			if err := errors.Join(s.dispatch.register(ctx), s.dispatch.run(ctx)); err != nil {
				return err
			}
			if err := s.gateway.run(ctx); err != nil {
				return err
			}
			if err := s.gateway.press(ctx, 4); err != nil {
				return err
			}
			w.did("dispatch killed %d times while it made its tables, and started again each time; then a gateway with 4 presses", kills)
			return s.settle(ctx)
		},
	}
}

// forgetTables removes the database, so that the next start makes it anew.
func (d *dispatch) forgetTables() error {
	files, err := filepath.Glob(filepath.Join(d.dir, "dispatch.db*"))
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	if err != nil {
		return fmt.Errorf("remove dispatch's database: %w", err)
	}
	return nil
}

// killSoon starts the program and kills it a while after it has begun with its
// tables, which shows in the file.
func (d *dispatch) killSoon(ctx context.Context, after time.Duration) error {
	p, err := d.w.start("nabat-dispatch", nil, d.w.programs.dispatch, "run", "--config", d.config, "--log", "warn")
	if err != nil {
		return err
	}
	wal := filepath.Join(d.dir, "dispatch.db-wal")
	if err := d.w.until(ctx, "dispatch begins with its tables", func() (bool, error) {
		_, err := os.Stat(wal)
		return err == nil, errors.Join(err, p.alive())
	}); err != nil {
		return err
	}
	if err := pause(ctx, after); err != nil {
		return err
	}
	return p.kill()
}
