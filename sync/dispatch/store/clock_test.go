package store

import (
	"context"
	"testing"
	"time"

	"nabat/gateway/alert"
)

// TestAClockThatStepsAfterThePressMovesNoPress: the kernel's time of the edge
// holds, whatever the wall clock said then.
func TestAClockThatStepsAfterThePressMovesNoPress(t *testing.T) {
	for name, step := range map[string]time.Duration{"forward": 10 * 365 * 24 * time.Hour, "back": -10 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string) {
				w := newWatch()
				s := ready(t, Options{URL: url, Now: w.now})
				pressed := w.now()
				e := about(alert.Raised, "a1", 1, stamp(pressed.Add(20*time.Second), "b", time.Hour+20*time.Second, true))
				e.PressedAt, e.PressedMono = pressed.Add(-step), time.Hour
				w.add(20 * time.Second)
				ingest(t, s, said(school, "e1", 1, e, "mqtt", w.now()))
				line, err := s.Timeline(context.Background(), school, "a1")
				if err != nil || len(line) != 1 || !line[0].Pressed.At.Equal(pressed) || line[0].Late {
					t.Errorf("%+v, %v; want %v", line, err, pressed)
				}
			})
		})
	}
}
