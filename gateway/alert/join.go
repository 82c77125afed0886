package alert

import "maps"

// Join returns the state that folding everything behind s and everything
// behind o would give. It is how a state that was read back from a file meets
// one that went on without it.
func (s State) Join(o State) State {
	next := State{alerts: maps.Clone(s.alerts)}
	if next.alerts == nil {
		next.alerts = make(map[Key]Alert)
	}
	for key, b := range o.alerts {
		a, ok := next.alerts[key]
		if ok {
			b = a.join(b)
		}
		next.alerts[key] = b
	}
	return next
}

func (a Alert) join(b Alert) Alert {
	switch {
	case b.Last.Number > a.Last.Number:
		first := b.First
		if a.ID == b.ID && a.Last.Number > 0 && a.First.Number < first.Number {
			first = a.First
		}
		a.ID, a.Place, a.Last, a.First = b.ID, b.Place, b.Last, first
	case a.ID == b.ID && b.Last.Number > 0 && b.First.Number < a.First.Number:
		a.First = b.First
	}
	a.Emergency = max(a.Emergency, b.Emergency)
	a.Actual = max(a.Actual, b.Actual)
	a.Exercise = max(a.Exercise, b.Exercise)
	a.Cleared = later(a.Cleared, b.Cleared)
	a.Received = later(a.Received, b.Received)
	a.Acknowledged = later(a.Acknowledged, b.Acknowledged)
	a.Responding = latest(a.Responding, b.Responding)
	a.Arrived = later(a.Arrived, b.Arrived)
	a.HelpSteps = a.HelpSteps.join(b.HelpSteps.Number, b.HelpSteps.Done)
	a.EmergencySteps = a.EmergencySteps.join(b.EmergencySteps.Number, b.EmergencySteps.Done)
	return a
}

// HighestPress returns the highest number that anything about the alert bears.
// It exceeds Last.Number where the press itself was lost and only a mark of it
// is left.
func (a Alert) HighestPress() uint64 {
	return max(a.Last.Number, a.Emergency, a.Actual, a.Exercise, a.HelpSteps.Number, a.EmergencySteps.Number,
		a.Cleared.Number, a.Received.Number, a.Acknowledged.Number, a.Responding.Number, a.Arrived.Number)
}
