package pulse

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nabat/hw/audio"
	"nabat/hw/audio/audiotest"
)

// BenchmarkFirstSample is the time from Open to the first sample at a recorder,
// against paplay with the same clip, started at the same moment into a sink of
// its own.
func BenchmarkFirstSample(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	server := audiotest.Run(b, "ours", "theirs")
	ours, theirs := server.Listen(b, "ours"), server.Listen(b, "theirs")
	d := New(Options{Server: server.Address(), Sink: "ours"})
	defer d.Close()
	clip := audiotest.Sine(440, 300*time.Millisecond)
	file := filepath.Join(b.TempDir(), "clip.wav")
	if err := audiotest.WriteWAV(file, clip); err != nil {
		b.Fatal(err)
	}
	if err := d.Check(ctx); err != nil {
		b.Fatal(err)
	}
	var our, their []time.Duration
	for b.Loop() {
		ours.Forget()
		theirs.Forget()
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- server.Paplay(ctx, "theirs", file) }()
		stream, err := d.Open(ctx)
		if err != nil {
			b.Fatal(err)
		}
		for rest := clip; len(rest) > 0; {
			n := min(len(rest), audio.FrameSamples)
			if err := stream.Write(ctx, rest[:n]); err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := stream.Drain(ctx); err != nil {
			b.Fatal(err)
		}
		stream.Close()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		for _, r := range []*audiotest.Recording{ours, theirs} {
			if err := r.Quiet(ctx, 500*time.Millisecond); err != nil {
				b.Fatal(err)
			}
		}
		our = append(our, ours.First().Sub(began))
		their = append(their, theirs.First().Sub(began))
	}
	slices.Sort(our)
	slices.Sort(their)
	for _, q := range []struct {
		name string
		at   int
	}{{"p50", 50}, {"p99", 99}} {
		o, t := our[(len(our)-1)*q.at/100], their[(len(their)-1)*q.at/100]
		b.ReportMetric(float64(o)/1e6, q.name+"-ms")
		b.ReportMetric(float64(t)/1e6, "paplay-"+q.name+"-ms")
		b.ReportMetric(float64(o)/float64(t), q.name+"-ratio")
	}
}

// BenchmarkEightZones is eight streams into eight sinks at once for two seconds:
// how often one ran out of samples, and what it cost the server and us.
func BenchmarkEightZones(b *testing.B) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	server := audiotest.Run(b, names...)
	for _, name := range names {
		server.Listen(b, name)
	}
	sound := audiotest.Sine(440, 2*time.Second)
	var drivers []*Driver
	for _, name := range names {
		d := New(Options{Server: server.Address(), Sink: name})
		defer d.Close()
		if err := d.Check(ctx); err != nil {
			b.Fatal(err)
		}
		drivers = append(drivers, d)
	}
	var wall, theirs, ours time.Duration
	for b.Loop() {
		server0, err := server.CPU()
		if err != nil {
			b.Fatal(err)
		}
		self0, err := audiotest.CPU(os.Getpid())
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		ended := make(chan error, len(drivers))
		for _, d := range drivers {
			go func() { ended <- speak(ctx, d, sound) }()
		}
		for range drivers {
			if err := <-ended; err != nil {
				b.Error(err)
			}
		}
		wall += time.Since(began)
		server1, err := server.CPU()
		if err != nil {
			b.Fatal(err)
		}
		self1, err := audiotest.CPU(os.Getpid())
		if err != nil {
			b.Fatal(err)
		}
		theirs, ours = theirs+server1-server0, ours+self1-self0
	}
	var underruns uint64
	for _, d := range drivers {
		underruns += d.Underruns()
	}
	b.ReportMetric(float64(underruns), "underruns")
	b.ReportMetric(100*float64(theirs)/float64(wall), "server-%CPU")
	b.ReportMetric(100*float64(ours)/float64(wall), "own-%CPU")
}
