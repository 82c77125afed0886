package rtp_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"nabat/hw/audio"
	"nabat/hw/audio/g711"
	"nabat/hw/audio/rtp"
	"nabat/hw/audio/rtp/rtptest"
)

// wire keeps what is written to it, and when; next is what the next writes do.
type wire struct {
	mu      sync.Mutex
	packets []rtptest.Packet
	stall   time.Duration
	errs    []error
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	stall := w.stall
	w.stall = 0
	w.mu.Unlock()
	if stall > 0 {
		<-time.After(stall)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.errs) > 0 {
		err := w.errs[0]
		w.errs = w.errs[1:]
		if err != nil {
			return 0, err
		}
	}
	p := rtptest.Packet{At: time.Now()}
	if err := p.Unmarshal(append([]byte(nil), b...)); err != nil {
		return 0, err
	}
	w.packets = append(w.packets, p)
	return len(b), nil
}

func (w *wire) take() []rtptest.Packet {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]rtptest.Packet(nil), w.packets...)
}

// bubble runs a talk in a bubble, where time is exact.
func bubble(t *testing.T, o rtp.TalkOptions, f func(t *testing.T, w *wire, talk *rtp.Talk)) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		talk := rtp.NewTalk(w, o)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = talk.Run(ctx)
		}()
		defer func() { stop(); <-done }()
		f(t, w, talk)
	})
}

func write(t *testing.T, talk *rtp.Talk, samples []int16) {
	t.Helper()
	for len(samples) > 0 {
		n := min(audio.FrameSamples, len(samples))
		if err := talk.Write(t.Context(), samples[:n]); err != nil {
			t.Error(err)
			return
		}
		samples = samples[n:]
	}
}

func TestPacketsGoByTheClock(t *testing.T) {
	bubble(t, rtp.TalkOptions{}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		start := time.Now()
		write(t, talk, rtptest.Tone(1000, 10*audio.Rate))
		if err := talk.Drain(t.Context(), 0); err != nil {
			t.Error(err)
		}
		packets := w.take()
		if err := rtptest.Order(packets); err != nil {
			t.Error(err)
		}
		// 500 of sound, one for what was in the filter, and perhaps one of the
		// silence that begins when all has sounded.
		if len(packets) != 501 && len(packets) != 502 {
			t.Errorf("%d packets", len(packets))
		}
		for i, p := range packets {
			if want := start.Add(time.Duration(i) * 20 * time.Millisecond); !p.At.Equal(want) {
				t.Fatalf("packet %d left at %v", i, p.At.Sub(start))
			}
		}
		if took := time.Since(start); took != 501*20*time.Millisecond {
			t.Errorf("drained after %v", took)
		}
	})
}

