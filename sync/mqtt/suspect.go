package mqtt

import "time"

// A broker may answer an event that is too large for it by hanging up, every
// time. An event is given up as poison only if it is larger than any that the
// broker took, far larger than any alarm, and was on its way each time.
const (
	suspectSize = 4 << 10
	maxStrikes  = 3
	maxSuspects = 64
)

// maxStolen is how many sessions in a row the broker may end soon before that
// is taken for a second device with the same client id.
const maxStolen = 3

func (d sent) suspicious() bool { return d.size > suspectSize && d.size > d.s.p.largest }

// took notes that the broker took an event.
func (p *Publisher) took(d sent) {
	p.largest = max(p.largest, d.size)
	if len(p.strikes) > 0 {
		delete(p.strikes, d.ref)
	}
}

// blame finds out, after a session was lost, whether one of its own events or
// a second device ended it, and returns the error to go on with.
func (p *Publisher) blame(s *session) error {
	err := s.Err()
	if !hungUp(err) {
		p.stolen = 0
		return err
	}
	suspects := 0
	for _, d := range s.big {
		select {
		case <-d.token.Done():
			if d.token.Error() == nil {
				continue
			}
		default:
		}
		if len(p.strikes) < maxSuspects {
			p.strikes[d.ref]++
			suspects++
		}
	}
	switch {
	case suspects > 0:
	case time.Since(s.begun) >= p.t.Steady:
		p.stolen = 0
	default:
		p.stolen++
	}
	if p.stolen >= maxStolen {
		return errStolen
	}
	return err
}
