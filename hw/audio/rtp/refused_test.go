package rtp_test

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"nabat/hw/audio"
	"nabat/hw/audio/rtp"
)

// fail sets what the next writes return.
func (w *wire) fail(errs ...error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errs = errs
}

// A refusal is told instead of sending the packet, which is then sent again. After
// the third another error stands, so that a talk that goes on ends there.
func TestThreeRefusalsThatFollowEachOtherEndTheTalk(t *testing.T) {
	bubble(t, rtp.TalkOptions{}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		refused := unix.ECONNREFUSED
		w.fail(nil, refused, nil, nil, refused, nil, nil, refused, unix.ENETUNREACH)
		var err error
		for err == nil {
			err = talk.Write(t.Context(), make([]int16, audio.FrameSamples))
		}
		if !errors.Is(err, rtp.ErrRefused) {
			t.Errorf("got %v", err)
		}
		if n := len(w.take()); n != 5 {
			t.Errorf("%d packets went out before the third refusal", n)
		}
		if err := talk.Drain(t.Context(), 0); !errors.Is(err, rtp.ErrRefused) {
			t.Errorf("drain: %v", err)
		}
	})
}

func TestTwoRefusalsEndNothingNorDoManyThatAreFarApart(t *testing.T) {
	bubble(t, rtp.TalkOptions{Always: true}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		for range 10 {
			w.fail(unix.ECONNREFUSED, nil, unix.ECONNREFUSED)
			<-time.After(3 * time.Second)
		}
		if err := talk.Flush(); err != nil {
			t.Errorf("got %v", err)
		}
		// What was refused went out after all.
		if n := len(w.take()); n < 10*150 {
			t.Errorf("%d packets went out in 30 s", n)
		}
	})
}
