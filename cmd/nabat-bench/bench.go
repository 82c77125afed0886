package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// figure is one promise and the way to measure it.
type figure struct {
	name    string
	measure func(context.Context, *bench) (section, error)
}

// figures returns the promises in the order in which they are measured: those
// that need the long queue as it was made come before those that shorten it.
func figures() []figure {
	return []figure{
		{"commit", measureCommit},
		{"live", measureLive},
		{"paint", measurePaint},
		{"crowd", measureCrowd},
		{"voice", measureVoice},
		{"packets", measurePackets},
		{"zones", measureZones},
		{"lamp", measureLamp},
		{"drain", measureDrain},
		{"http", measureHTTP},
		{"append", measureAppend},
		{"start", measureStart},
		{"overtake", measureOvertake},
		{"ingest", measureIngest},
		{"storm", measureStorm},
	}
}

// sizes says how much of everything is measured.
type sizes struct {
	quick   bool
	rounds  int           // turns of a figure
	swaps   int           // how often floor and figure change places in one turn
	presses int           // presses and writes between two swaps
	rest    time.Duration // before each single press
	warm    int           // appends that are not counted
	drain   int           // events of one outage
	queued  int           // rows that wait in the long queue
	starts  int           // starts of the program on each journal
	settle  time.Duration // after a start, before memory is measured
	storm   time.Duration // how long one turn of alarms over a draining queue lasts
	every   time.Duration // distance of its alarms
	paints  int           // alerts that a browser shows in one turn
	screens int           // lobby screens at once
	crowds  int           // how often one screen and many change places in one turn
	says    int           // emergencies that loudspeakers say
	speak   time.Duration // how long many zones speak at once
}

func full() sizes {
	return sizes{
		rounds: 10, swaps: 20, presses: 10, rest: 10 * time.Millisecond, warm: 1500, drain: 100_000, queued: 1_000_000, starts: 9,
		settle: 10 * time.Second, storm: 4 * time.Second, every: 10 * time.Millisecond, paints: 30, screens: 32, crowds: 5, says: 50, speak: 20 * time.Second,
	}
}

func small() sizes {
	return sizes{
		quick: true, rounds: 2, swaps: 2, presses: 10, rest: time.Millisecond, warm: 10, drain: 2000, queued: 20_000, starts: 1,
		settle: 100 * time.Millisecond, storm: 300 * time.Millisecond, every: 10 * time.Millisecond, paints: 2, screens: 4, crowds: 2, says: 2, speak: time.Second,
	}
}

// bench is one run of the program.
type bench struct {
	dir            string // data of this run; removed at its end
	binary         string
	dispatchBinary string
	size           sizes
	note           io.Writer

	queue string // folder of the journal with the long queue, once it is made
}

// say tells whoever watches how far the run has come.
func (b *bench) say(format string, a ...any) {
	fmt.Fprintf(b.note, time.Now().Format("15:04:05 ")+format+"\n", a...)
}

// folder makes a new folder for one journal or broker.
func (b *bench) folder(name string) (string, error) {
	dir, err := os.MkdirTemp(b.dir, name+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder for %s: %w", name, err)
	}
	return filepath.Abs(dir)
}

// version asks the binary what it is; a run without one says so in the report.
func (b *bench) version(ctx context.Context) string {
	text, err := exec.CommandContext(ctx, b.binary, "version").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// turns lets floor and figure take n turns of swaps each, so that whatever
// else the machine does meets both. first says that a new turn begins.
func turns(ctx context.Context, n, swaps int, floor, figure func(ctx context.Context, first bool) error) error {
	for i := range n * swaps {
		for _, f := range []func(context.Context, bool) error{floor, figure} {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := f(ctx, i%swaps == 0); err != nil {
				return err
			}
		}
	}
	return nil
}
