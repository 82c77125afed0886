package board_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/gpio"

	"nabat/hw/board"
	"nabat/hw/point"
)

// running is a board in a bubble and what it has said.
type running struct {
	mu      sync.Mutex
	signals []point.Signal
}

func (r *running) add(s point.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signals = append(r.signals, s)
}

// take returns what was said since the last take, once nothing moves any more.
func (r *running) take() []point.Signal {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.signals
	r.signals = nil
	return s
}

// words writes signals down as a test can compare them.
func words(signals []point.Signal) string {
	var list []string
	for _, s := range signals {
		switch s.Change {
		case point.Active:
			list = append(list, "active")
		case point.Inactive:
			list = append(list, "inactive")
		case point.Faulted:
			list = append(list, string(s.Fault))
			continue
		case point.Restored:
			list = append(list, "restored")
			continue
		}
		if s.Initial {
			list[len(list)-1] += "-initial"
		}
		if s.Settled {
			list[len(list)-1] += "-settled"
		}
	}
	return strings.Join(list, " ")
}

// run starts a board over w; the bubble's end waits for it.
func run(t *testing.T, w *simWall, inputs ...board.Input) *running {
	t.Helper()
	r := &running{}
	b, err := board.New(inputs, r.add, board.Options{Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return r
}

func pass(d time.Duration) { <-time.After(d) }

// expect compares what was said since the last time.
func (r *running) expect(t *testing.T, when, want string) {
	t.Helper()
	if got := words(r.take()); got != want {
		t.Errorf("%s: got %q, want %q", when, got, want)
	}
}

func bubble(t *testing.T, f func(t *testing.T, w *simWall)) {
	synctest.Test(t, func(t *testing.T) { f(t, newSimWall()) })
}

func TestQuietLineIsReadEverySecond(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: w.OpenButton})
		r.expect(t, "start", "inactive-initial-settled")
		pass(3500 * time.Millisecond)
		r.expect(t, "3.5 s later", "inactive-settled inactive-settled inactive-settled")
	})
}

func TestHeldThroughARemovalIsFoundAgain(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: w.OpenButton})
		w.button.Press()
		pass(15 * time.Millisecond)
		r.take()
		w.Board.Remove()
		pass(30 * time.Second)
		r.expect(t, "half a minute without the chip", "lost")
		w.Board.Insert()
		pass(5 * time.Second)
		if got := words(r.take()); !strings.HasPrefix(got, "restored active-initial-settled") {
			t.Errorf("the chip is back: %q", got)
		}
	})
}

func TestLineThatNeverOpensIsTriedSeldom(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		tries := 0
		r := run(t, w, board.Input{ID: "b", Open: func() (board.InputPin, error) {
			tries++
			return nil, fmt.Errorf("no such chip: %w", unix.ENODEV)
		}})
		pass(time.Minute)
		r.expect(t, "a minute without a chip", "lost")
		// 100 ms doubling to 5 s: 6 tries in the first 6.3 s, then one each 5 s.
		if tries < 10 || tries > 20 {
			t.Errorf("%d tries in a minute", tries)
		}
	})
}

// flaky is a pin that opens well and fails at once, as a half-dead bus does.
type flaky struct{ board.InputPin }

func (p flaky) NextEdge(timeout time.Duration) (point.Edge, error) {
	if timeout == 0 {
		return p.InputPin.NextEdge(0)
	}
	return point.Edge{}, unix.EIO
}

func TestPinThatOpensAndDiesIsTriedSeldom(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: func() (board.InputPin, error) {
			pin, err := w.OpenButton()
			return flaky{pin}, err
		}})
		pass(time.Minute)
		n := strings.Count(words(r.take()), string(point.FaultReadError))
		if n < 10 || n > 20 {
			t.Errorf("it died %d times in a minute", n)
		}
	})
}

func TestReadErrorIsAFault(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: w.OpenButton})
		r.expect(t, "start", "inactive-initial-settled")
		w.button.FailReads(unix.EIO)
		pass(10 * time.Second)
		r.expect(t, "reads fail", "read-error")
		w.button.FailReads(nil)
		pass(5 * time.Second)
		if got := words(r.take()); !strings.HasPrefix(got, "restored inactive-initial-settled") {
			t.Errorf("reads work: %q", got)
		}
	})
}

// deaf is a pin whose edges get lost on the way.
type deaf struct{ board.InputPin }