func TestWriteBlocksWhenAFifthOfASecondWaits(t *testing.T) {
	bubble(t, rtp.TalkOptions{}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		start := time.Now()
		write(t, talk, make([]int16, 11*audio.FrameSamples))
		synctest.Wait()
		if took := time.Since(start); took > 20*time.Millisecond {
			t.Errorf("the first 220 ms took %v", took)
		}
		write(t, talk, make([]int16, audio.Rate))
		if took := time.Since(start); took < time.Second-20*time.Millisecond || took > time.Second+40*time.Millisecond {
			t.Errorf("a second and 220 ms were taken in %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Millisecond)
		defer cancel()
		if err := talk.Write(ctx, make([]int16, audio.Rate)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLateWakeUpCatchesUpWithoutADrift(t *testing.T) {
	bubble(t, rtp.TalkOptions{}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		start := time.Now()
		write(t, talk, make([]int16, audio.Rate/2))
		w.mu.Lock()
		w.stall = 70 * time.Millisecond
		w.mu.Unlock()
		write(t, talk, make([]int16, audio.Rate))
		if err := talk.Drain(t.Context(), 0); err != nil {
			t.Error(err)
		}
		packets := w.take()
		if err := rtptest.Order(packets); err != nil {
			t.Error(err)
		}
		last := packets[len(packets)-1]
		if want := time.Duration(len(packets)-1) * 20 * time.Millisecond; last.At.Sub(start) != want {
			t.Errorf("packet %d left at %v, not %v", len(packets)-1, last.At.Sub(start), want)
		}
	})
}

func TestVeryLateWakeUpIsNoBurst(t *testing.T) {
	bubble(t, rtp.TalkOptions{}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		write(t, talk, make([]int16, audio.Rate/2))
		w.mu.Lock()
		w.stall = 3 * time.Second
		w.mu.Unlock()
		write(t, talk, make([]int16, 5*audio.Rate))
		packets := w.take()
		if err := rtptest.Order(packets); err != nil {
			t.Error(err)
		}
		together := map[time.Time]int{}
		worst := 0
		for _, p := range packets {
			together[p.At]++
			worst = max(worst, together[p.At])
		}
		if worst > 7 {
			t.Errorf("%d packets at once", worst)
		}
		if worst < 3 {
			t.Errorf("%d packets at once: nothing was caught up", worst)
		}
	})
}

func TestSilenceThenANewSpurt(t *testing.T) {
	bubble(t, rtp.TalkOptions{}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		write(t, talk, rtptest.Tone(1000, audio.FrameSamples))
		<-time.After(10*time.Second + 7*time.Millisecond)
		quiet := w.take()
		if err := rtptest.Order(quiet); err != nil {
			t.Error(err)
		}
		// One of sound, 50 of silence, and then nothing, so that music comes back.
		if len(quiet) != 51 {
			t.Errorf("%d packets in 10 s without sound", len(quiet))
		}
		write(t, talk, rtptest.Tone(1000, audio.FrameSamples))
		synctest.Wait()
		all := w.take()
		first, next := all[0], all[len(quiet)]
		if err := rtptest.Order(all[len(quiet):]); err != nil {
			t.Error(err)
		}
		if next.SSRC != first.SSRC || next.SequenceNumber != first.SequenceNumber+51 {
			t.Error("the second spurt is another stream")
		}
		if gone := next.Timestamp - first.Timestamp; gone%160 != 0 || gone < 9_900*8 || gone > 10_010*8 {
			t.Errorf("the second spurt is stamped %d later, 10 s have passed", gone)
		}
	})
}

func TestTelephoneAlwaysHearsSomething(t *testing.T) {
	bubble(t, rtp.TalkOptions{Always: true, Law: g711.ALaw, Packet: 30 * time.Millisecond}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		<-time.After(3*time.Second - time.Millisecond)
		packets := w.take()
		if err := rtptest.Order(packets); err != nil {
			t.Error(err)
		}
		if len(packets) != 100 || len(packets[0].Payload) != 240 || packets[0].PayloadType != 8 || packets[0].Payload[0] != 0xd5 {
			t.Errorf("%d packets of %d bytes, type %d, % x", len(packets), len(packets[0].Payload), packets[0].PayloadType, packets[0].Payload[:1])
		}
	})
}

func TestDrainWaitsForTheReceivers(t *testing.T) {
	bubble(t, rtp.TalkOptions{}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		start := time.Now()
		if err := talk.Drain(t.Context(), 200*time.Millisecond); err != nil || time.Since(start) > 0 {
			t.Errorf("nothing took %v to sound: %v", time.Since(start), err)
		}
		write(t, talk, rtptest.Tone(1000, audio.FrameSamples/2))
		if err := talk.Drain(t.Context(), 200*time.Millisecond); err != nil {
			t.Error(err)
		}
		// It is told at once that no more comes, but a first packet waits to be full.
		if took := time.Since(start); took < 220*time.Millisecond || took > 240*time.Millisecond {
			t.Errorf("10 ms of sound took %v", took)
		}
		if n := len(w.take()); n < 10 {
			t.Errorf("%d packets: the end was not silence", n)
		}
	})
}

func TestFlushDropsWhatWaits(t *testing.T) {
	bubble(t, rtp.TalkOptions{}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		write(t, talk, rtptest.Tone(1000, 10*audio.FrameSamples))
		synctest.Wait()
		before := len(w.take())
		if err := talk.Flush(); err != nil {
			t.Error(err)
		}
		<-time.After(500 * time.Millisecond)
		for _, p := range w.take()[before:] {
			for _, b := range p.Payload {
				if b != 0xff {
					t.Fatal("something sounds after a flush")
				}
			}
		}
	})
}

func TestFailingNetworkEndsTheTalk(t *testing.T) {
	bubble(t, rtp.TalkOptions{}, func(t *testing.T, w *wire, talk *rtp.Talk) {
		w.mu.Lock()
		w.errs = []error{nil, unix.ENOBUFS, nil, unix.ECONNREFUSED, nil, nil, unix.ENETUNREACH}
		w.mu.Unlock()
		var err error
		for err == nil {
			err = talk.Write(t.Context(), make([]int16, audio.FrameSamples))
		}
		if !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("got %v", err)
		}
		if n := len(w.take()); n != 4 {
			t.Errorf("%d packets went out", n)
		}
		if err := talk.Drain(t.Context(), 0); !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("drain: %v", err)
		}
		if err := talk.Flush(); !errors.Is(err, unix.ENETUNREACH) {
			t.Errorf("flush: %v", err)
		}
	})
}
