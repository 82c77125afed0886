package pulse

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jfreymuth/pulse/proto"
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
	rustle := audiotest.Rustle(1, 700*time.Millisecond)
	tone := audiotest.Sine(440, 500*time.Millisecond)
	edge := audiotest.Count(50 * time.Millisecond)
	var alike, begin, end, hertz float64
	whole(t, d, stream, heard, append(append([]int16(nil), rustle...), tone...), func(samples []int16) bool {
		var at int
		at, alike = audiotest.Find(samples, rustle)
		begin = audiotest.Alike(samples, rustle[:edge], at)
		end = audiotest.Alike(samples, tone[len(tone)-edge:], at+len(rustle)+len(tone)-edge)
		from, to := at+len(rustle)+edge, at+len(rustle)+len(tone)-edge
		hertz = audiotest.Tone(samples[min(max(from, 0), len(samples)):min(max(to, 0), len(samples))])
		t.Logf("alike %.4f, first 50 ms %.4f, last 50 ms %.4f, %.2f Hz", alike, begin, end, hertz)
		return min(alike, begin, end) >= 0.95 && hertz > 439 && hertz < 441
	})
	if alike < 0.95 || begin < 0.95 || end < 0.95 {
		t.Errorf("what was heard resembles what was said by %.4f, its first 50 ms by %.4f, its last by %.4f; want 0.95", alike, begin, end)
	}
	if hertz < 439 || hertz > 441 {
		t.Errorf("a tone of 440 Hz was heard at %.2f", hertz)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
}

