//go:build inguest

package sound

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"nabat/hw/guest/gpiosim"
	"nabat/hw/point"
)

const cardStatus = "/proc/asound/card0/pcm0p/sub0/status"

// playing says whether the card plays at this moment, by the kernel's own word.
func playing() bool {
	b, err := os.ReadFile(cardStatus)
	return err == nil && strings.Contains(string(b), "state: RUNNING")
}

// await waits for something that nobody tells.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// reading is the relay, the card, and the relay again, in this order, and the
// moments before and after.
type reading struct {
	from, to              time.Duration
	before, sounds, after bool
}

// watch reads relay and card again and again, from the side of the wall.
type watch struct {
	chip *gpiosim.Chip
	line int

	mu       sync.Mutex
	readings []reading // guarded by mu
	err      error     // guarded by mu

	stop, stopped chan struct{}
}

func newWatch(chip *gpiosim.Chip, line int) *watch {
	w := &watch{chip: chip, line: line, stop: make(chan struct{}), stopped: make(chan struct{})}
	go w.run()
	return w
}

func (w *watch) run() {
	defer close(w.stopped)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var r reading
		var first, second error
		r.from = point.Monotonic()
		r.before, first = w.chip.Value(w.line)
		r.sounds = playing()
		r.after, second = w.chip.Value(w.line)
		r.to = point.Monotonic()
		w.mu.Lock()
		w.readings = append(w.readings, r)
		w.err = errors.Join(w.err, first, second)
		w.mu.Unlock()
		select {
		case <-tick.C:
		case <-w.stop:
			return
		}
	}
}

func (w *watch) close() error {
	close(w.stop)
	<-w.stopped
	return w.err
}

// keyed says what the relay is now.
func (w *watch) keyed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.readings) > 0 && w.readings[len(w.readings)-1].after
}

// forget begins anew, and returns what was read.
func (w *watch) forget() []reading {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.readings
	w.readings = nil
	return all
}

var errOrder = errors.New("the relay does not frame the sound")

// framed says what is wrong with the order of relay and sound in readings that
// begin and end with a relay at rest: each sound begins lead after the relay was
// keyed at the earliest, ends tail before it is released, and none is without it.
// Between two readings anything may have happened at any moment of it; what is
// said to be wrong is wrong at every one of them.
func framed(all []reading, lead, tail time.Duration) (sounds int, err error) {
	if len(all) == 0 || all[0].before || all[len(all)-1].after {
		return 0, fmt.Errorf("%w: it is not at rest", errOrder)
	}
	var rested time.Duration // the last moment at which the relay was seen at rest
	var ended time.Duration  // the last moment at which there was sound, 0 when the relay was released since
	sounded := false
	for _, r := range all {
		switch {
		case r.sounds && (!r.before || !r.after):
			return sounds, fmt.Errorf("%w: sound without it", errOrder)
		case r.sounds && !sounded:
			sounds++
			if led := r.to - rested; led < lead {
				return sounds, fmt.Errorf("%w: sound %v after it was keyed at the latest", errOrder, led)
			}
		}
		if r.sounds {
			ended = r.from
		}
		if !r.after {
			if kept := r.to - ended; ended > 0 && kept < tail {
				return sounds, fmt.Errorf("%w: released %v after the sound at the latest", errOrder, kept)
			}
			rested, ended = r.from, 0
		}
		sounded = r.sounds
	}
	return sounds, nil
}

// silentAndReleased fails if the relay was keyed or the card played in readings.
func silentAndReleased(t *testing.T, all []reading) {
	t.Helper()
	for _, r := range all {
		if r.before || r.after || r.sounds {
			t.Errorf("keyed %v, sounding %v, although nothing is due", r.before || r.after, r.sounds)
			return
		}
	}
	if len(all) == 0 {
		t.Error("nobody looked")
	}
}

func TestTheWatchSeesAWrongOrder(t *testing.T) {
	const lead, tail = 300 * time.Millisecond, 500 * time.Millisecond
	// A letter is 100 ms: the relay at rest, keyed alone, with sound, or sound alone.
	for story, fine := range map[string]bool{
		"..kkkkSSSSkkkkkk..":              true,
		"..kkkkSSkkkkSSkkkkkk..":          true,
		"..kSSSSkkkkkk..":                 false,
		"..kkkkSSSSk..":                   false,
		"..kkkksSSSkkkkkk..":              false,
		"..kkkkSSSSkkkkkk":                false,
		"..kkkkSSSSkkkkkk.kSSSSkkkkkkk..": false,
	} {
		var all []reading
		for i, c := range story {
			keyed, sound := c == 'k' || c == 'S', c == 'S' || c == 's'
			at := time.Duration(i) * 100 * time.Millisecond
			all = append(all, reading{at, at + time.Millisecond, keyed, sound, keyed})
		}
		if _, err := framed(all, lead, tail); (err == nil) != fine {
			t.Errorf("%s: %v", story, err)
		}
	}
}