func (p deaf) NextEdge(timeout time.Duration) (point.Edge, error) {
	end := time.Now().Add(timeout)
	for {
		if _, err := p.InputPin.NextEdge(time.Until(end)); err != nil {
			return point.Edge{}, err
		}
	}
}

func TestMissedEdgeIsFoundWithinASecond(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: func() (board.InputPin, error) {
			pin, err := w.OpenButton()
			return deaf{pin}, err
		}})
		r.expect(t, "start", "inactive-initial-settled")
		w.button.Press()
		pass(1100 * time.Millisecond)
		r.expect(t, "a press without an edge", "active-settled")
	})
}

func TestChatterNeverSettles(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: w.OpenButton})
		r.take()
		for range 1000 {
			w.button.Toggle(1)
			pass(5 * time.Millisecond)
		}
		if got := words(r.take()); strings.Contains(got, "settled") || strings.Count(got, "active") != 1000 {
			t.Errorf("5 s of chatter: %q", got)
		}
		pass(10 * time.Millisecond)
		r.expect(t, "rest", "inactive-settled")
	})
}

func TestLostEdgesNeverLookLikeAPress(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		gate := make(chan struct{}) // while it is shut, the reader of edges is stuck
		r := run(t, w, board.Input{ID: "b", Open: func() (board.InputPin, error) {
			pin, err := w.OpenButton()
			return gated{pin, gate}, err
		}})
		r.take()
		gate <- struct{}{}
		w.button.Toggle(1) // active, and read
		began := r.take()
		if words(began) != "active" {
			t.Fatalf("an edge: %q", words(began))
		}
		pass(20 * time.Millisecond)
		w.button.Toggle(1) // inactive, which will be lost
		pass(20 * time.Millisecond)
		w.button.Toggle(1025) // and so will the first of these
		close(gate)
		got := r.take()
		if !strings.HasPrefix(words(got), "inactive inactive active inactive") {
			t.Fatalf("got %.60q", words(got))
		}
		if got[0].At != began[0].At || got[1].At != began[0].At+40*time.Millisecond {
			t.Errorf("active at %v, then %v and %v: it looks as if it had lasted", began[0].At, got[0].At, got[1].At)
		}
	})
}

// gated lets a wait for an edge begin only when the gate gives leave.
type gated struct {
	board.InputPin
	gate chan struct{}
}

func (p gated) NextEdge(timeout time.Duration) (point.Edge, error) {
	if timeout > 0 {
		<-p.gate
		timeout = time.Second
	}
	return p.InputPin.NextEdge(timeout)
}

// lossy counts lost edges where there were none.
type lossy struct {
	board.InputPin
	losing *bool
}

func (p lossy) NextEdge(timeout time.Duration) (point.Edge, error) {
	e, err := p.InputPin.NextEdge(timeout)
	if err == nil && *p.losing {
		e.Lost = 3
	}
	return e, err
}

func TestGapsThatGoOnAreOneFault(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		losing := true
		r := run(t, w, board.Input{ID: "b", Open: func() (board.InputPin, error) {
			pin, err := w.OpenButton()
			return lossy{pin, &losing}, err
		}})
		w.button.Toggle(2)
		pass(500 * time.Millisecond)
		if got := words(r.take()); strings.Contains(got, "gap") {
			t.Errorf("one busy moment is a fault: %q", got)
		}
		for range 20 {
			w.button.Toggle(2)
			pass(100 * time.Millisecond)
		}
		got := words(r.take())
		if strings.Count(got, "gap") != 1 || !strings.Contains(got, "gap inactive-initial active inactive") {
			t.Errorf("two seconds of gaps: %q", got)
		}
		losing = false
		w.button.Press()
		pass(15 * time.Millisecond)
		r.expect(t, "a press meanwhile", "active active-settled")
		w.button.Release()
		pass(12 * time.Second)
		if got := words(r.take()); strings.Count(got, "restored") != 1 || strings.Contains(got, "gap") {
			t.Errorf("twelve quiet seconds: %q", got)
		}
	})
}

