package pulse

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"nabat/hw/audio"
	"nabat/hw/audio/audiotest"
)

// soon is a bound that a server which hangs is to reach.
func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// endless writes until Write fails, and returns why.
func endless(ctx func(*testing.T) context.Context, t *testing.T, stream audio.Stream) error {
	t.Helper()
	frame := audiotest.Sine(440, audio.Frame)
	for {
		if err := stream.Write(ctx(t), frame); err != nil {
			return err
		}
	}
}

func absent(t *testing.T, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, audio.ErrAbsent) {
		t.Fatalf("got %v; want an error that the output is absent", err)
	}
	says(t, err, words...)
}

func says(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there was no error")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error %q does not say %q", err, word)
		}
	}
}

func TestNoServerIsAnAbsentOutput(t *testing.T) {
	d := New(Options{Server: "unix:" + filepath.Join(t.TempDir(), "nobody"), Sink: "pa"})
	defer d.Close()
	absent(t, d.Check(within(t)), "systemctl --user start")
	_, err := d.Open(within(t))
	absent(t, err)
}

func TestAMissingSinkIsAnAbsentOutput(t *testing.T) {
	server := audiotest.Run(t, "module-null-sink sink_name=auto_null")
	absent(t, driver(t, server, "gym").Check(within(t)), "gym", "pactl list short sinks")
	_, err := driver(t, server, "gym").Open(within(t))
	absent(t, err, "gym")
	absent(t, driver(t, server, "").Check(within(t)), "dummy")
	if err := server.RemoveSink(within(t), "auto_null"); err != nil {
		t.Fatal(err)
	}
	absent(t, driver(t, server, "").Check(within(t)), "no output")
}

func TestASinkThatGoesEndsTheStreamAndComesBack(t *testing.T) {
	server := audiotest.Run(t, "pa", "other")
	server.Listen(t, "pa")
	d := driver(t, server, "pa")
	stream := open(t, d)
	say(t, stream, audiotest.Sine(440, 100*time.Millisecond))
	if err := server.RemoveSink(within(t), "pa"); err != nil {
		t.Fatal(err)
	}
	says(t, endless(within, t, stream), "unloaded, unplugged")
	if err := stream.Drain(within(t)); err == nil {
		t.Error("what was lost with the sink is said to have sounded")
	}
	stream.Close()
	absent(t, d.Check(within(t)), "pa")
	if _, err := server.AddSink(within(t), "pa"); err != nil {
		t.Fatal(err)
	}
	hear(t, d, server.Listen(t, "pa"))
}

func TestAServerThatDiesEndsTheStreamAndComesBack(t *testing.T) {
	server := audiotest.Run(t, "pa")
	server.Listen(t, "pa")
	d := driver(t, server, "pa")
	stream := open(t, d)
	say(t, stream, audiotest.Sine(440, 100*time.Millisecond))
	server.Kill()
	says(t, endless(within, t, stream), "start it again")
	if err := stream.Drain(within(t)); err == nil {
		t.Error("what was lost with the server is said to have sounded")
	}
	if err := stream.Flush(); err == nil {
		t.Error("a stream without a server was flushed")
	}
	stream.Close()
	absent(t, d.Check(within(t)))
	if err := server.Restart(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := d.Check(within(t)); err != nil {
		t.Fatal(err)
	}
	// And once more while nothing is said: the old connection is noticed.
	if err := server.Restart(within(t)); err != nil {
		t.Fatal(err)
	}
	hear(t, d, server.Listen(t, "pa"))
}

func TestAConnectionThatIsLostInUseIsReplaced(t *testing.T) {
	server := audiotest.Run(t, "pa")
	d := driver(t, server, "pa")
	if err := d.Check(within(t)); err != nil {
		t.Fatal(err)
	}
	calls := 0
	err := d.with(within(t), func(l *link) error {
		if calls++; calls == 1 {
			l.end(errors.New("the server was started anew"))
			return l.why()
		}
		_, err := d.sink(within(t), l)
		return err
	})
	if err != nil || calls != 2 {
		t.Errorf("after %d calls: %v; want a second call over a new connection", calls, err)
	}
}

func TestAFrozenServerHoldsNobodyLongerThanAllowed(t *testing.T) {
	server := audiotest.Run(t, "pa")
	server.Listen(t, "pa")
	d := driver(t, server, "pa")
	if err := d.Check(within(t)); err != nil {
		t.Fatal(err)
	}
	late := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v; want an error that the time is over", what, err)
			return
		}
		says(t, err, "restart it")
	}
	freeze := func() {
		t.Helper()
		if err := server.Freeze(); err != nil {
			t.Fatal(err)
		}
	}
	thaw := func() {
		t.Helper()
		if err := server.Thaw(); err != nil {
			t.Fatal(err)
		}
		if err := d.Check(within(t)); err != nil {
			t.Fatal(err)
		}
	}

	freeze() // while nothing is said
	late("Check", d.Check(soon(t)))
	_, err := d.Open(soon(t))
	late("Open", err)
	thaw()

	stream := open(t, d) // while something is said
	say(t, stream, audiotest.Sine(440, 200*time.Millisecond))
	freeze()
	late("Write", endless(soon, t, stream))
	late("Drain", stream.Drain(soon(t)))
	stream.Close()
	late("Check", d.Check(soon(t)))
	thaw()

	stream = open(t, d)
	say(t, stream, audiotest.Sine(440, 200*time.Millisecond))
	freeze()
	late("Flush", stream.Flush())
	stream.Close()
	thaw()

	freeze() // many looks leave nothing open behind
	before, running := descriptors(t), runtime.NumGoroutine()
	for range 30 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		late("Check", d.Check(ctx))
		cancel()
	}
	if after := descriptors(t); after > before+3 {
		t.Errorf("%d descriptors are open after 30 looks at a frozen server, %d before", after, before)
	}
	if after := runtime.NumGoroutine(); after > running+10 {
		t.Errorf("%d goroutines run after 30 looks at a frozen server, %d before", after, running)
	}
	thaw()
	hear(t, d, server.Listen(t, "pa"))
}

