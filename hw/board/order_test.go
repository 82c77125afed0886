package board_test

import (
	"os"
	"testing"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/gateway/press"
	"nabat/hw/board"
	"nabat/hw/point"
)

// late is a pin whose edges come a while after the level has changed, as the
// kernel's do on a busy machine.
type late struct {
	board.InputPin
	by   time.Duration
	now  func() time.Duration
	held *point.Edge
}

func (p *late) NextEdge(timeout time.Duration) (point.Edge, error) {
	end := p.now() + timeout
	if p.held == nil {
		e, err := p.InputPin.NextEdge(timeout)
		if err != nil {
			return e, err
		}
		p.held = &e
	}
	ready := p.held.At + p.by
	if ready > end {
		pass(end - p.now())
		return point.Edge{}, os.ErrDeadlineExceeded
	}
	pass(ready - p.now())
	e := *p.held
	p.held = nil
	return e, nil
}

func openLate(w *simWall) func() (board.InputPin, error) {
	return func() (board.InputPin, error) {
		pin, err := w.OpenButton()
		return &late{InputPin: pin, by: 3 * time.Millisecond, now: w.now}, err
	}
}

func TestLevelWaitsForItsEdge(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: openLate(w)})
		r.take()
		pass(998 * time.Millisecond) // the reading comes at 1 s, the edge 1 ms later
		w.button.Toggle(1)
		pass(50 * time.Millisecond)
		r.expect(t, "a reading between level and edge", "active active-settled")
	})
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: openLate(w)})
		pass(998 * time.Millisecond)
		w.button.Toggle(2) // the reading at 1 s sees nothing of it
		pass(50 * time.Millisecond)
		got := r.take()
		if words(got) != "inactive-initial-settled inactive-settled active inactive inactive-settled" {
			t.Fatalf("got %q", words(got))
		}
		for i, s := range got[1:] {
			if s.At < got[i].At {
				t.Errorf("signal %d is of %v, the one before of %v", i+1, s.At, got[i].At)
			}
		}
	})
}

func taps(signals []point.Signal) int {
	n := 0
	var machine press.Machine
	for _, s := range signals {
		for _, g := range machine.Next(s) {
			if g.Kind == press.Tap {
				n++
			}
		}
	}
	return n
}

func TestHousingOpenedDuringAPressIsNoSecondPress(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		r := run(t, w, board.Input{ID: "b", Open: w.OpenButton, Tamper: w.OpenTamper})
		signals := r.take()
		w.button.Press()
		pass(100 * time.Millisecond)
		w.tamper.Drive(gpio.High)
		pass(2 * time.Second)
		w.button.Release()
		pass(time.Second)
		signals = append(signals, r.take()...)
		if n := taps(signals); n != 1 {
			t.Errorf("%d taps out of %q", n, words(signals))
		}
		w.button.Press()
		pass(30 * time.Millisecond)
		w.button.Release()
		pass(time.Second)
		signals = append(signals, r.take()...)
		if n := taps(signals); n != 2 {
			t.Errorf("%d taps after the next press: %q", n, words(signals))
		}
	})
}

func TestPressAtTheMomentTheHousingOpensCounts(t *testing.T) {
	for _, ahead := range []time.Duration{-12, -8, -3, 0, 1, 9, 11} {
		bubble(t, func(t *testing.T, w *simWall) {
			r := run(t, w, board.Input{ID: "b", Open: w.OpenButton, Tamper: w.OpenTamper})
			pass(50 * time.Millisecond)
			if ahead < 0 {
				w.button.Press()
				pass(-ahead * time.Millisecond)
				w.tamper.Drive(gpio.High)
			} else {
				w.tamper.Drive(gpio.High)
				pass(ahead * time.Millisecond)
				w.button.Press()
			}
			pass(30 * time.Millisecond)
			w.button.Release()
			pass(time.Second)
			signals := r.take()
			if n := taps(signals); n != 1 {
				t.Errorf("the housing opens %d ms ahead: %d taps out of %q", ahead, n, words(signals))
			}
		})
	}
}

// busy is a pin on which something happens while its level is read.
type busy struct {
	board.InputPin
	reads  int
	during map[int]func()
}

func (p *busy) Level() (gpio.Level, error) {
	level, err := p.InputPin.Level()
	if f := p.during[p.reads]; f != nil {
		f()
	}
	p.reads++
	return level, err
}

func TestReadingThatAnEdgeOvertakesIsWorthless(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		toggle := func() { w.button.Toggle(1) }
		r := run(t, w, board.Input{ID: "b", Open: func() (board.InputPin, error) {
			pin, err := w.OpenButton()
			return &busy{InputPin: pin, during: map[int]func(){0: toggle, 2: toggle}}, err
		}})
		r.expect(t, "pressed during the first read", "active-initial-settled")
		pass(1050 * time.Millisecond)
		r.expect(t, "released during the next read", "inactive inactive-settled")
	})
}

func TestContactThatBouncesWithoutEndWhileItIsOpenedIsFollowed(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		toggle := func() { w.button.Toggle(1) }
		during := make(map[int]func())
		for read := range 16 {
			during[read] = toggle
		}
		w.button.Press() // an even number of bounces leaves it pressed
		r := run(t, w, board.Input{ID: "b", Open: func() (board.InputPin, error) {
			pin, err := w.OpenButton()
			return &busy{InputPin: pin, during: during}, err
		}})
		pass(40 * time.Millisecond)
		w.button.Release()
		pass(time.Second)
		signals := r.take()
		if n := taps(signals); n != 1 {
			t.Errorf("%d taps out of %q", n, words(signals))
		}
	})
}

func TestOpenHousingIsToldOnceWhileTheContactIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, w *simWall) {
		other := newSimWall() // the tamper line hangs on a chip of its own
		r := run(t, w, board.Input{ID: "b", Open: w.OpenButton, Tamper: other.OpenTamper})
		r.expect(t, "start", "inactive-initial-settled")
		other.tamper.Drive(gpio.High)
		pass(50 * time.Millisecond)
		w.Board.Remove()
		pass(10 * time.Second)
		r.expect(t, "housing open, contact lost for 10 s", "tamper lost")
	})
}
