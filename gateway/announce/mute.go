package announce

import (
	"context"
	"time"

	"nabat/hw/audio"
)

// mute stands in for the loudspeakers of a zone that has none: it takes samples
// as fast as they would sound, so that pages show what would be said for as
// long as it would take.
type mute struct{}

// Open implements audio.Driver.
func (mute) Open(context.Context) (audio.Stream, error) { return &muteStream{}, nil }

// Check implements audio.Driver.
func (mute) Check(context.Context) error { return nil }

// Close implements audio.Driver.
func (mute) Close() error { return nil }

type muteStream struct {
	until time.Time // when all that was taken would have sounded
}

// Write implements audio.Stream.
func (s *muteStream) Write(ctx context.Context, samples []int16) error {
	now := time.Now()
	if s.until.Before(now) {
		s.until = now
	}
	s.until = s.until.Add(time.Duration(len(samples)) * time.Second / audio.Rate)
	return rest(ctx, s.until.Sub(now)-200*time.Millisecond)
}

// Flush implements audio.Stream.
func (s *muteStream) Flush() error {
	s.until = time.Time{}
	return nil
}

// Drain implements audio.Stream.
func (s *muteStream) Drain(ctx context.Context) error { return rest(ctx, time.Until(s.until)) }

// Close implements audio.Stream.
func (s *muteStream) Close() error { return nil }

// rest waits for d, or until ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
