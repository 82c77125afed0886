package board

import (
	"fmt"
	"time"

	"periph.io/x/conn/v3/gpio"

	"nabat/hw/point"
)

// buttonSink makes the point's signals. It belongs to its watcher.
type buttonSink struct {
	wiring Wiring
	report *reporter
	gaps   gapFault
}

func (s *buttonSink) opened(level gpio.Level, at time.Duration) {
	s.report.contact(point.Signal{Change: s.change(level), At: at, Settled: true, Initial: true})
}

func (s *buttonSink) lost() {
	// What was wrong with the reading ended with the pin that was read.
	s.gaps = gapFault{}
	s.report.ok(s)
}

func (s *buttonSink) edge(e point.Edge) {
	if e.Lost > 0 {
		s.report.unknown()
		if s.gaps.lost(e.At) {
			s.report.fault(s, point.FaultGap, fmt.Sprintf("%d edges were lost: the contact chatters or the machine is too busy to read", e.Lost))
		}
	}
	s.tick(e.At)
	s.report.contact(point.Signal{Change: s.change(e.Level), At: e.At})
}

func (s *buttonSink) settled(level gpio.Level, at time.Duration) {
	s.tick(at)
	s.report.contact(point.Signal{Change: s.change(level), At: at, Settled: true})
}

func (s *buttonSink) tick(at time.Duration) {
	if s.gaps.over(at) {
		s.report.ok(s)
	}
}

func (s *buttonSink) change(level gpio.Level) point.Change {
	if s.wiring.Active(level) {
		return point.Active
	}
	return point.Inactive
}

// tamperSink makes a fault of an open housing. It goes by settled readings
// alone, so that a knock on the wall is none. It belongs to its watcher.
type tamperSink struct {
	wiring Wiring
	report *reporter
	quiet  time.Duration // when the line was last settled
}

// unsettledTamper is how long a tamper line may chatter before that counts as
// an open housing.
const unsettledTamper = 5 * time.Second

func (s *tamperSink) opened(level gpio.Level, at time.Duration) { s.settled(level, at) }

// lost keeps an open housing in mind: it stays reported until it is seen closed.
func (s *tamperSink) lost() {}

func (s *tamperSink) edge(e point.Edge) {
	if e.At-s.quiet > unsettledTamper {
		s.report.fault(s, point.FaultTamper, "the tamper contact does not come to rest")
	}
}

func (s *tamperSink) settled(level gpio.Level, at time.Duration) {
	s.quiet = at
	if s.wiring.Active(level) {
		s.report.fault(s, point.FaultTamper, "the housing is open: close it, and look who opened it")
		return
	}
	s.report.ok(s)
}