func TestGapsOfALostPinAreForgotten(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		losing := true
		r := run(t, w, board.Input{ID: "b", Open: func() (board.InputPin, error) {
			pin, err := w.OpenButton()
			return lossy{pin, &losing}, err
		}})
		for range 20 {
			w.button.Toggle(2)
			pass(100 * time.Millisecond)
		}
		if got := words(r.take()); strings.Count(got, "gap") != 1 {
			t.Fatalf("two seconds of gaps: %q", got)
		}
		w.Board.Remove()
		pass(time.Second)
		w.Board.Insert()
		pass(2 * time.Second)
		if got := words(r.take()); !strings.HasPrefix(got, "lost restored") {
			t.Fatalf("the chip was away: %q", got)
		}
		w.button.Toggle(2)
		pass(100 * time.Millisecond)
		if got := words(r.take()); strings.Contains(got, "gap") {
			t.Errorf("one busy moment of the pin that is back is a fault: %q", got)
		}
	})
}

func TestAKnockIsNoTamper(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: w.OpenButton, Tamper: w.OpenTamper})
		r.expect(t, "start", "inactive-initial-settled")
		if err := w.tamper.Bounce(t.Context(), 5*time.Millisecond, 5*time.Millisecond, 5*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		pass(100 * time.Millisecond)
		r.expect(t, "a knock", "")
		for range 1200 {
			w.tamper.Toggle(1)
			pass(5 * time.Millisecond)
		}
		pass(20 * time.Millisecond)
		if got := words(r.take()); strings.Count(got, "tamper") != 1 || !strings.HasSuffix(got, "restored") || strings.Contains(got, " active") {
			t.Errorf("six seconds of knocks: %q", got)
		}
	})
}

func TestFaultsOfOnePointAreOneStory(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: w.OpenButton, Tamper: w.OpenTamper})
		r.take()
		w.tamper.Drive(gpio.High)
		pass(20 * time.Millisecond)
		r.expect(t, "housing open", "tamper")
		w.Board.Remove()
		pass(20 * time.Millisecond)
		r.expect(t, "chip gone as well", "lost")
		w.Board.Insert()
		pass(900 * time.Millisecond)
		got := words(r.take())
		if strings.Contains(got, "restored") || !strings.Contains(got, "tamper") || strings.Contains(got, "lost") {
			t.Errorf("chip back, housing still open: %q", got)
		}
		w.tamper.Drive(gpio.Low)
		pass(20 * time.Millisecond)
		if got := words(r.take()); !strings.HasSuffix(got, "restored") {
			t.Errorf("housing closed: %q", got)
		}
	})
}

func TestTamperLineThatCannotBeHeldIsAFaultOfItsPoint(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		w.tamper.MakeBusy(true)
		r := run(t, w, board.Input{ID: "b", Open: w.OpenButton, Tamper: w.OpenTamper})
		signals := r.take()
		found := false
		for _, s := range signals {
			found = found || s.Fault == point.FaultBusy && strings.HasPrefix(s.Detail, "tamper line: ")
		}
		if !found {
			t.Errorf("got %+v", signals)
		}
	})
}

func TestWrongInputsAreRefused(t *testing.T) {
	open := func() (board.InputPin, error) { return nil, unix.ENODEV }
	emit := func(point.Signal) {}
	for name, inputs := range map[string][]board.Input{
		"no id": {{Open: open}}, "no pin": {{ID: "a"}}, "the same id twice": {{ID: "a", Open: open}, {ID: "a", Open: open}},
	} {
		if _, err := board.New(inputs, emit, board.Options{}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := board.New(nil, nil, board.Options{}); err == nil {
		t.Error("signals for nobody are taken")
	}
}

func TestWiringSaysWhatActiveIs(t *testing.T) {
	for w, rest := range map[board.Wiring]gpio.Level{
		{}:                                      gpio.Low,
		{ActiveLow: true}:                       gpio.High,
		{NormallyClosed: true}:                  gpio.High,
		{ActiveLow: true, NormallyClosed: true}: gpio.Low,
	} {
		if w.Rest() != rest || w.Active(rest) || !w.Active(!rest) {
			t.Errorf("%+v: rest %v", w, w.Rest())
		}
	}
}

func TestErrorsHaveFaultNames(t *testing.T) {
	for want, errs := range map[point.Fault][]error{
		point.FaultBusy:      {unix.EBUSY},
		point.FaultLost:      {unix.ENODEV, unix.ENXIO, os.ErrNotExist},
		point.FaultReadError: {unix.EIO, os.ErrPermission, errors.New("anything")},
	} {
		for _, err := range errs {
			if got := board.FaultOf(fmt.Errorf("line 7: %w", err)); got != want {
				t.Errorf("%v: got %s, want %s", err, got, want)
			}
		}
	}
}