// However short the time is, and wherever it ends: a server that hangs is to be
// restarted, and is not said to be missing.
func TestAFrozenServerIsNeverCalledAbsent(t *testing.T) {
	server := audiotest.Run(t, "pa")
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	for i := range 400 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*time.Microsecond)
		d := New(Options{Server: server.Address(), Sink: "pa"})
		says(t, d.Check(ctx), "restart it")
		cancel()
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestCloseEndsAWriteThatWaits(t *testing.T) {
	server := audiotest.Run(t, "pa")
	d := driver(t, server, "pa")
	stream := open(t, d)
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	ctx := within(t)
	ended := make(chan error, 1)
	go func() {
		frame := audiotest.Sine(440, audio.Frame)
		for {
			if err := stream.Write(ctx, frame); err != nil {
				ended <- err
				return
			}
		}
	}()
	if err := stream.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write ended by its own bound only: %v", err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
}

func TestAMutedSinkIsSaidToBe(t *testing.T) {
	server := audiotest.Run(t, "pa")
	server.Listen(t, "pa")
	d := driver(t, server, "pa")
	order := func(words ...string) {
		t.Helper()
		if _, err := server.Pactl(within(t), words...); err != nil {
			t.Fatal(err)
		}
	}
	muted := func(err error, remedy string) {
		t.Helper()
		if !errors.Is(err, ErrMuted) || errors.Is(err, audio.ErrAbsent) {
			t.Fatalf("got %v; want an error that the sink is muted", err)
		}
		says(t, err, remedy)
	}
	order("set-sink-mute", "pa", "1")
	muted(d.Check(within(t)), "pactl set-sink-mute pa 0")
	_, err := d.Open(within(t))
	muted(err, "pactl set-sink-mute pa 0")
	order("set-sink-mute", "pa", "0")
	order("set-sink-volume", "pa", "0%")
	muted(d.Check(within(t)), "pactl set-sink-volume pa 100%")
	order("set-sink-volume", "pa", "80%")
	stream := open(t, d)
	say(t, stream, audiotest.Sine(440, 200*time.Millisecond))
	order("set-sink-mute", "pa", "1")
	muted(stream.Drain(within(t)), "pactl set-sink-mute pa 0")
	list, err := server.Pactl(within(t), "list", "sinks")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(list, "80%") {
		t.Errorf("the sink's own volume was changed: %s", list)
	}
}

func TestAStreamStaysInItsZone(t *testing.T) {
	server := audiotest.Run(t, "pa", "other")
	server.Listen(t, "pa")
	d := driver(t, server, "pa")
	stream := open(t, d)
	list, err := server.Pactl(within(t), "list", "short", "sink-inputs")
	if err != nil {
		t.Fatal(err)
	}
	input, _, _ := strings.Cut(list, "\t")
	if _, err := server.Pactl(within(t), "move-sink-input", input, "other"); err == nil {
		t.Error("the stream was moved to another sink")
	}
	say(t, stream, audiotest.Sine(440, 100*time.Millisecond))
	if err := stream.Drain(within(t)); err != nil {
		t.Error(err)
	}
}

func TestASuspendedSinkIsSaidToBe(t *testing.T) {
	server := audiotest.Run(t, "pa")
	server.Listen(t, "pa")
	d := driver(t, server, "pa")
	stream := open(t, d)
	if _, err := server.Pactl(within(t), "suspend-sink", "pa", "1"); err != nil {
		t.Fatal(err)
	}
	says(t, endless(within, t, stream), "suspended")
	stream.Close()
	_, err := d.Open(within(t))
	says(t, err, "pactl suspend-sink pa 0")
	if _, err := server.Pactl(within(t), "suspend-sink", "pa", "0"); err != nil {
		t.Fatal(err)
	}
	hear(t, d, server.Listen(t, "pa"))
}
