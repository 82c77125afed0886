package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"nabat/gateway/alert"
)

// block is the size of one write of the floor.
const block = 4096

// measureCommit compares a press, from the signal that makes it certain to the
// journal's word that it is on the disk, with a bare write.
func measureCommit(ctx context.Context, b *bench) (s section, err error) {
	c, err := b.newChain(ctx, "commit", alert.LevelHelp)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	grows, err := newBare(filepath.Join(c.dir, "floor"), 0)
	if err != nil {
		return s, err
	}
	defer grows.close()
	stays, err := newBare(filepath.Join(c.dir, "floor-in-place"), 4<<20)
	if err != nil {
		return s, err
	}
	defer stays.close()

	n := b.size.presses
	var floor, inPlace, pressed samples
	number := 0
	err = turns(ctx, b.size.rounds, b.size.swaps, func(_ context.Context, first bool) error {
		floor.begin(first)
		inPlace.begin(first)
		for range n {
			if err := grows.write(&floor); err != nil {
				return err
			}
			if err := stays.write(&inPlace); err != nil {
				return err
			}
		}
		return nil
	}, func(ctx context.Context, first bool) error {
		pressed.begin(first)
		for range n {
			begun, done, err := c.press(ctx, number)
			if err != nil {
				return err
			}
			pressed.add(done.at.Sub(begun))
			if err := c.release(ctx, number); err != nil {
				return err
			}
			number++
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	if open := len(c.engine.View().State.Open()); open != min(buttons, number) {
		return s, fmt.Errorf("%d alerts are open after presses of %d buttons: %w", open, min(buttons, number), errWrong)
	}
	_, spread := pressed.against(&inPlace, 0.99)
	return section{
		title: "Press → committed",
		lines: []line{atMost("press → committed, against a bare 4 KiB write + fdatasync", 3, 0.99, &pressed, &floor)},
		how: []string{
			fmt.Sprintf("%d presses one after the other through gestures, engine and journal in one process: from the signal that makes a press certain to the journal's answer that it is on the disk. "+
				"The floor writes 4 KiB at a growing offset of a file on the same disk, and calls fdatasync.", pressed.count()),
		},
		also: []string{
			fmt.Sprintf("p50 %s against %s of the floor.", nice(pressed.at(0.5)), nice(floor.at(0.5))),
			fmt.Sprintf("A floor that writes in place, in a file of fixed size, takes p50 %s, p99 %s: against that the press takes %s at p99.", nice(inPlace.at(0.5)), nice(inPlace.at(0.99)), spread),
		},
		hidden: []string{
			"the 10 ms for which a contact has to rest before a press counts: they stand in the signals and are not waited for;",
			"lamps, pages and a link at work at the same time; and a card or disk that lies about its flush.",
		},
	}, nil
}

var errWrong = errors.New("something was lost, doubled or out of order")

// bare writes blocks to a file and syncs each.
type bare struct {
	file   *os.File
	block  [block]byte
	offset int64
	size   int64 // 0: the file grows
}

// newBare makes a file. With a size it is written in full beforehand, so that
// later syncs change no metadata.
func newBare(path string, size int64) (*bare, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("make the floor's file: %w", err)
	}
	w := &bare{file: f, size: size}
	for i := range w.block {
		w.block[i] = byte(i * 7)
	}
	for at := int64(0); at < size; at += block {
		if _, err := f.WriteAt(w.block[:], at); err != nil {
			w.close()
			return nil, fmt.Errorf("fill the floor's file: %w", err)
		}
	}
	if err := f.Sync(); err != nil {
		w.close()
		return nil, fmt.Errorf("sync the floor's file: %w", err)
	}
	return w, nil
}

func (w *bare) write(s *samples) error {
	begun := time.Now()
	if _, err := w.file.WriteAt(w.block[:], w.offset); err != nil {
		return fmt.Errorf("write the floor's file: %w", err)
	}
	if err := unix.Fdatasync(int(w.file.Fd())); err != nil {
		return fmt.Errorf("sync the floor's file: %w", err)
	}
	s.add(time.Since(begun))
	w.offset += block
	if w.size > 0 {
		w.offset %= w.size
	}
	return nil
}

func (w *bare) close() { _ = w.file.Close() } // synced already, and removed soon
