package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	largestBinary = 20 << 20
	largestRSS    = 40 << 20
)

// nobody is an address at which no broker answers.
const nobody = "127.0.0.1:1"

// measureStart compares how long the real program takes until every point is
// armed, over a long queue and over an empty one; and says how large it is.
func measureStart(ctx context.Context, b *bench) (s section, err error) {
	longDir, err := b.longQueue(ctx)
	if err != nil {
		return s, err
	}
	emptyDir, err := b.emptyQueue(ctx, 0)
	if err != nil {
		return s, err
	}
	for _, dir := range []string{emptyDir, longDir} {
		if err := configure(dir, "start", nobody); err != nil {
			return s, err
		}
	}
	// One start of each that does not count brings program and files into the
	// page cache, and shows that the queue is what it should be.
	if _, err := b.startOnce(ctx, emptyDir, 0); err != nil {
		return s, err
	}
	if _, err := b.startOnce(ctx, longDir, int64(b.size.queued)); err != nil {
		return s, err
	}
	var empty, long samples
	once := func(dir string, into *samples) func(context.Context, bool) error {
		return func(ctx context.Context, first bool) error {
			into.begin(first)
			took, err := b.startOnce(ctx, dir, -1)
			into.add(took)
			return err
		}
	}
	if err := turns(ctx, b.size.starts, 1, once(emptyDir, &empty), once(longDir, &long)); err != nil {
		return s, err
	}
	s = section{
		title: "Start, size and memory",
		lines: []line{atMost(fmt.Sprintf("start to armed with %d rows queued, against an empty journal", b.size.queued), 1.5, 0.5, &long, &empty)},
		how: []string{
			fmt.Sprintf("start: %d starts of the real binary on each of two data folders, taking turns, from the fork until it tells the service manager READY=1; %d buttons and %d lamps on a simulated board, a broker that does not answer. "+
				"`nabat status` confirmed beforehand that every point is armed then and that all rows wait.", long.count(), buttons, buttons),
			"memory: VmRSS and its peak VmHWM from /proc, which count the pages of the program file too.",
		},
		hidden: []string{
			"a cold page cache, as after power-on, when reading the program from a card dominates;",
			"the time that the kernel takes to open real GPIO lines; and the memory of a page that is open on many screens.",
		},
	}
	for _, add := range []func(context.Context, *bench, string, *section) error{addSizes, addIdle, addDraining} {
		if err := add(ctx, b, longDir, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

// startOnce starts the gateway and stops it. With want >= 0 it also checks
// that all points are armed and that so many rows wait.
func (b *bench) startOnce(ctx context.Context, dir string, want int64) (took time.Duration, err error) {
	p, took, err := b.startGateway(ctx, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if want < 0 {
		return took, nil
	}
	st, err := b.status(ctx, p)
	if err != nil {
		return 0, err
	}
	if not, depth := unarmed(st); len(not) > 0 || depth < want {
		return 0, fmt.Errorf("after READY=1 these points are not armed: %q, and %d rows wait, want %d: %w", not, depth, want, errWrong)
	}
	return took, nil
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func sizeLine(figure string, n, limit int64) line {
	return line{
		figure: figure, target: "≤ " + mebibytes(limit), measured: mebibytes(n),
		ratio: fmt.Sprintf("%.2f × the limit", float64(n)/float64(limit)), verdict: verdictOf(n <= limit),
	}
}

// addSizes measures the binary of this machine and, unless the run is quick,
// the one for a Pi.
func addSizes(ctx context.Context, b *bench, _ string, s *section) error {
	info, err := os.Stat(b.binary)
	if err != nil {
		return fmt.Errorf("look at the binary (make build makes it): %w", err)
	}
	s.lines = append(s.lines, sizeLine("size of the binary for this machine", info.Size(), largestBinary))
	if b.size.quick {
		return nil
	}
	b.say("  building for arm64")
	file := filepath.Join(b.dir, "nabat-linux-arm64")
	build := exec.CommandContext(ctx, "make", "-s", "program", "OUT="+file)
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build for arm64: %w: %s", err, out)
	}
	if info, err = os.Stat(file); err != nil {
		return fmt.Errorf("look at the binary for arm64: %w", err)
	}
	s.lines = append(s.lines, sizeLine("size of the binary for arm64", info.Size(), largestBinary))
	return nil
}

// addIdle measures the memory while all rows wait and no broker answers.
func addIdle(ctx context.Context, b *bench, dir string, s *section) (err error) {
	p, _, err := b.startGateway(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := pause(ctx, b.size.settle); err != nil {
		return err
	}
	f, err := p.memory()
	if err != nil {
		return err
	}
	s.lines = append(s.lines, sizeLine(fmt.Sprintf("memory with %d rows queued, link off, peak", b.size.queued), f.peak, largestRSS))
	s.also = append(s.also, fmt.Sprintf("link off, after %s: %s resident, of which %s are not the program file's; peak %s.", b.size.settle, mebibytes(f.now), mebibytes(f.own), mebibytes(f.peak)))
	return nil
}

// addDraining measures the memory while the rows leave through a broker.
func addDraining(ctx context.Context, b *bench, dir string, s *section) (err error) {
	br, err := startBroker(ctx, b)
	if err != nil {
		return err
	}
	defer br.stop()
	if err := configure(dir, "start", br.address); err != nil {
		return err
	}
	got, err := listen(br, "start")
	if err != nil {
		return err
	}
	defer got.stop()
	p, _, err := b.startGateway(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	var f footprint
	highest := int64(0)
	part := b.size.queued / 4
	err = until(ctx, 5*time.Minute, fmt.Sprintf("%d rows have left", part), func() (bool, error) {
		if f, err = p.memory(); err != nil {
			return false, err
		}
		highest = max(highest, f.now)
		return got.total() >= part, nil
	})
	if err != nil {
		return err
	}
	s.lines = append(s.lines, sizeLine(fmt.Sprintf("memory with %d rows queued, draining, peak", b.size.queued), f.peak, largestRSS))
	s.also = append(s.also, fmt.Sprintf("draining, until %d rows have left: at most %s resident, %s of it not the program file's at the end; peak %s; %s.", part, mebibytes(highest), mebibytes(f.own), mebibytes(f.peak), perSecond(got.rate())))
	return nil
}
