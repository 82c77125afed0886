package amplifier_test

import (
	"testing"
	"testing/synctest"
	"time"

	"nabat/hw/audio/amplifier"
)

// A tail ends in the moment in which the next sound begins: whichever of the two
// comes first, the relay is keyed while the sound lasts. Which it is is not ours
// to say, so it is tried often; both come about.
func TestATailThatEndsAsTheNextSoundBeginsReleasesNothing(t *testing.T) {
	for range 300 {
		synctest.Test(t, func(t *testing.T) {
			r := &relay{}
			a := amplifier.New(r, amplifier.Options{Tail: tail})
			d := a.Driver(&speaker{relay: r})
			_ = open(t, d).Close()
			<-time.After(tail)
			s := open(t, d)
			synctest.Wait()
			if !r.is() {
				t.Error("the tail of the sound before released the relay under the next")
			}
			_ = s.Close()
			pass(tail)
			if r.is() {
				t.Error("still keyed")
			}
		})
		if t.Failed() {
			return
		}
	}
}
