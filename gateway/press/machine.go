package press

import (
	"fmt"
	"time"

	"nabat/hw/point"
)

// Machine understands the signals of one point. It has no clock and no timer:
// all time comes from the signals, so that a loaded machine, which delivers
// them late or in heaps, sees the same gestures as an idle one. In particular
// a Hold needs a reading (or a release) stamped HoldAfter the press: a timer
// could overtake a release that is still on its way, and would turn a quiet
// call for help into an emergency. With readings every second a Hold is known
// at the latest a second after it became one.
//
// Limits: a press that a fault cuts off before it has lasted Debounce is lost,
// and so is one on a chattering contact unless it lasts CalmAfter; the fault
// says so. Of mains hum on a wet wire the first TapsPerSecond half waves count.
// A source that sends nothing while a button is held tells its Hold only at the
// release.
//
// The zero Machine is ready; it knows nothing until the first signal. It
// belongs to one goroutine. Signals of a point come in the order in which
// they happened.
type Machine struct {
	known bool // the contact was read and may be listened to
	again bool // it was, before a fault of the source
	level bool // true: the contact is closed
	since time.Duration
	firm  bool // the source vouched for the level when the run began
	edges bool // the source sends raw edges
	found bool // the contact was found closed and has not been open since
	shaky int  // edges since the contact last rested for Debounce
	doubt bool // the last reading, at doubtAt, was of the other level
	// doubtAt is valid while doubt holds.
	doubtAt time.Duration

	fault point.Fault // as last reported, empty when all is well
	outer bool        // fault came from the source, and only the source can end it
	stuck bool        // the button was stuck and has not been seen open since

	proved   bool // provedAt is valid
	provedAt time.Duration

	down  bool // a Tap was given and no end of it
	start time.Duration
	held  bool // a Hold was given, or cannot be any more

	taps     int // since tapsFrom
	tapsFrom time.Duration

	point string
	out   []Gesture
}

// Next takes the next signal of the point and returns the gestures that have
// become certain with it, in order; most signals give none.
func (m *Machine) Next(s point.Signal) []Gesture {
	m.point, m.out = s.Point, nil
	switch s.Change {
	case point.Active, point.Inactive:
		m.contact(s, s.Change == point.Active)
	case point.Faulted:
		if m.fault != s.Fault || m.down != (s.Fault == point.FaultStuck) { // not a mere repetition
			m.out = append(m.out, Gesture{Point: s.Point, Kind: Faulted, At: s.At, Fault: s.Fault, Detail: s.Detail})
		}
		m.fault, m.outer = s.Fault, true
		m.known, m.again = false, true
		if s.Fault == point.FaultStuck {
			if !m.down {
				m.start = s.At
			}
			m.down, m.held, m.stuck = true, true, true
		} else {
			m.down = false
		}
	case point.Restored:
		if m.outer {
			m.restore(s.At)
		}
	}
	return m.out
}

// contact takes a signal that tells the contact's level.
func (m *Machine) contact(s point.Signal, level bool) {
	switch {
	case m.outer && !m.known && !s.Initial:
		// Edges of a broken point mean nothing until it is read anew.
	case !m.known && m.again && level && s.Settled && !s.Initial:
		// Whoever still holds the button since before the fault has had a Tap.
	case !m.known && (s.Initial || s.Settled):
		// What was found has to last like everything else: on a long wire a
		// pull-up takes a while to charge the line after it was opened.
		m.turn(level, s.At, false)
		m.shaky, m.found = 0, level
		m.prove(s.At)
	case !s.Settled && !s.Initial:
		// A second edge to the same level means that one was missed between
		// them: nothing is known about the run that it cut.
		if m.known && m.level != level {
			m.rest(s.At)
		}
		m.edges = true
		m.turn(level, s.At, false)
		m.shake(s.At)
	default:
		if m.level != level && !m.differs(level, s) {
			return
		}
		m.doubt = false
		m.since = min(m.since, s.At) // a source whose clock stepped back starts over
		m.rest(s.At)
		m.prove(s.At)
	}
}

