package main

import (
	"context"
	"errors"
	"fmt"

	"nabat/gateway/clock"
)

// fewRows is the short queue that a long one is compared with.
const fewRows = 100

// measureAppend compares appending to a journal in which a long queue waits
// with appending to one in which hardly anything does.
func measureAppend(ctx context.Context, b *bench) (s section, err error) {
	longDir, err := b.longQueue(ctx)
	if err != nil {
		return s, err
	}
	shortDir, err := b.emptyQueue(ctx, fewRows)
	if err != nil {
		return s, err
	}
	clk, err := clock.NewSystem()
	if err != nil {
		return s, err
	}
	long, err := openStore(ctx, longDir, clk.Now)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, long.stop()) }()
	short, err := openStore(ctx, shortDir, clk.Now)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, short.stop()) }()
	if depth := long.depth(); depth < int64(b.size.queued) {
		return s, fmt.Errorf("%d rows wait, want %d: %w", depth, b.size.queued, errWrong)
	}
	m := &maker{now: clk.Now, numbering: long.Epoch()}
	for _, st := range []*store{short, long} {
		for range b.size.warm {
			if _, err := st.append(ctx, m.alarm()); err != nil {
				return s, err
			}
		}
	}
	var routineShort, routineLong, alarmShort, alarmLong samples
	one := func(st *store, routine, alarm *samples) func(context.Context, bool) error {
		return func(ctx context.Context, first bool) error {
			routine.begin(first)
			alarm.begin(first)
			for range b.size.presses {
				d, err := st.append(ctx, m.routine())
				if err != nil {
					return err
				}
				routine.add(d)
				if d, err = st.append(ctx, m.alarm()); err != nil {
					return err
				}
				alarm.add(d)
			}
			return nil
		}
	}
	if err := turns(ctx, b.size.rounds, b.size.swaps, one(short, &routineShort, &alarmShort), one(long, &routineLong, &alarmLong)); err != nil {
		return s, err
	}
	_, spread := alarmLong.against(&alarmShort, 0.5)
	return section{
		title: "Append to a long queue",
		lines: []line{atMost(fmt.Sprintf("append with %d rows queued, against %d rows", b.size.queued, fewRows), 1.2, 0.5, &routineLong, &routineShort)},
		how: []string{
			fmt.Sprintf("%d routine events of %d bytes, one after the other, each from the call to the journal's answer that it is on the disk; both journals are open in one process and take turns. "+
				"The routine lane is the one with the long queue. Before that, %d alarms to each, not counted, let both write-ahead logs reach the size at which they are used over again: "+
				"a log that still grows is slower, in either journal.", routineLong.count(), eventBytes, b.size.warm),
		},
		also: []string{
			fmt.Sprintf("alarms, appended in between: p50 %s against %s, %s.", nice(alarmLong.at(0.5)), nice(alarmShort.at(0.5)), spread),
			fmt.Sprintf("p99 of the routine events: %s against %s.", nice(routineLong.at(0.99)), nice(routineShort.at(0.99))),
		},
		hidden: []string{"a page cache that does not hold the end of the file; the end is all that appending touches."},
	}, nil
}
