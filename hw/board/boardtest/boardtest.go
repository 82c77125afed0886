// Package boardtest is the test of a wall, the same for simulated pins and for
// the kernel's: what the board makes of presses, faults and removals.
package boardtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/hw/board"
	"nabat/hw/point"
)

// Wall is a chip with a button, a tamper contact and a lamp, operated from
// outside. Every line is Low when a case begins; contacts drive it High.
type Wall interface {
	OpenButton() (board.InputPin, error)
	OpenTamper() (board.InputPin, error)
	OpenLamp(initial gpio.Level) (board.OutputPin, error)

	// DriveButton and DriveTamper put a level on the line.
	DriveButton(gpio.Level) error
	DriveTamper(gpio.Level) error
	// Lamp returns the level that the lamp line has, seen from outside.
	Lamp() (gpio.Level, error)

	// Remove takes the chip away, Insert brings it back with the levels that
	// were driven last.
	Remove() error
	Insert() error
	// Occupy holds the button's line as another program would, until release.
	Occupy() (release func() error, err error)

	// Now is the clock of the edges.
	Now() time.Duration
}

// Case is one test over a fresh wall.
type Case struct {
	Name string
	Run  func(t *testing.T, w Wall)
}

// Cases returns all cases. They wait for what they expect, never for a time
// that should be enough; they may run in a synctest bubble.
func Cases() []Case {
	return []Case{
		{"a press of 30 ms is two edges and a rest", pressIsTwoEdges},
		{"a bounce storm is reported edge by edge and settles once", bounceStorm},
		{"a button held at start is found, not seen to change", heldAtStart},
		{"a normally-closed contact is active when it opens", normallyClosed},
		{"an idle chip that goes and comes back is one fault and no press", removalIdle},
		{"a chip that goes while the button is held is one fault and no new press", removalHeld},
		{"a busy line is one fault until it is free", busyLine},
		{"an open housing is a fault and swallows no press", tamper},
		{"5000 edges at 1 kHz all arrive in order", kilohertz},
		{"the end of the context gives the lines back", cancel},
		{"a pin keeps periph's promises", pinContract},
		{"a halt is for good", haltIsSticky},
		{"a closed pin says so", closeIsFinal},
		{"a lost pin stays lost and invents no level", lostIsFinal},
		{"a late reader gets the newest 1024 edges and the number of the lost", lateReader},
		{"a lamp starts as told and nothing but Out changes it", lampLevel},
		{"a lamp is back by itself after its chip", lampRemoval},
	}
}

// patience is how long a case waits for what has to come.
const patience = 30 * time.Second

// tape records the signals of a running board.
type tape struct {
	mu      sync.Mutex
	signals []point.Signal
	wake    chan struct{}
}

func (p *tape) add(s point.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signals = append(p.signals, s)
	close(p.wake)
	p.wake = make(chan struct{})
}

func (p *tape) look() ([]point.Signal, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.signals[:len(p.signals):len(p.signals)], p.wake
}

// await waits until the signals so far satisfy ok and returns them.
func (p *tape) await(t *testing.T, what string, ok func([]point.Signal) bool) []point.Signal {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		signals, wake := p.look()
		if ok(signals) {
			return signals
		}
		select {
		case <-wake:
		case <-timer.C:
			t.Fatalf("no %s within %v; got %s", what, patience, describe(signals))
		}
	}
}

// awaitAny waits until any signal after the first skip ones satisfies ok.
func (p *tape) awaitAny(t *testing.T, what string, skip int, ok func(point.Signal) bool) []point.Signal {
	t.Helper()
	return p.await(t, what, func(signals []point.Signal) bool {
		return len(signals) > skip && count(signals[skip:], ok) > 0
	})
}

// start runs a board with one button until the test ends or stop is called.
func start(t *testing.T, w Wall, in board.Input) (p *tape, stop func()) {
	t.Helper()
	p = &tape{wake: make(chan struct{})}
	in.ID, in.Open = "button", w.OpenButton
	b, err := board.New([]board.Input{in}, p.add, board.Options{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		end()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return p, stop
}

func describe(signals []point.Signal) string {
	const most = 40
	var b strings.Builder
	fmt.Fprintf(&b, "%d signals:", len(signals))
	if len(signals) > most {
		signals = signals[len(signals)-most:]
		b.WriteString(" ...")
	}
	for _, s := range signals {
		word := map[point.Change]string{point.Active: "active", point.Inactive: "inactive", point.Faulted: "fault " + string(s.Fault), point.Restored: "restored"}[s.Change]
		fmt.Fprintf(&b, "\n  %v %s", s.At, word)
		if s.Initial {
			b.WriteString(" initial")
		}
		if s.Settled {
			b.WriteString(" settled")
		}
		if s.Detail != "" {
			b.WriteString(" (" + s.Detail + ")")
		}
	}
	return b.String()
}

func count(signals []point.Signal, ok func(point.Signal) bool) int {
	n := 0
	for _, s := range signals {
		if ok(s) {
			n++
		}
	}
	return n
}

func isActive(s point.Signal) bool   { return s.Change == point.Active }
func isEdge(s point.Signal) bool     { return isLevel(s) && !s.Settled && !s.Initial }
func isLevel(s point.Signal) bool    { return s.Change == point.Active || s.Change == point.Inactive }
func isInitial(s point.Signal) bool  { return isLevel(s) && s.Initial }
func isRestored(s point.Signal) bool { return s.Change == point.Restored }
func isFaulted(s point.Signal) bool  { return s.Change == point.Faulted }

func isFault(f point.Fault) func(point.Signal) bool {
	return func(s point.Signal) bool { return isFaulted(s) && s.Fault == f }
}

func isSettled(c point.Change) func(point.Signal) bool {
	return func(s point.Signal) bool { return s.Change == c && s.Settled }
}

func edges(signals []point.Signal) []point.Signal {
	var list []point.Signal
	for _, s := range signals {
		if isEdge(s) {
			list = append(list, s)
		}
	}
	return list
}

// checkEdges checks that the edges are those wanted, in order of time.
func checkEdges(t *testing.T, signals []point.Signal, want ...point.Change) {
	t.Helper()
	got := edges(signals)
	if len(got) != len(want) {
		t.Fatalf("got %d edges, want %d: %s", len(got), len(want), describe(signals))
	}
	for i, e := range got {
		if e.Change != want[i] {
			t.Fatalf("edge %d is wrong: %s", i, describe(signals))
		}
		if i > 0 && e.At < got[i-1].At {
			t.Fatalf("edge %d is older than the one before: %s", i, describe(signals))
		}
	}
}

// must fails the test for a wall that does not do as it was told.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pass lets time pass: for the length of a press, or to show that nothing comes.
func pass(d time.Duration) { <-time.After(d) }