// differs takes a reading that no edge explains, and reports whether to believe
// it. A source that debounces says everything once. One with edges still has to
// show the edge, or to say it again: this may be a spike, met by chance.
func (m *Machine) differs(level bool, s point.Signal) bool {
	switch {
	case !m.edges:
		m.rest(s.At)
		m.turn(level, s.At, s.Settled)
	case m.doubt:
		m.turn(level, m.doubtAt, false)
	default:
		m.doubt, m.doubtAt = true, s.At
		return false
	}
	return true
}

// turn begins a run at a level.
func (m *Machine) turn(level bool, at time.Duration, firm bool) {
	m.doubt = false
	m.known, m.level, m.since, m.firm = true, level, at, firm
}

// rest says that the run has lasted until now, and draws the conclusions.
func (m *Machine) rest(now time.Duration) {
	if !m.firm && now-m.since < Debounce {
		return
	}
	m.shaky = 0
	if m.fault == point.FaultChatter && !m.outer {
		if now-m.since < CalmAfter {
			return
		}
		m.restore(now)
		m.found = m.level
	}
	if m.level {
		m.closed(now)
	} else {
		m.open(now)
	}
}

// closed says that the contact is settled closed, up to now.
func (m *Machine) closed(now time.Duration) {
	if !m.down && m.stuck {
		m.down, m.start, m.held = true, m.since, true // lost and read again: still the same press
	}
	if !m.down {
		if m.tooMany() {
			m.fail(now, point.FaultChatter, fmt.Sprintf("more than %d presses in a second; check the wire for hum and damp", TapsPerSecond))
			return
		}
		m.down, m.start, m.held = true, m.since, m.found
		m.out = append(m.out, Gesture{Point: m.point, Kind: Tap, At: m.start, Initial: m.found})
	}
	lasted := now - m.start
	if lasted >= HoldAfter && !m.held {
		m.held = true
		m.out = append(m.out, Gesture{Point: m.point, Kind: Hold, At: m.start, Held: lasted})
	}
	if (lasted >= StuckAfter || m.stuck) && m.fault == "" {
		m.stuck = true
		m.fail(now, point.FaultStuck, fmt.Sprintf("pressed for more than %v; free the button or check the wire", StuckAfter))
	}
}

// open says that the contact is settled open, up to now.
func (m *Machine) open(now time.Duration) {
	m.found, m.stuck = false, false
	if !m.down {
		return
	}
	m.down = false
	m.out = append(m.out, Gesture{Point: m.point, Kind: Released, At: m.since, Held: max(m.since-m.start, 0)})
	if m.fault == point.FaultStuck && !m.outer {
		m.restore(now)
	}
}

// shake counts an edge. A stuck button is not counted: it is a fault already,
// and stays one until it is seen open.
func (m *Machine) shake(now time.Duration) {
	m.shaky++
	if m.shaky >= ChatterEdges && m.fault == "" {
		m.down = false
		m.fail(now, point.FaultChatter, fmt.Sprintf("%d edges without rest; check the contact and its screws", m.shaky))
	}
}

// tooMany counts a press and reports whether no hand can have done it.
func (m *Machine) tooMany() bool {
	if d := m.since - m.tapsFrom; d < 0 || d >= time.Second {
		m.taps, m.tapsFrom = 0, m.since
	}
	m.taps++
	return m.taps > TapsPerSecond
}

// prove says that the point was read without error.
func (m *Machine) prove(now time.Duration) {
	if m.fault != "" || m.proved && now >= m.provedAt && now-m.provedAt < ProveEvery {
		return
	}
	m.proved, m.provedAt = true, now
	m.out = append(m.out, Gesture{Point: m.point, Kind: Proven, At: now})
}

// fail reports a fault that the machine itself found, unless the source has
// said already that the point is not to be trusted.
func (m *Machine) fail(now time.Duration, f point.Fault, detail string) {
	if m.fault != "" {
		return
	}
	m.fault = f
	m.out = append(m.out, Gesture{Point: m.point, Kind: Faulted, At: now, Fault: f, Detail: detail})
}

// restore reports the end of the fault, of whatever origin.
func (m *Machine) restore(now time.Duration) {
	m.out = append(m.out, Gesture{Point: m.point, Kind: Restored, At: now, Fault: m.fault})
	m.fault, m.outer, m.proved, m.taps = "", false, false, 0
}