// whole says a sound to its end until what was heard is good. Where the machine was
// too busy to feed the server it is said again: how well a busy machine does is a
// figure, not a test. A server that runs out of samples behind the last one calls
// that the end, so what is not good is said again too, thrice.
func whole(t *testing.T, d *Driver, stream audio.Stream, heard *audiotest.Recording, sound []int16, good func([]int16) bool) {
	t.Helper()
	bad := 0
	for attempt := 1; ; attempt++ {
		heard.Forget()
		before := d.Underruns()
		say(t, stream, sound)
		if err := stream.Drain(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := heard.Quiet(within(t), 200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if good(heard.Samples()) {
			return
		}
		if d.Underruns() == before {
			bad++
		}
		if bad > 3 || attempt == 40 {
			t.Logf("said %d times; %d of them the server did not run out of samples", attempt, bad)
			return
		}
	}
}

func TestFlushIsHeardAsAnEndAndTheNextSoundAsAWhole(t *testing.T) {
	server := audiotest.Run(t, "pa")
	d := driver(t, server, "pa")
	stream := open(t, d)
	long, urgent := audiotest.Rustle(1, 600*time.Millisecond), audiotest.Rustle(2, 400*time.Millisecond)
	heard := server.Listen(t, "pa")
	// A busy machine may let the server play everything before Flush is reached;
	// then there was nothing to drop, and it is tried again.
	for attempt := 1; ; attempt++ {
		heard.Forget()
		before := d.Underruns()
		say(t, stream, long)
		if err := stream.Flush(); err != nil {
			t.Fatal(err)
		}
		say(t, stream, urgent)
		if err := stream.Drain(within(t)); err != nil {
			t.Fatal(err)
		}
		if err := heard.Quiet(within(t), 300*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		samples := heard.Samples()
		if d.Underruns() != before && attempt < 20 {
			continue
		}
		from, _ := audiotest.Find(samples, long)
		at, alike := audiotest.Find(samples, urgent)
		dropped := from + len(long) - at
		t.Logf("attempt %d: %d ms dropped, the urgent sound %.4f alike", attempt, dropped*1000/audio.Rate, alike)
		if alike < 0.95 {
			t.Fatalf("the urgent sound was heard %.4f alike; want 0.95", alike)
		}
		if dropped > audiotest.Count(20*time.Millisecond) {
			return
		}
		if attempt >= 20 {
			t.Fatal("what waited to sound was heard after Flush")
		}
	}
}

func TestNoMoreThanAFifthOfASecondWaits(t *testing.T) {
	server := audiotest.Run(t, "pa")
	server.Listen(t, "pa")
	d := driver(t, server, "pa")
	s := open(t, d).(*stream)
	sound := audiotest.Rustle(1, 800*time.Millisecond)
	var most time.Duration
	for len(sound) > 0 {
		if err := s.Write(within(t), sound[:audio.FrameSamples]); err != nil {
			t.Fatal(err)
		}
		sound = sound[audio.FrameSamples:]
		var waits proto.GetPlaybackLatencyReply
		if err := s.link.ask(within(t), &proto.GetPlaybackLatency{StreamIndex: s.index}, &waits); err != nil {
			t.Fatal(err)
		}
		queued := time.Duration(waits.WriteIndex-waits.ReadIndex) * time.Second / audio.Rate / sampleBytes
		most = max(most, queued+time.Duration(waits.Latency)*time.Microsecond)
	}
	t.Logf("at most %v waited", most)
	if most > 200*time.Millisecond {
		t.Errorf("%v waited to sound; want 200 ms at most", most)
	}
}

func TestStreamsIntoEightSinksAtOnceAreAllHeard(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	server := audiotest.Run(t, names...)
	sound := audiotest.Rustle(1, time.Second)
	heard := map[string]*audiotest.Recording{}
	for _, name := range names {
		heard[name] = server.Listen(t, name)
	}
	edge := audiotest.Count(50 * time.Millisecond)
	once := func() (bad []string) {
		ended := make(chan error, len(names))
		for _, name := range names {
			heard[name].Forget()
			go func() { ended <- play(server, name, sound) }()
		}
		for range names {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		for _, name := range names {
			if err := heard[name].Quiet(within(t), 300*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			samples := heard[name].Samples()
			_, begin := audiotest.Find(samples, sound[:edge])
			_, end := audiotest.Find(samples, sound[len(sound)-edge:])
			if begin < 0.95 || end < 0.95 {
				bad = append(bad, fmt.Sprintf("sink %s: the first 50 ms were heard %.4f alike, the last %.4f; want 0.95", name, begin, end))
			}
		}
		return bad
	}
	// A machine that stands still for longer than what waits tears a sound apart.
	bad := once()
	for attempt := 1; attempt < 5 && len(bad) > 0; attempt++ {
		t.Logf("attempt %d: %v", attempt, bad)
		bad = once()
	}
	if len(bad) > 0 {
		t.Error(bad)
	}
}

// play says a sound through a driver of its own.
func play(server *audiotest.Server, sink string, sound []int16) error {
	ctx, cancel := context.WithTimeout(context.Background(), audiotest.Patience)
	defer cancel()
	d := New(Options{Server: server.Address(), Sink: sink})
	defer d.Close()
	return speak(ctx, d, sound)
}

// speak says a sound to its end.
func speak(ctx context.Context, d *Driver, sound []int16) error {
	stream, err := d.Open(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	for len(sound) > 0 {
		n := min(len(sound), audio.FrameSamples)
		if err := stream.Write(ctx, sound[:n]); err != nil {
			return err
		}
		sound = sound[n:]
	}
	return stream.Drain(ctx)
}

func TestARememberedVolumeDoesNotSilenceUs(t *testing.T) {
	server := audiotest.Run(t, "pa", "module-stream-restore")
	d := driver(t, server, "pa")
	first := open(t, d)
	list, err := server.Pactl(within(t), "list", "short", "sink-inputs")
	if err != nil {
		t.Fatal(err)
	}
	input, _, _ := strings.Cut(list, "\t")
	for _, command := range [][]string{{"set-sink-input-volume", input, "10%"}, {"set-sink-input-mute", input, "1"}} {
		if _, err := server.Pactl(within(t), command...); err != nil {
			t.Fatal(err)
		}
	}
	if list, err = server.Pactl(within(t), "list", "sink-inputs"); err != nil || !strings.Contains(list, "Mute: yes") {
		t.Fatalf("the stream was not muted: %v: %s", err, list)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, d)
	list, err = server.Pactl(within(t), "list", "sink-inputs")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Mute: no", "100%", `media.name = "Nabat"`} {
		if !strings.Contains(list, want) {
			t.Errorf("the second stream does not show %q: %s", want, list)
		}
	}
}

func TestTheDefaultSinkIsUsedWhenNoneIsNamed(t *testing.T) {
	server := audiotest.Run(t, "pa")
	heard := server.Listen(t, "pa")
	hear(t, driver(t, server, ""), heard)
}

// hear plays a sound and finds it in what is heard.
func hear(t *testing.T, d *Driver, heard *audiotest.Recording) {
	t.Helper()
	sound := audiotest.Rustle(7, 300*time.Millisecond)
	stream := open(t, d)
	var alike float64
	whole(t, d, stream, heard, sound, func(samples []int16) bool {
		_, alike = audiotest.Find(samples, sound)
		return alike >= 0.95
	})
	if alike < 0.95 {
		t.Errorf("the sound was heard %.4f alike; want 0.95", alike)
	}
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
}
