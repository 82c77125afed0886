package pulse

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"nabat/hw/audio"
	"nabat/hw/audio/audiotest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// within is the bound of a step that is not about time.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), audiotest.Patience)
	t.Cleanup(cancel)
	return ctx
}

// driver returns a driver of a sink of the server.
func driver(t *testing.T, s *audiotest.Server, sink string) *Driver {
	d := New(Options{Server: s.Address(), Sink: sink})
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// open opens a stream that is closed at the end of the test, before its driver.
func open(t *testing.T, d *Driver) audio.Stream {
	t.Helper()
	stream, err := d.Open(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	return stream
}

// say writes a sound as a player does, frame by frame.
func say(t *testing.T, stream audio.Stream, sound []int16) {
	t.Helper()
	for len(sound) > 0 {
		n := min(len(sound), audio.FrameSamples)
		if err := stream.Write(within(t), sound[:n]); err != nil {
			t.Fatal(err)
		}
		sound = sound[n:]
	}
}

func TestASoundIsHeardWholeAtItsPitch(t *testing.T) {
	server := audiotest.Run(t, "pa")
	heard := server.Listen(t, "pa")
	d := driver(t, server, "pa")
	if err := d.Check(within(t)); err != nil {
		t.Fatal(err)
	}
	stream := open(t, d)
	rustle := audiotest.Rustle(1, 1500*time.Millisecond)
	tone := audiotest.Sine(440, time.Second)
	say(t, stream, rustle)
	say(t, stream, tone)
	if err := stream.Drain(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if err := heard.Quiet(within(t), 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	samples := heard.Samples()
	at, alike := audiotest.Find(samples, rustle)
	edge := audiotest.Count(50 * time.Millisecond)
	begin := audiotest.Alike(samples, rustle[:edge], at)
	end := audiotest.Alike(samples, tone[len(tone)-edge:], at+len(rustle)+len(tone)-edge)
	hertz := audiotest.Tone(samples[at+len(rustle)+edge : at+len(rustle)+len(tone)-edge])
	t.Logf("alike %.4f, first 50 ms %.4f, last 50 ms %.4f, %.2f Hz, underruns %d", alike, begin, end, hertz, d.Underruns())
	if alike < 0.98 || begin < 0.98 || end < 0.98 {
		t.Errorf("what was heard resembles what was said by %.4f, its first 50 ms by %.4f, its last by %.4f; want 0.98", alike, begin, end)
	}
	if hertz < 439 || hertz > 441 {
		t.Errorf("a tone of 440 Hz was heard at %.2f", hertz)
	}
}
