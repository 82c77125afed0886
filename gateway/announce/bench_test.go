package announce

import (
	"context"
	"testing"
	"time"

	"nabat/gateway/alert"
	"nabat/hw/audio"
)

// instant is an output that tells when the first samples came.
type instant struct{ first chan struct{} }

func (i instant) Open(context.Context) (audio.Stream, error) { return i, nil }
func (i instant) Check(context.Context) error                { return nil }
func (i instant) Close() error                               { return nil }
func (i instant) Flush() error                               { return nil }
func (i instant) Drain(context.Context) error                { return nil }

func (i instant) Write(ctx context.Context, _ []int16) error {
	select {
	case i.first <- struct{}{}:
	default:
	}
	return rest(ctx, audio.Frame)
}

// BenchmarkPressToSample is from a new view to the first samples at a driver.
func BenchmarkPressToSample(b *testing.B) {
	clock, src := newStamps(), newSource()
	s := &scene{clock: clock, src: src}
	out := instant{make(chan struct{}, 1)}
	job, err := New(Options{
		Site: school(), Source: src, Clock: clock, Voices: newVoices(), Speakers: []Speaker{{ID: "hall", Zones: []string{"*"}, Driver: out}},
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- job.Run(ctx) }()
	defer func() {
		cancel()
		<-done
	}()
	s.show()
	for b.Loop() {
		b.StopTimer()
		for len(job.Sounding()) > 0 {
			<-job.Changed()
		}
		<-time.After(2 * audio.Frame)
		select {
		case <-out.first:
		default:
		}
		b.StartTimer()
		id := s.raise(alert.Fire, alert.LevelEmergency, alert.Actual)
		<-out.first
		b.StopTimer()
		s.clear(id)
		s.ended = nil
		s.show()
		b.StartTimer()
	}
}
