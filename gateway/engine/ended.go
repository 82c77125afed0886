package engine

import (
	"slices"
	"time"

	"nabat/gateway/alert"
)

// maxEnded is how many ended emergencies are remembered at once.
const maxEnded = 16

// clear folds a clear that has been recorded. If it closes a public emergency,
// or the drill of one, the view says for a while that it is over.
func (e *Engine) clear(ev alert.Event) {
	key, _ := ev.Key()
	before, _ := e.state.Alert(key)
	e.state = e.state.Next(ev)
	e.dirty = true
	after, _ := e.state.Alert(key)
	if !before.Open() || after.Open() || before.Level() != alert.LevelEmergency {
		return
	}
	e.forget(key)
	e.ended = slices.Insert(e.ended, 0, alert.Ended{Alert: before, At: e.clock.Now(), Outcome: ev.Outcome})
	e.ended = e.ended[:min(len(e.ended), maxEnded)]
}

// forget drops the end of a key: it never happened, or it goes on.
func (e *Engine) forget(key alert.Key) {
	e.ended = slices.DeleteFunc(slices.Clone(e.ended), func(old alert.Ended) bool { return old.Alert.Key == key })
}

// fade drops what ended AllClearFor ago and returns how long it is until the
// next one goes.
func (e *Engine) fade() time.Duration {
	next, now := time.Hour, e.clock.Now()
	keep := make([]alert.Ended, 0, len(e.ended))
	for _, old := range e.ended {
		left := alert.AllClearFor - now.Since(old.At)
		if left <= 0 {
			e.dirty = true
			continue
		}
		next = min(next, left)
		keep = append(keep, old)
	}
	e.ended = keep
	return next
}

// stillEnded returns what the view says is over. A key that is open again is
// not, even before fade has looked.
func (e *Engine) stillEnded() []alert.Ended {
	for _, old := range e.ended {
		if a, _ := e.state.Alert(old.Alert.Key); a.Open() {
			e.forget(old.Alert.Key)
		}
	}
	return e.ended
}
