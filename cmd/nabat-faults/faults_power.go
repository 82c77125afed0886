package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"
)

func powerScenarios() []scenario {
	return []scenario{
		offlineForMonths(), restartedTwice(), killedInMigration(),
		{
			name: "power/kill-9-under-load", short: true,
			fault:      "the process dies at any point of accept, store, send and advance",
			protection: "a press is acknowledged after the commit, the cursor moves after the delivery",
			bare:       "acknowledged at once, committed half a second later",
			without: []change{
				{file: "gateway/journal/journal.go", old: "		j.queue.lanes[row.Lane] = append(j.queue.lanes[row.Lane], item{event: e, row: row, done: done})\n", replacement: "		j.queue.lanes[row.Lane] = append(j.queue.lanes[row.Lane], item{event: e, row: row})\n		if done != nil {\n			done(alert.Ref{Epoch: j.book.epoch, Seq: 1 << 40}, nil)\n		}\n"},
				{file: "gateway/journal/journal.go", old: "		case <-j.wake:\n", replacement: "		case <-j.wake:\n			time.Sleep(400 * time.Millisecond)\n"},
			},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, central: true})
				if err != nil {
					return err
				}
				kills := w.times(60, 8)
				for range kills {
					if err := s.killUnderLoad(ctx, time.Duration(rand.IntN(300))*time.Millisecond); err != nil {
						return err
					}
				}
				w.did("killed with kill -9 %d times at random moments while buttons were pressed (%d presses acknowledged)", kills, s.gateway.presses)
				if err := s.settle(ctx); err != nil {
					return err
				}
				return s.noPressLost(ctx)
			},
		},
		{
			name: "power/stopped-while-everything-is-down", short: true,
			fault:      "the gateway is stopped, and started twice, while nobody can be reached",
			protection: "what waits stands in the journal, not in a client's memory",
			bare:       "a shutdown empties the queue",
			without: []change{{
				file: "gateway/journal/journal.go", old: "	j.saveCursors()\n	return j.Close()\n",
				replacement: "	for k, m := range j.book.marks {\n		m.advance(j.book.last[k.lane])\n	}\n	j.saveCursors()\n	return j.Close()\n",
			}},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true, central: true})
				if err != nil {
					return err
				}
				s.net.down()
				if err := s.dispatch.kill(); err != nil {
					return err
				}
				for range 3 {
					if err := s.gateway.press(ctx, 5); err != nil {
						return err
					}
					if err := s.gateway.restart(ctx); err != nil {
						return err
					}
				}
				if err := s.dispatch.run(ctx); err != nil {
					return err
				}
				if err := s.net.up(); err != nil {
					return err
				}
				w.did("15 presses and 3 restarts (SIGTERM) with broker and service out of reach; then both came back")
				return s.settle(ctx)
			},
		},
		{
			name: "power/killed-between-answer-and-advance", short: true,
			fault:      "the process dies after dispatch has the event and before the cursor says so",
			protection: "a repetition bears the same id, and dispatch keeps one of each",
			without:    keepsRepetitions(),
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true})
				if err != nil {
					return err
				}
				for range w.times(20, 4) {
					// Every answer vanishes from here on: nobody tells the cursor.
					if err := s.net.swallow("downstream"); err != nil {
						return err
					}
					if err := s.gateway.press(ctx, 5); err != nil {
						return err
					}
					if err := w.until(ctx, "dispatch has the presses", func() (bool, error) {
						err := s.pressesStored(ctx)
						return err == nil, err
					}); err != nil {
						return err
					}
					if err := s.gateway.kill(); err != nil {
						return err
					}
					s.net.down()
					if err := s.net.up(); err != nil {
						return err
					}
					if err := s.gateway.run(ctx); err != nil {
						return err
					}
					if err := s.linked(ctx); err != nil {
						return err
					}
				}
				w.did("killed as soon as dispatch had the presses, before its answers arrived, again and again (%d presses)", s.gateway.presses)
				return s.settle(ctx)
			},
		},
		{
			name: "power/torn-tail", short: true,
			fault:      "the journal's log ends in the middle of a record",
			protection: "the log's own checksums end it before the torn record; everything before it stands",
			bare:       "a log that does not end with a whole record is thrown away",
			without: []change{{
				file: "gateway/journal/mend.go", old: "	if err := touch(j.opt.Path); err != nil {\n		return nil, nil, err\n	}\n",
				replacement: "	if err := touch(j.opt.Path); err != nil {\n		return nil, nil, err\n	}\n	if info, err := os.Stat(j.opt.Path + \"-wal\"); err == nil && (info.Size()-32)%(4096+24) != 0 {\n		_ = os.Remove(j.opt.Path + \"-wal\")\n	}\n",
			}},
			run: func(ctx context.Context, w *world) error {
				s, err := w.stand(ctx, ways{mqtt: true})
				if err != nil {
					return err
				}
				s.net.down()
				if err := s.gateway.press(ctx, 20); err != nil {
					return err
				}
				if err := s.gateway.kill(); err != nil {
					return err
				}
				// Half a page of garbage behind the last commit, as a power cut in
				// the middle of the next one leaves it.
				f, err := os.OpenFile(filepath.Join(s.gateway.dir, "journal.db-wal"), os.O_WRONLY|os.O_APPEND, 0)
				if err != nil {
					return fmt.Errorf("tear the log: %w", err)
				}
				if _, err := f.Write(make([]byte, 2000)); err != nil {
					return fmt.Errorf("tear the log: %w", err)
				}
				if err := f.Close(); err != nil {
					return fmt.Errorf("tear the log: %w", err)
				}
				if err := s.gateway.run(ctx); err != nil {
					return err
				}
				if err := s.net.up(); err != nil {
					return err
				}
				w.did("20 presses without a network, killed, half a record appended to the log, started")
				if err := s.settle(ctx); err != nil {
					return err
				}
				return s.noPressLost(ctx)
			},
		},
	}
}

// killUnderLoad presses buttons until the gateway is killed, after a while, and
// starts it again.
func (s *stand) killUnderLoad(ctx context.Context, after time.Duration) error {
	load, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	counts := make([]int, len(buttonIDs()))
	for i, id := range buttonIDs() {
		wg.Go(func() {
			for load.Err() == nil && s.gateway.client.Press(load, id, 0) == nil {
				counts[i]++
			}
		})
	}
	err := pause(ctx, after)
	if kill := s.gateway.kill(); err == nil {
		err = kill
	}
	stop()
	wg.Wait()
	for _, n := range counts {
		s.gateway.presses += n
	}
	if err != nil {
		return err
	}
	return s.gateway.run(ctx)
}

// noPressLost checks that every press that was acknowledged stands in the
// journal, and hardly more: a press whose answer the kill took away may be there.
func (s *stand) noPressLost(ctx context.Context) error {
	n, err := s.gateway.raised(ctx)
	if err != nil {
		return err
	}
	if n < s.gateway.presses {
		return fmt.Errorf("%d presses were acknowledged, the journal holds %d", s.gateway.presses, n)
	}
	return nil
}
